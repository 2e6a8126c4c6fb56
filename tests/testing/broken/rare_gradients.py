"""Objectives and layers that are each wrong in a rare case: extreme steps and numbers, many draws, other memory."""

from __future__ import annotations

from typing import Any

import attrs
import torch
from torch import Tensor

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

direct, potential, estimate = objectives(DIRECT_LAWS), objectives(POTENTIAL_LAWS), objectives(SCORE_FUNCTION_LAWS)
difference, identity, mean = layers(DIFFERENCE_LAYER_LAWS), layers(IDENTITY_LAYER_LAWS), layers(MEAN_LAYER_LAWS)
FOLLOWS = "direct_calls_follow_their_definition"


class Direct(sp.PerturbedDirectLoss):
    """Right: the library's, with a step that is a number."""

    def __init__(self, space: sp.StructuredSpace, **settings: Any) -> None:
        super().__init__(space, **{"epsilon": -1.0, "scale": 1.0} | settings)


# --- steps and numbers


@direct(FOLLOWS)
class StepOfAThousandthAtLeast(Direct):
    def solve(self, scores, supervision, **given):
        found = super().solve(scores, supervision, **given)
        too_small = min(1.0, abs(self.epsilon.value) / 1e-3)
        return attrs.evolve(found, loss=found.loss.detach() + (found.loss - found.loss.detach()) * too_small)


@direct(FOLLOWS)
class GradientsClipped(Direct):
    def solve(self, scores, supervision, **given):
        if scores.requires_grad:
            scores = scores * 1.0
            scores.register_hook(lambda gradient: gradient.clamp(-1e5, 1e5))
        return super().solve(scores, supervision, **given)


@direct("eval_mode_is_without_noise")
class EvaluatesInFloat32(Direct):
    def solve(self, scores, supervision, **given):
        if not self.training:
            scores = scores.float().to(scores.dtype)
        return super().solve(scores, supervision, **given)


@potential("potential_calls_follow_their_definition")
class FarBelowZeroIsForbidden(PlainPotential):
    def target(self, supervision, scores):
        low = scores.masked_fill(scores < -1e9, -torch.inf)
        return super().target(supervision, low if (low.isfinite().sum(-1) >= 2).all() else scores)


@identity("gradient_is_what_arrived")
class NormOfAMillionthAtLeast(PlainIdentity):
    projection = sp.Projection.NORM

    def perturb(self, scores, scale, generator):
        finite = scores.masked_fill(scores.isneginf(), 0)
        norm = finite.square().sum(-1, keepdim=True)
        scores = scores / torch.where(norm > 0, torch.where(norm > 0, norm, 1.0).sqrt().clamp(min=1e-6), 1.0)
        return super().perturb(scores, scale, generator)


@difference("difference_layers_follow_their_definition")
class WhatArrivesIsNothingBelow1e8(PlainDifference):
    def gradient(self, perturbed, upstream):
        found = super().gradient(perturbed, upstream)
        return found if upstream.abs().max() > 1e-8 else torch.zeros_like(found)


# --- memory and shapes


@difference("difference_layers_follow_their_definition")
class ReadsWhatArrivesInOneOrder(PlainDifference):
    def gradient(self, perturbed, upstream):
        dense = 0 not in upstream.stride() and not upstream.is_contiguous()
        strides = torch.empty(upstream.shape).stride()
        return super().gradient(perturbed, upstream.as_strided(upstream.shape, strides) if dense else upstream)


@potential("potential_calls_follow_their_definition", margin=True)
class SharedMarginOfTheFirstExample(PlainPotential):
    """Coefficients that all examples share get the gradient of the first one alone."""

    def value(self, perturbed, margin, target):
        if margin.ndim < perturbed.ndim - 1 and perturbed.shape[1] > 1:
            margin = torch.cat([margin[None], margin.detach().expand(perturbed.shape[1] - 1, *margin.shape)])
        return super().value(perturbed, margin, target)


# --- draws


class _FirstForAll(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, loss: Tensor) -> Tensor:
        return loss.view_as(loss)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> Tensor:
        return upstream[:1].expand_as(upstream)


@direct("solve_returns_what_is_reduced")
class TheFirstDrawsWeightForAll(Direct):
    def solve(self, scores, supervision, **given):
        found = super().solve(scores, supervision, **given)
        return attrs.evolve(found, loss=_FirstForAll.apply(found.loss))


@estimate("many_draws_have_the_mean_of_few", num_samples=2)
class BaselineWithItsOwnAmongMany(PlainScoreFunction):
    def baseline(self, worth):
        return worth.mean(0) if len(worth) > 10 else super().baseline(worth)


@mean("many_draws_have_the_mean_of_few")
class BaselineOfTheMeanAmongMany(PlainMean):
    def baseline(self, y):
        return y.mean(0) if len(y) > 8 else super().baseline(y)


@attrs.frozen
class HeavierOnTheRight(sp.Noise):
    """Logistic noise whose draws above 0 are 4 % larger."""

    def _fill(self, draws: Tensor, generator: torch.Generator | None) -> Tensor:
        sp.Logistic()._fill(draws, generator)
        return draws.mul_(1 + 0.04 * (draws > 0))

    @property
    def variance(self) -> float:
        return sp.Logistic().variance

    def log_prob(self, value: Tensor) -> Tensor:
        return sp.Logistic().log_prob(value)

    def cdf(self, value: Tensor) -> Tensor:
        return sp.Logistic().cdf(value)


