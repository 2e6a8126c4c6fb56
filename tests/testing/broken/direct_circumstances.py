"""Direct losses that are right in plain calls, and each wrong in one circumstance."""

from __future__ import annotations

import attrs
import torch

import structpred as sp
from structpred.testing import (
    DIRECT_LAWS,
    check_objective,
)
from tests.testing.broken.direct import Plain
from tests.testing.broken.shared import BROKEN, Broken, objectives

HALF = (torch.float16, torch.bfloat16)
direct = objectives(DIRECT_LAWS)
FOLLOWS = "direct_calls_follow_their_definition"


@direct(FOLLOWS)
class WrongInSinglePrecision(Plain):
    def gradient(self, perturbed, costs):
        return super().gradient(perturbed, costs) * (2 if perturbed.dtype == torch.float32 else 1)


@direct(FOLLOWS)
class NoGradientInHalfPrecision(Plain):
    def __call__(self, scores, loss, *, scale=None, generator=None):
        given = scores.detach() + 0 * scores.nan_to_num(neginf=0) if scores.dtype in HALF else scores
        return super().__call__(given, loss, scale=scale, generator=generator)


@direct(FOLLOWS)
class RoundsInHalfPrecision(Plain):
    """Scores are rounded to integers where they come in half precision."""

    def perturb(self, scores, scale, generator):
        perturbed = super().perturb(scores, scale, generator)
        return perturbed.round() if scores.dtype in HALF else perturbed


@direct(FOLLOWS)
class FirstOfSeveralBatchDimensions(Plain):
    def gradient(self, perturbed, costs):
        gradient = super().gradient(perturbed, costs)
        return gradient[:, :1].expand_as(gradient) if gradient.ndim > 3 else gradient


@direct(FOLLOWS)
class DividesByTheFirstDimension(Plain):
    def reduce(self, loss):
        return loss.sum() / (loss.shape[0] * (loss.shape[1] if loss.ndim > 1 else 1))


@direct("noise_is_new_at_every_call")
class SameNoiseWithoutGenerator(Plain):
    def draw(self, scores, generator):
        return super().draw(scores, generator or torch.Generator().manual_seed(0))


@direct(FOLLOWS)
@direct("noise_is_new_at_every_call")
class NoiseOfTheFirstCall(Plain):
    def draw(self, scores, generator):
        key = "drawn", tuple(scores.shape), self.num_samples
        if getattr(self, "key", None) != key:
            self.key, self.drawn = key, super().draw(scores, generator)
        return self.drawn.to(scores.dtype)


@direct(FOLLOWS)
class NumberOfScaleIgnored(Plain):
    def perturb(self, scores, scale, generator):
        return super().perturb(scores, 1.0 if isinstance(scale, float) else scale, generator)


@direct(FOLLOWS)
class CoefficientsDetached(Plain):
    def __call__(self, scores, loss, *, scale=None, generator=None):
        loss = attrs.evolve(loss, coefficients=loss.coefficients.detach())
        return super().__call__(scores, loss, scale=scale, generator=generator)


@direct(FOLLOWS)
class ConstantDetached(Plain):
    def __call__(self, scores, loss, *, scale=None, generator=None):
        if isinstance(loss.constant, torch.Tensor):
            loss = attrs.evolve(loss, constant=loss.constant.detach())
        return super().__call__(scores, loss, scale=scale, generator=generator)


@direct(FOLLOWS)
class NumberOfConstantForgotten(Plain):
    def __call__(self, scores, loss, *, scale=None, generator=None):
        if isinstance(loss.constant, float):
            loss = attrs.evolve(loss, constant=0.0)
        return super().__call__(scores, loss, scale=scale, generator=generator)


@direct(FOLLOWS)
class BroadcastSeenByTheFirst(Plain):
    def gradient(self, perturbed, costs):
        gradient = super().gradient(perturbed, costs)
        if costs.shape[0] == 1 and perturbed.ndim > 2 and costs.ndim > 1:
            gradient[:, 1:] = 0
        return gradient


