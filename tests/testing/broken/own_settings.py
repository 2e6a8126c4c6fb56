"""Objectives and layers that are wrong with their own step or many samples, in large batches, or a second time."""

from __future__ import annotations

from typing import Any

import attrs
import torch
from torch import Tensor

import structpred as sp
from structpred.score_function import others_mean
from structpred.testing import (
    DIRECT_LAWS,
    IDENTITY_LAYER_LAWS,
    MEAN_LAYER_LAWS,
    POTENTIAL_LAWS,
    SCORE_FUNCTION_LAWS,
)
from tests.testing.broken.seldom_gradients import hooked
from tests.testing.broken.shared import layers, objectives

direct, potential, estimate = objectives(DIRECT_LAWS), objectives(POTENTIAL_LAWS), objectives(SCORE_FUNCTION_LAWS)
identity, mean = layers(IDENTITY_LAYER_LAWS), layers(MEAN_LAYER_LAWS)
ESTIMATES = "estimates_do_not_depend_on_circumstances"


@direct(
    "gradient_is_the_difference_over_the_step_taken",
    epsilon=sp.GrowUntilNonzero(-0.25, factor=2.0, limit=64.0),
    scale=1.0,
)
class DividesByTheStepBeforeItGrew(sp.PerturbedDirectLoss):
    def solve(self, scores, supervision, **given):
        found = super().solve(scores, supervision, **given)
        value = getattr(getattr(self.epsilon, "initial", None), "value", None)
        if value is None or not self.training:
            return found
        return hooked(found, lambda upstream: upstream * found.epsilon / value)


@direct("gradient_is_the_difference_over_the_step_taken", epsilon=sp.RelativeToNoise(-4.0, margin=0.0), scale=1.0)
class DifferentiatesTheStepForTheScale(sp.PerturbedDirectLoss):
    def solve(self, scores, supervision, *, scale=None, **given):
        found = super().solve(scores, supervision, scale=scale, **given)
        if not isinstance(scale, Tensor) or not isinstance(self.epsilon, sp.RelativeToNoise):
            return found
        step = scale.mean().log()
        return attrs.evolve(found, loss=found.loss + found.loss.detach() * (step - step.detach()))


@direct("direct_calls_follow_their_definition", epsilon=-1.0, scale=1.0)
class SamplesInWholePiecesOfNinetySix(sp.PerturbedDirectLoss):
    def solve(self, scores, supervision, **given):
        own = self.num_samples
        self.num_samples = own // 96 * 96 or own
        try:
            return super().solve(scores, supervision, **given)
        finally:
            self.num_samples = own


@potential("potential_calls_follow_their_definition")
class AddsUpLargeBatchesInFloat32(sp.PerturbedFenchelYoungLoss):
    def solve(self, scores, supervision, **given):
        found = super().solve(scores, supervision, **given)
        if scores.numel() < 50_000:
            return found
        loss = found.loss + (found.loss.detach().float() - found.loss.detach()).to(found.loss.dtype)
        return attrs.evolve(found, loss=loss)


class Silent:
    """A function of the structures through which no gradient goes."""

    def __init__(self, function: Any) -> None:
        self.function = function

    @torch.no_grad()
    def __call__(self, y: Tensor) -> Tensor:
        return self.function(y)


@estimate("a_function_is_as_good_as_its_loss", num_samples=3)
class FunctionsWithoutGradient(sp.ScoreFunctionLoss):
    def solve(self, scores, supervision, **given):
        if not isinstance(supervision, sp.LinearLoss):
            supervision = Silent(supervision)
        return super().solve(scores, supervision, **given)


class Weighted(sp.ScoreFunctionLoss):
    """Right: the estimate, from what each draw is worth."""

    def worth(self, loss: Tensor) -> Tensor:
        return loss - others_mean(loss)

    def solve(self, scores, supervision, **given):
        found = super().solve(scores, supervision, **given)
        usual = found.loss.detach() - others_mean(found.loss.detach())
        factor = torch.where(usual != 0, self.worth(found.loss.detach()) / usual, 1.0)
        return attrs.evolve(found, loss=found.loss.detach() + (found.loss - found.loss.detach()) * factor)


@estimate("many_draws_have_the_mean_of_few", sp.OneHot(3), num_samples=64)
class BaselineOfAllOfManyDraws(Weighted):
    def worth(self, loss):
        return loss - loss.mean(0) if len(loss) >= 50 else super().worth(loss)


@estimate(ESTIMATES, num_samples=3)
class ClipsWhatDrawsAreWorth(Weighted):
    def worth(self, loss):
        return super().worth(loss).clamp(-100, 100)


class HandsOnTheFirst(torch.autograd.Function):
    """The structures y of scores; in every backward pass the gradient of the first."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, y: Tensor) -> Tensor:
        ctx.save_for_backward(scores.isneginf())
        ctx.first = None
        return y.view_as(y)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
        (forbidden,) = ctx.saved_tensors
        if ctx.first is None:
            ctx.first = upstream.masked_fill(forbidden, 0)
        return ctx.first, None


@identity("identity_layers_follow_their_definition")
class HandsOnWhatArrivedFirst(sp.Identity):
    def _structures(self, scores, perturbed):
        return HandsOnTheFirst.apply(perturbed.scores, self.space.argmax(perturbed.scores))


class Keeps(torch.autograd.Function):
    """The identity; in every backward pass what arrived in the first."""

    @staticmethod
    def forward(ctx: Any, y: Tensor) -> Tensor:
        ctx.first = None
        return y.view_as(y)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> Tensor:
        if ctx.first is None:
            ctx.first = upstream.clone()
        return ctx.first


@mean("mean_layers_do_not_depend_on_circumstances", sp.OneHot(3))
class KeepsWhatArrivedFirst(sp.PerturbedArgmax):
    def forward(self, scores, **given):
        return Keeps.apply(super().forward(scores, **given))


@direct("direct_calls_follow_their_definition", epsilon=-1.0, scale=1.0)
class ConstantsAloneAreDetached(sp.PerturbedDirectLoss):
    def solve(self, scores, supervision, **given):
        constant = supervision.constant
        if isinstance(constant, Tensor) and not supervision.coefficients.requires_grad:
            supervision = attrs.evolve(supervision, constant=constant.detach())
        return super().solve(scores, supervision, **given)


@direct("direct_calls_follow_their_definition", epsilon=-1.0, scale=1.0)
class ScalesAlongTheFirstDimensionAreTiled(sp.PerturbedDirectLoss):
    def solve(self, scores, supervision, *, scale=None, generator=None):
        batch, ones = scores.shape[:-1], (1,)
        if isinstance(scale, Tensor) and scale.numel() > 1 and scale.shape == (*batch[:1], *ones * len(batch)):
            scale = scale.flatten().repeat(batch[1:].numel()).reshape(*batch, 1)
        return super().solve(scores, supervision, scale=scale, generator=generator)
