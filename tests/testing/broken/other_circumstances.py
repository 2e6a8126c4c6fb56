"""Other objectives, and layers, that are right in plain calls, and each wrong in one circumstance."""

from __future__ import annotations

import attrs
import torch

import structpred as sp
from structpred.testing import (
    DIFFERENCE_LAYER_LAWS,
    DIRECT_LAWS,
    IDENTITY_LAYER_LAWS,
    MEAN_LAYER_LAWS,
    POTENTIAL_LAWS,
    SCORE_FUNCTION_LAWS,
)
from tests.testing.broken.layers import PlainDifference, PlainIdentity, PlainMean
from tests.testing.broken.potentials import PlainPotential
from tests.testing.broken.score_functions import PlainScoreFunction
from tests.testing.broken.shared import layers, objectives

HALF = (torch.float16, torch.bfloat16)
direct = objectives(DIRECT_LAWS)


# --- potentials

potential = objectives(POTENTIAL_LAWS)
POTENTIAL = "potential_calls_follow_their_definition"


@potential(POTENTIAL)
class TheFirstTargetOfALargeBatch(PlainPotential):
    def target(self, supervision, scores):
        target = super().target(supervision, scores)
        return target[:1].expand_as(target) if target.ndim == 2 and len(target) > 100 else target


@potential(POTENTIAL, margin=True)
class MarginDetached(PlainPotential):
    def value(self, perturbed, margin, target):
        return super().value(perturbed, margin.detach(), target)


@potential(POTENTIAL)
class KnownBestIgnored(PlainPotential):
    """Another target where the loss knows it, and parts are forbidden."""

    def target(self, supervision, scores):
        target = super().target(supervision, scores)
        if supervision.best is not None and scores.ndim > 2:
            return target.flip(0)
        return target


@potential(POTENTIAL, margin=True, factor=2.0)
class WrongSignForNegativeScores(PlainPotential):
    def value(self, perturbed, margin, target):
        far = (perturbed.masked_fill(perturbed.isinf(), 0) < -100).all(-1, keepdim=True)
        return super().value(perturbed, torch.where(far, -margin, margin), target)


# --- score functions

estimate = objectives(SCORE_FUNCTION_LAWS)
ESTIMATES = "estimates_do_not_depend_on_circumstances"


@estimate(ESTIMATES, num_samples=2)
class BaselineOfTheBatch(PlainScoreFunction):
    """With more than one dimension of examples the baseline is the mean over the last."""

    def baseline(self, worth):
        return worth.mean(-1, keepdim=True) if worth.ndim > 2 else super().baseline(worth)


@estimate("mean_gradient_equals_differences_of_the_loss", num_samples=2)
class BaselineWithItsOwnDrawOfMany(PlainScoreFunction):
    def baseline(self, worth):
        return super().baseline(worth) if len(worth) < 5 else worth.mean(0)


@estimate(ESTIMATES, num_samples=2)
class DensityInHalfPrecision(PlainScoreFunction):
    def log_density(self, scores, scale, noise):
        log = super().log_density(scores, scale, noise)
        return 2 * log if scores.dtype in HALF else log


# --- layers

difference = layers(DIFFERENCE_LAYER_LAWS)
LAYERS = "difference_layers_follow_their_definition"


@difference(LAYERS)
class KeepsItsStateOnItself(PlainDifference):
    """The backward pass is that of the last call."""

    def perturb(self, scores, scale, generator):
        self.last = super().perturb(scores, scale, generator)
        return self.last

    def gradient(self, perturbed, upstream):
        last = self.last.detach()
        return super().gradient(last if last.shape == perturbed.shape else last[:, :1].expand_as(perturbed), upstream)


@difference(LAYERS)
class ScalesInPlace(PlainDifference):
    """A second backward pass has another gradient."""

    def gradient(self, perturbed, upstream):
        self.calls = getattr(self, "calls", 0) + 1
        return super().gradient(perturbed, upstream) * self.calls


@difference(LAYERS)
class WithoutForbiddenExamples(PlainDifference):
    def gradient(self, perturbed, upstream):
        allowed = perturbed.isfinite().flatten(2).all(-1).all() if perturbed.ndim > 2 else perturbed.isfinite().all()
        return super().gradient(perturbed, upstream) * allowed


@difference(LAYERS)
class FirstSampleForAll(PlainDifference):
    def solve(self, perturbed):
        y = super().solve(perturbed)
        return y if len(y) < 4 else y[:1].expand_as(y)


@difference(LAYERS)
class NoGradientForTheScaleAlone(PlainDifference):
    def perturb(self, scores, scale, generator):
        if not scores.requires_grad and isinstance(scale, torch.Tensor):
            return super().perturb(scores, scale.detach(), generator) + 0 * scale.sum()
        return super().perturb(scores, scale, generator)


identity = layers(IDENTITY_LAYER_LAWS)


@identity("identity_layers_follow_their_definition")
class OneUpstreamForAllSamples(PlainIdentity):
    def gradient(self, perturbed, upstream):
        return super().gradient(perturbed, upstream[:, :1].expand_as(upstream) if upstream.ndim > 3 else upstream)


mean = layers(MEAN_LAYER_LAWS)


@mean("mean_layers_do_not_depend_on_circumstances")
class MeanOfTheFirstTen(PlainMean):
    def mean(self, y):
        return y[:10].mean(0)


@mean("mean_layers_do_not_depend_on_circumstances")
class WithoutADerivativeInSinglePrecision(PlainMean):
    def log_density(self, scores, scale, noise):
        log = super().log_density(scores, scale, noise)
        return log.detach() if scores.dtype == torch.float32 else log


# --- modes, noise and what solve returns


@direct("eval_mode_is_without_noise")
class ForgetsTheNoiseInTheSecondEval(sp.PerturbedDirectLoss):
    """The noise is put aside in eval mode, and given back in training mode: None after a second ``.eval()``."""

    def __init__(self, space: sp.StructuredSpace) -> None:
        super().__init__(space, epsilon=-1.0, scale=1.0)
        self.aside = None

    def train(self, mode=True):
        if mode:
            self.noise = self.aside or self.noise
        else:
            self.aside, self.noise = self.noise, None
        return super().train(mode)

    def solve(self, scores, supervision, *, scale=None, generator=None):
        scale = scale if self.training else None
        return super().solve(scores, supervision, scale=scale, generator=generator)


@direct("value_is_the_mean_loss_under_noise")
class PredictsWhatIsAugmented(sp.PerturbedDirectLoss):
    def __init__(self, space: sp.StructuredSpace, **settings) -> None:
        super().__init__(space, **{"epsilon": -1.0, "scale": 1.0} | settings)

    def solve(self, scores, supervision, *, scale=None, generator=None):
        found = super().solve(scores, supervision, scale=scale, generator=generator)
        return attrs.evolve(found, prediction=found.augmented)


@attrs.frozen(eq=False)
class HalfTheNoiseWithoutAGenerator(sp.Normal):
    """Draws from torch's own generator are half as large as they should be."""

    def _fill(self, draws, generator):
        super()._fill(draws, generator)
        return draws if generator is not None else draws.mul_(0.5)


direct("noise_is_what_it_says", epsilon=-1.0, scale=1.0, noise=HalfTheNoiseWithoutAGenerator())(sp.PerturbedDirectLoss)
