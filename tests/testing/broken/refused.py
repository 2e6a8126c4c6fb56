"""Objectives, layers and a noise that are wrong after a refused call, in autocast, or for examples of some kinds."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs
import torch
from torch import Tensor

import structpred as sp
from structpred.testing import DIFFERENCE_LAYER_LAWS, DIRECT_LAWS, POTENTIAL_LAWS
from tests.testing.broken.potentials import PlainPotential
from tests.testing.broken.shared import layers, objectives

potential, direct, difference = objectives(POTENTIAL_LAWS), objectives(DIRECT_LAWS), layers(DIFFERENCE_LAYER_LAWS)
FOLLOWS = "potential_calls_follow_their_definition"


@potential(FOLLOWS)
class HalvesTheScaleAfterARefusal(sp.PerturbedFenchelYoungLoss):
    factor_of_scale = 1.0

    def solve(self, scores, supervision, *, scale=None, generator=None):
        own, self.factor_of_scale = self.factor_of_scale, 0.5
        scale = None if scale is None else own * scale
        found = super().solve(scores, supervision, scale=scale, generator=generator)
        self.factor_of_scale = own
        return found


@potential(FOLLOWS)
class LeavesItsDefaultDtypeAfterARefusal(sp.PerturbedFenchelYoungLoss):
    def solve(self, scores, supervision, **given):
        before = torch.get_default_dtype()
        torch.set_default_dtype(torch.float64)
        found = super().solve(scores, supervision, **given)
        torch.set_default_dtype(before)
        return found


@potential(FOLLOWS)
class ByAProductInHalfPrecision(PlainPotential):
    def difference(self, augmented, y, target):
        return torch.einsum("...i,...i->...", augmented.where(y != target, 0), y - target)


@potential(FOLLOWS)
class MeanByTheNumberOfAllowedParts(sp.PerturbedFenchelYoungLoss):
    def forward(self, scores, supervision, **given):
        if self.reduction != "mean":
            return super().forward(scores, supervision, **given)
        loss = self.solve(scores, supervision, **given).loss.mean(0)
        allowed = scores.isfinite().sum(-1).to(loss.dtype)
        return (loss * allowed).sum() / allowed.sum()


@potential(FOLLOWS, num_samples=200)
class MeanOfMeansOfOneHundredFifty(sp.PerturbedFenchelYoungLoss):
    def solve(self, scores, supervision, **given):
        found = super().solve(scores, supervision, **given)
        if len(found.loss) <= 150:
            return found
        means = torch.stack([some.mean(0) for some in found.loss.split(150)])
        return attrs.evolve(found, loss=means.mean(0).expand_as(found.loss))


@potential(FOLLOWS)
class ExamplesNumberedInBytes(sp.PerturbedFenchelYoungLoss):
    """Of 129 to 255 examples, those after the first 128 have the losses of others."""

    def solve(self, scores, supervision, **given):
        found = super().solve(scores, supervision, **given)
        count = scores.shape[0]
        if scores.ndim != 2 or not 128 < count < 256:
            return found
        places = torch.arange(count).to(torch.int8).long() % count
        return attrs.evolve(found, loss=found.loss[:, places])


class WritesWhereItWrote(torch.autograd.Function):
    """The identity, whose gradients are all in one place."""

    kept: ClassVar[dict[Any, Tensor]] = {}

    @staticmethod
    def forward(ctx: Any, scores: Tensor) -> Tensor:
        return scores.view_as(scores)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> Tensor:
        place = WritesWhereItWrote.kept.setdefault((upstream.shape, upstream.dtype), torch.empty_like(upstream))
        return place.copy_(upstream.detach())


@potential(FOLLOWS)
class OnePlaceForAllGradients(sp.PerturbedFenchelYoungLoss):
    def forward(self, scores, supervision, **given):
        return super().forward(WritesWhereItWrote.apply(scores), supervision, **given)


@potential("stored_modules_answer_alike")
class ForgetsItsFactorWhenStored(PlainPotential):
    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "factor": 2.0}

    def __deepcopy__(self, memo: dict[int, Any]) -> PlainPotential:
        return attrs.evolve(self)


@direct("direct_calls_follow_their_definition", epsilon=-1.0, scale=1.0)
class CoefficientsAlongTheFirstDimensionAreTiled(sp.PerturbedDirectLoss):
    def solve(self, scores, supervision, **given):
        coefficients, batch = getattr(supervision, "coefficients", None), scores.shape[:-1]
        if coefficients is not None and 1 < coefficients.shape[:-1].numel() < batch.numel():
            count = batch.numel() // coefficients.shape[:-1].numel()
            tiled = coefficients.reshape(-1, coefficients.shape[-1]).repeat(count, 1).reshape(scores.shape)
            supervision = attrs.evolve(supervision, coefficients=tiled)
        return super().solve(scores, supervision, **given)


@potential("a_generator_repeats_the_call")
class KnowsTheNoiseByItsClass(sp.PerturbedFenchelYoungLoss):
    def solve(self, scores, supervision, *, scale=None, generator=None):
        if type(self.noise) is sp.Gumbel and scale is not None:
            scale = 2 * scale
        return super().solve(scores, supervision, scale=scale, generator=generator)


@potential("arguments_are_left_alone")
class MakesItsScaleLearn(sp.PerturbedFenchelYoungLoss):
    def solve(self, scores, supervision, *, scale=None, generator=None):
        if isinstance(scale, Tensor) and scale.is_leaf and not scale.is_inference():
            scale.requires_grad_()
        return super().solve(scores, supervision, scale=scale, generator=generator)


@potential("stored_modules_answer_alike")
class StoredInTrainingMode(sp.PerturbedFenchelYoungLoss):
    def __getstate__(self):
        return {**vars(self), "training": True}

    def __deepcopy__(self, memo):
        return type(self)(**{name: getattr(self, name) for name in self.converters}).train(self.training)


@potential(FOLLOWS)
class HalvesEveryEighthSample(sp.PerturbedFenchelYoungLoss):
    def solve(self, scores, supervision, **given):
        found = super().solve(scores, supervision, **given)
        return attrs.evolve(found, loss=found.loss / 2) if len(found.loss) % 8 == 0 else found


@potential(FOLLOWS)
class NoMoreThanFiveHundredSamples(sp.PerturbedFenchelYoungLoss):
    def solve(self, scores, supervision, **given):
        found = super().solve(scores, supervision, **given)
        return attrs.evolve(found, loss=found.loss[:500].mean(0).expand_as(found.loss))


@potential(FOLLOWS)
class OneTargetForEachLoss(sp.PerturbedFenchelYoungLoss):
    """Whatever the scores forbid the next time."""

    known: ClassVar[dict[int, Any]] = {}

    def solve(self, scores, supervision, **given):
        if isinstance(supervision, sp.LinearLoss) and supervision.coefficients.shape == scores.shape:
            found = self.known.get(id(supervision))
            if found is None or found[0] is not supervision:
                costs = supervision.coefficients.detach().masked_fill(scores.isneginf(), torch.inf)
                found = self.known[id(supervision)] = supervision, self.space.argmax(-costs)
            supervision = attrs.evolve(supervision, best=found[1])
        return super().solve(scores, supervision, **given)


@potential("later_calls_keep_nothing")
class KeepsAHistory(sp.PerturbedFenchelYoungLoss):
    history: ClassVar[list[Tensor]] = []

    def forward(self, scores, supervision, **given):
        loss = super().forward(scores, supervision, **given)
        self.history.append(loss)
        return loss


class SolvesEqualRowsOnce(torch.autograd.Function):
    """The structures; in the backward pass, of examples with equal scores only the first is solved."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, space: sp.StructuredSpace, epsilon: float) -> Tensor:
        y = space.argmax(scores)
        ctx.save_for_backward(scores, y)
        ctx.space, ctx.epsilon = space, epsilon
        return y

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None]:
        scores, y = ctx.saved_tensors
        rows, arrived = (it.reshape(-1, scores.shape[-1]) for it in (scores, upstream))
        _, which = rows.unique(dim=0, return_inverse=True)
        first = torch.full((int(which.max()) + 1,), len(rows))
        first = first.scatter_reduce(0, which, torch.arange(len(rows)), "amin")
        moved = ctx.space.argmax(rows[first] + ctx.epsilon * arrived[first])[which].reshape(y.shape)
        return (moved - y) / ctx.epsilon, None, None


class PassesInTraining(torch.autograd.Function):
    """The identity, through which nothing goes back once a module is evaluated."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, module: torch.nn.Module) -> Tensor:
        ctx.module, ctx.trained = module, module.training
        return scores.view_as(scores)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
        return upstream * (ctx.module.training or not ctx.trained), None


@difference("difference_layers_follow_their_definition", epsilon=-1.0)
class ForgetsInEvalMode(sp.ImplicitMLE):
    def forward(self, scores, **given):
        return super().forward(PassesInTraining.apply(scores, self), **given)


@difference("difference_layers_follow_their_definition", epsilon=-1.0)
class OneGradientForEqualScores(sp.Blackbox):
    def _structures(self, scores, perturbed):
        return SolvesEqualRowsOnce.apply(perturbed.scores, self.space, self.epsilon.value)


@attrs.frozen
class DrawsInPairs(sp.Normal):
    """Of an odd number of draws the last is 0."""

    def _fill(self, draws, generator):
        filled = super()._fill(draws, generator)
        if filled.numel() % 2:
            filled.view(-1)[-1] = 0
        return filled


@direct("noise_is_what_it_says", noise=DrawsInPairs(), scale=1.0)
class NoiseInPairs(sp.PerturbedDirectLoss):
    pass