@direct(FOLLOWS)
class EpsilonClampedAbove(Plain):
    @property
    def high(self):
        return max(-2.0, min(self.epsilon, 2.0))


@direct(FOLLOWS)
class EpsilonClampedBelow(Plain):
    @property
    def high(self):
        return self.epsilon if abs(self.epsilon) >= 0.1 else (0.1 if self.epsilon > 0 else -0.1)


@direct(FOLLOWS)
class DrawsBeyondThreeUnused(Plain):
    def draw(self, scores, generator):
        drawn = super().draw(scores, generator)
        return torch.cat([drawn[:3], drawn[:1].expand_as(drawn[3:])])


@direct(FOLLOWS)
class SharedScaleDoubled(Plain):
    def perturb(self, scores, scale, generator):
        if isinstance(scale, torch.Tensor) and scale.ndim == 0:
            scale = 2 * scale - scale.detach()
        return super().perturb(scores, scale, generator)


@direct(FOLLOWS)
class ScaleOfOneElementIsMeant(Plain):
    """A scale of shape (1,) is taken for a number, without gradient."""

    def perturb(self, scores, scale, generator):
        if isinstance(scale, torch.Tensor) and scale.shape == (1,):
            scale = scale.detach() + 0 * scale
        return super().perturb(scores, scale, generator)


@direct(FOLLOWS)
class WithoutNoiseWithoutGrad(Plain):
    def draw(self, scores, generator):
        drawn = super().draw(scores, generator)
        return drawn if torch.is_grad_enabled() else 0 * drawn


@direct(FOLLOWS)
class WithoutNoiseForLargeScores(Plain):
    def draw(self, scores, generator):
        drawn = super().draw(scores, generator)
        large = scores.masked_fill(scores.isinf(), 0).abs().amax() > 100
        return 0 * drawn if large else drawn


@direct(FOLLOWS, sp.KSubset(6, 2))
class NothingWhereManyAreForbidden(Plain):
    def gradient(self, perturbed, costs):
        many = perturbed.isneginf().sum(-1, keepdim=True) > 1
        return super().gradient(perturbed, costs).masked_fill(many, 0)


@direct(FOLLOWS)
class NothingForEqualScores(Plain):
    def perturb(self, scores, scale, generator):
        self.equal = (scores == scores[..., :1]).all(-1, keepdim=True)
        return super().perturb(scores, scale, generator)

    def gradient(self, perturbed, costs):
        return super().gradient(perturbed, costs).masked_fill(self.equal, 0)


@direct(FOLLOWS)
class ForgetsTheEndOfALargeBatch(Plain):
    def gradient(self, perturbed, costs):
        gradient = super().gradient(perturbed, costs)
        if gradient.ndim == 3:
            gradient[:, 64:] = 0
        return gradient


@direct(FOLLOWS)
class EverySeventhExampleTwice(Plain):
    def gradient(self, perturbed, costs):
        gradient = super().gradient(perturbed, costs)
        if gradient.ndim == 3 and gradient.shape[1] > 60:
            gradient[:, ::7] *= 2
        return gradient


@direct(FOLLOWS)
class RemembersByAddress(Plain):
    def perturb(self, scores, scale, generator):
        if getattr(self, "address", None) != (scores.data_ptr(), scores.shape, scores.dtype):
            self.address, self.given = (scores.data_ptr(), scores.shape, scores.dtype), scores.detach().clone()
        return super().perturb(scores - scores.detach().nan_to_num(neginf=0) + self.given, scale, generator)


@direct(FOLLOWS)
class InTheDefaultDtype(Plain):
    """Steps are rounded to half precision where the default dtype is float64."""

    def gradient(self, perturbed, costs):
        coarse = torch.get_default_dtype() == torch.float64
        return super().gradient(perturbed, costs.bfloat16().to(costs.dtype) * 2 if coarse else costs)


