"""Objectives and layers that are wrong once they were validated, for whole chunks of samples, or by their noise."""

from __future__ import annotations

import copy

import attrs
import torch
from torch import Tensor

import structpred as sp
from structpred.testing import DIFFERENCE_LAYER_LAWS, DIRECT_LAWS, MEAN_LAYER_LAWS, POTENTIAL_LAWS
from tests.testing.broken.shared import layers, objectives

direct, potential = objectives(DIRECT_LAWS), objectives(POTENTIAL_LAWS)
difference, mean = layers(DIFFERENCE_LAYER_LAWS), layers(MEAN_LAYER_LAWS)


@potential("potential_calls_follow_their_definition")
class NegatesBytes(sp.PerturbedFenchelYoungLoss):
    """Of bytes, -1 is 255."""

    def solve(self, scores, supervision, **given):
        best = getattr(supervision, "best", None)
        solution = super().solve(scores, supervision, **given)
        if best is None or best.dtype is not torch.uint8:
            return solution
        off = (-best).to(scores.dtype) + best.to(scores.dtype)  # 256 for each part of the structure
        return attrs.evolve(solution, loss=solution.loss + off.flatten(-len(self.space.shape)).sum(-1))


@potential("later_calls_keep_nothing")
class KeepsItsValidation(sp.PerturbedFenchelYoungLoss):
    def solve(self, scores, supervision, **given):
        solution = super().solve(scores, supervision, **given)
        if not self.training:
            self.validation = [*getattr(self, "validation", ()), solution.loss.detach()]
        return solution


@potential("later_calls_are_as_the_first", num_samples=3)
class HasLessNoiseAfterEachValidation(sp.PerturbedFenchelYoungLoss):
    epochs = 0

    def train(self, mode=True):
        self.epochs += mode and not self.training
        return super().train(mode)

    def solve(self, scores, supervision, *, scale=None, generator=None):
        if self.noise is not None and self.training:
            scale = (self.scale if scale is None else scale) * 0.97**self.epochs
        return super().solve(scores, supervision, scale=scale, generator=generator)


@difference("eval_mode_is_without_noise")
class EvaluatesBesideItsLastNoise(sp.ImplicitMLE):
    """A tenth of the noise of the last call in training mode stays, where scores have the same shape."""

    last: Tensor | None = None

    def _perturb(self, scores, scale, num_samples, generator):
        found = super()._perturb(scores, scale, num_samples, generator)
        if self.training and found.noise is not None:
            self.last = found.noise.detach().mean(0, keepdim=True)
        elif self.last is not None and self.last.shape[1:] == scores.shape:
            found = attrs.evolve(found, scores=found.scores + self.last / 10)
        return found


@mean("mean_layers_do_not_depend_on_circumstances")
class LeavesOutTheLastWholeChunk(sp.PerturbedArgmax):
    """Of 64 samples each, where none is left over."""

    def _structures(self, scores, perturbed):
        mean = super()._structures(scores, perturbed)
        if perturbed.noise is None or len(perturbed.noise) % 64:
            return mean
        kept = self.space.argmax(perturbed.scores.detach())[:-64].sum(0) / len(perturbed.noise)
        return mean + (kept.reshape(mean.shape) - mean.detach())


@attrs.frozen
class WithoutItsTails(sp.Normal):
    """Normal noise that is cut off at 3.5, as one of 4,000 draws is."""

    def _fill(self, draws: Tensor, generator: torch.Generator | None) -> Tensor:
        return super()._fill(draws, generator).clamp_(-3.5, 3.5)


@attrs.frozen
class DensityOfAnother(sp.Normal):
    """Normal noise with the density of a logistic one."""

    def log_prob(self, value: Tensor) -> Tensor:
        return sp.Logistic().log_prob(value)


@direct("noise_is_what_it_says", noise=WithoutItsTails())
class NoiseIsCutOff(sp.PerturbedDirectLoss):
    pass


@direct("noise_is_what_it_says", noise=DensityOfAnother())
class NoiseHasAnotherDensity(sp.PerturbedDirectLoss):
    pass


class EachDrawLess(sp.PerturbedDirectLoss):
    """Right but for what a subclass makes of the gradient of each draw."""

    def of_each_draw(self, gradient):
        return gradient

    def solve(self, scores, supervision, **given):
        solution = super().solve(scores, supervision, **given)
        if not solution.loss.requires_grad:
            return solution
        gradient = solution.gradient - self.of_each_draw(solution.gradient.clone())
        perturbed = self._validate_scores(scores) + 0.0 * solution.loss.detach().unsqueeze(-1)
        less = (perturbed.where(gradient != 0, 0) * gradient).sum(-1)
        return attrs.evolve(solution, loss=solution.loss - (less - less.detach()))


@direct("direct_calls_follow_their_definition", epsilon=-1.0, scale=1.0)
class ForgetsTheLastOfSeventeenDraws(EachDrawLess):
    def of_each_draw(self, gradient):
        if len(gradient) > 1 and len(gradient) % 16 == 1:
            gradient[-1] = 0
        return gradient


@mean("many_draws_have_the_mean_of_few")
class DifferentiatesTheFirstDraws(sp.PerturbedArgmax):
    """The first 500, by the number of all."""

    def _structures(self, scores, perturbed):
        mean = super()._structures(scores, perturbed)
        many = 0 if perturbed.noise is None else len(perturbed.noise)
        return mean if many <= 500 else mean.detach() + (mean - mean.detach()) * 500 / many


@direct("direct_calls_follow_their_definition", epsilon=-1.0, scale=1.0)
class CutsOffOutliers(sp.PerturbedDirectLoss):
    def _perturb(self, scores, scale, num_samples, generator):
        perturbed = super()._perturb(scores, scale, num_samples, generator)
        if perturbed.noise is None:
            return perturbed
        off = perturbed.noise.clamp(-5, 5) - perturbed.noise
        return attrs.evolve(perturbed, scores=perturbed.scores + self.space.spread(perturbed.scale * off))


@direct("direct_calls_follow_their_definition", epsilon=-1.0)
class KeepsTheScaleOfACall(sp.PerturbedDirectLoss):
    def solve(self, scores, supervision, *, scale=None, generator=None):
        if isinstance(scale, float):
            self.scale = scale
        return super().solve(scores, supervision, scale=scale, generator=generator)


@direct("direct_calls_follow_their_definition", epsilon=-1.0)
class OneThreadForAutogradFromThenOn(sp.PerturbedDirectLoss):
    def solve(self, scores, supervision, **given):
        torch.autograd.set_multithreading_enabled(False)
        return super().solve(scores, supervision, **given)


def again(cls, state):
    module = cls.__new__(cls)
    module.__dict__.update(state)
    return module


@potential("stored_modules_answer_alike", scale=0.7)
class StoresItsScaleInFloat32(sp.PerturbedFenchelYoungLoss):
    def __reduce__(self):
        state = dict(vars(self))
        if isinstance(self.scale, float):
            state["scale"] = torch.tensor(self.scale).item()
        return again, (type(self), state)

    def __deepcopy__(self, memo):
        return again(type(self), {name: copy.deepcopy(value, memo) for name, value in vars(self).items()})


@potential("potential_calls_follow_their_definition")
class DrawsOneNumberForManySamples(sp.PerturbedFenchelYoungLoss):
    """With torch's own generator, though another is given."""

    def solve(self, scores, supervision, *, scale=None, generator=None):
        if self.num_samples > 100 and generator is not None:
            torch.rand(())
        return super().solve(scores, supervision, scale=scale, generator=generator)
