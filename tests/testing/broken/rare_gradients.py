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