@direct(FOLLOWS)
class GradientsOfTheMemory(Plain):
    """Wrong for scores whose memory is not contiguous."""

    def gradient(self, perturbed, costs):
        gradient = super().gradient(perturbed, costs)
        return gradient.flip(-1) if not self.contiguous else gradient

    def perturb(self, scores, scale, generator):
        self.contiguous = scores.is_contiguous()
        return super().perturb(scores, scale, generator)


@direct(FOLLOWS)
class OnlyWhereScoresRequireGrad(Plain):
    def perturb(self, scores, scale, generator):
        if not scores.requires_grad and isinstance(scale, torch.Tensor):
            scale = scale.detach()
        return super().perturb(scores, scale, generator)


class SolvesTwiceTheLoss(sp.PerturbedDirectLoss):
    def forward(self, *arguments, **settings):
        value = super().forward(*arguments, **settings)
        return value if self.reduction != "mean" else 2 * value - value.detach()


class IgnoresTheGeneratorForTwoDimensions(sp.PerturbedDirectLoss):
    def solve(self, scores, supervision, *, scale=None, generator=None):
        given = generator if scores.ndim < 3 else None
        return super().solve(scores, supervision, scale=scale, generator=given)


class WeightsIgnored(sp.PerturbedDirectLoss):
    """With reduction="none" every example's gradient has the first one's weight."""

    def forward(self, *arguments, **settings):
        value = super().forward(*arguments, **settings)
        if self.reduction == "none" and value.ndim and value.requires_grad:
            value.register_hook(lambda arrived: arrived.flatten()[0].expand_as(arrived))
        return value


class NoisyInEvalMode(sp.PerturbedDirectLoss):
    """Little noise, of its own."""

    def solve(self, scores, supervision, *, scale=None, generator=None):
        if not self.training:
            scores = scores + 1e-3 * torch.randn(scores.shape, generator=generator, dtype=scores.dtype)
        return super().solve(scores, supervision, scale=scale, generator=generator)


class StaysInEvalMode(sp.PerturbedDirectLoss):
    def train(self, mode=True):
        return super().train(mode and not getattr(self, "evaluated", False))

    def eval(self):
        self.evaluated = True
        return super().eval()


class OwnScaleDetached(sp.PerturbedDirectLoss):
    def _perturb(self, scores, scale, num_samples, generator):
        own = self.scale.detach() if scale is None and isinstance(self.scale, torch.Tensor) else scale
        return super()._perturb(scores, own, num_samples, generator)


class StepByTheFirstBatchDimension(sp.PerturbedDirectLoss):
    """A step in units of the examples of the first index alone."""

    def solve(self, scores, supervision, **settings):
        mean = supervision.coefficients.abs().mean() if scores.ndim < 3 else supervision.coefficients[0].abs().mean()
        if isinstance(self.epsilon, sp.RelativeToNoise):
            self.epsilon = sp.RelativeToNoise(-8.0 * float((1 + 1e-3 * mean / mean.abs()) if scores.ndim > 2 else 1))
        return super().solve(scores, supervision, **settings)


BROKEN += [
    Broken(check_objective, module, DIRECT_LAWS, law)
    for module, law in [
        (SolvesTwiceTheLoss(sp.OneHot(3)), "solve_returns_what_is_reduced"),
        (WeightsIgnored(sp.OneHot(3)), FOLLOWS),
        (IgnoresTheGeneratorForTwoDimensions(sp.OneHot(3)), FOLLOWS),
        (NoisyInEvalMode(sp.KSubset(4, 2)), "eval_mode_is_without_noise"),
        (StaysInEvalMode(sp.OneHot(3)), "eval_mode_is_without_noise"),
        (OwnScaleDetached(sp.OneHot(3)), FOLLOWS),
        (StepByTheFirstBatchDimension(sp.OneHot(3)), "steps_do_not_depend_on_circumstances"),
    ]
]