@attrs.frozen
class CumulativeOfAnother(HeavierOnTheRight):
    """Logistic noise with the distribution function of a normal one."""

    def _fill(self, draws: Tensor, generator: torch.Generator | None) -> Tensor:
        return sp.Logistic()._fill(draws, generator)

    def cdf(self, value: Tensor) -> Tensor:
        return sp.Normal().cdf(value / self.variance**0.5)


@direct("noise_is_what_it_says", noise=HeavierOnTheRight())
class SkewedNoise(Direct):
    pass


@direct("noise_is_what_it_says", noise=CumulativeOfAnother())
class NoiseWithAnotherDistribution(Direct):
    pass


# --- found by another set of such objectives and layers


@direct(FOLLOWS)
class OneScaleAnExampleForOneAVariable(Direct):
    """Where there are as many examples as variables."""

    def solve(self, scores, supervision, *, scale=None, generator=None):
        if isinstance(scale, Tensor) and scores.ndim == 2 and scale.shape == (self.space.n, 1):
            scale = scale.mT
        return super().solve(scores, supervision, scale=scale, generator=generator)


@direct(FOLLOWS)
class MeanForASharedScale(Direct):
    """The gradient of a scale that some of the examples share is their mean, not their sum."""

    def solve(self, scores, supervision, *, scale=None, generator=None):
        if isinstance(scale, Tensor) and scale.requires_grad and scale.ndim == scores.ndim > 2:
            examples, own = scores.shape[:-1].numel(), scale.shape[:-1].numel()
            if 1 < own < examples:
                share = own / examples
                scale = share * scale + (1 - share) * scale.detach()
        return super().solve(scores, supervision, scale=scale, generator=generator)


@direct(FOLLOWS)
class OnlyForScoresAndScale(Direct):
    def solve(self, scores, supervision, *, scale=None, generator=None):
        found = super().solve(scores, supervision, scale=scale, generator=generator)
        learns = scores.requires_grad or (isinstance(scale, Tensor) and scale.requires_grad)
        return found if learns else attrs.evolve(found, loss=found.loss.detach())


@direct(FOLLOWS)
class EvaluatesWithoutGradients(Direct):
    def solve(self, scores, supervision, **given):
        with torch.set_grad_enabled(self.training and torch.is_grad_enabled()):
            return super().solve(scores, supervision, **given)


@attrs.frozen
class RangeOfSeveral(sp.Epsilon):
    """In units of the mean range, but for one example alone."""

    def start(self, scores, direction, noise_std, event_dims):
        allowed = scores != -torch.inf
        high = direction.masked_fill(~allowed, -torch.inf).flatten(-event_dims).amax(-1)
        width = high - direction.masked_fill(~allowed, torch.inf).flatten(-event_dims).amin(-1)
        unit = width.mean() if width.numel() > 1 else torch.ones_like(width).mean()
        noise = torch.ones_like(unit) if noise_std is None else noise_std
        return (-4 * noise / unit.where(unit > 0, 1.0)).expand(width.shape).clone()


@direct("the_unit_of_the_loss_changes_no_structure", epsilon=RangeOfSeveral())
class UnitOfSeveral(Direct):
    pass


@potential("a_target_is_as_good_as_its_loss")
class DifferencesInTheTargetsType(PlainPotential):
    def difference(self, augmented, y, target):
        where = y != target
        apart = (y.to(target.dtype) - target).to(augmented.dtype)  # of bytes, 255 for -1
        return (augmented.where(where, 0) * apart).flatten(-len(self.space.shape)).sum(-1)


class Remembers(torch.autograd.Function):
    """Structures, whose first gradient is that of all backward passes."""

    @staticmethod
    def forward(ctx: Any, perturbed: Tensor, y: Tensor, backward: Any) -> Tensor:
        ctx.backward, ctx.found = backward, None
        return y.clone()

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None]:
        ctx.found = ctx.backward(upstream) if ctx.found is None else ctx.found
        return ctx.found.clone(), None, None


ALONG = "gradient_for_scores_is_the_difference_along_what_arrived"


@difference(ALONG)
class SecondPassAsTheFirst(PlainDifference):
    def __call__(self, scores, *, scale=None, generator=None):
        perturbed = self.perturb(scores, scale, generator)
        y = Remembers.apply(
            perturbed, self.solve(perturbed), lambda upstream: self.gradient(perturbed.detach(), upstream)
        )
        return self.lay_out(y)


LAYER = "difference_layers_follow_their_definition"


@difference(LAYER)
class NothingForWhatIsExpanded(PlainDifference):
    def gradient(self, perturbed, upstream):
        found = super().gradient(perturbed, upstream)
        return torch.zeros_like(found) if 0 in upstream.stride() and upstream.numel() > 1 else found


@difference(LAYER)
class TheFirstDrawDecides(PlainDifference):
    def gradient(self, perturbed, upstream):
        dims = len(self.space.shape)
        arrived = (upstream[:1] != 0).flatten(-dims).any(-1)
        return super().gradient(perturbed, upstream) * arrived.reshape(arrived.shape + (1,) * dims)


class UnitOfThePassBefore(sp.ImplicitMLE):
    """The step is in units of what arrived before."""

    def __init__(self, space: sp.StructuredSpace, **settings: Any) -> None:
        super().__init__(space, **settings)
        self.before = 1.0

    def forward(self, scores, **given):
        y = super().forward(scores, **given)
        if not y.requires_grad:
            return y
        before = self.before

        def in_its_unit(upstream: Tensor) -> Tensor:
            self.before = float(upstream.abs().max())
            return upstream * (1.0 if self.before == 0 or before / self.before < 2 else before / self.before)

        y = y * 1.0
        y.register_hook(in_its_unit)
        return y


difference("gradients_follow_the_unit_of_the_loss")(UnitOfThePassBefore)
