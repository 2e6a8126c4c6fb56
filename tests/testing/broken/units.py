"""Objectives and layers that are each wrong in one unit, for one step, one shape of the loss, or one order of calls."""

from __future__ import annotations

import torch

import structpred as sp
from structpred.testing import DIFFERENCE_LAYER_LAWS, DIRECT_LAWS, POTENTIAL_LAWS, check_layer, check_objective
from tests.testing.broken.direct import Plain
from tests.testing.broken.layers import PlainDifference
from tests.testing.broken.potentials import PlainPotential
from tests.testing.broken.shared import BROKEN, Broken, layers, objectives

HALF = (torch.float16, torch.bfloat16)
direct, potential, difference = (objectives(DIRECT_LAWS), objectives(POTENTIAL_LAWS), layers(DIFFERENCE_LAYER_LAWS))
DIRECT = "direct_calls_follow_their_definition"
POTENTIAL = "potential_calls_follow_their_definition"
LAYER = "difference_layers_follow_their_definition"


@direct(DIRECT)
class NoiseOfTheFirstCallWithoutGenerator(Plain):
    """New noise is drawn, and the first of that shape is used."""

    def draw(self, scores, generator):
        new, kept = super().draw(scores, generator), self.__dict__.setdefault("kept", {})
        return new if generator is not None else kept.setdefault((new.shape, new.dtype), new)


@direct(DIRECT)
class CoefficientsOfTheFirstIndex(Plain):
    """Coefficients that lack the first batch dimension are those of their own first example."""

    def __call__(self, scores, loss, **settings):
        costs, dims = loss.coefficients, len(self.space.shape)
        if dims < costs.ndim < scores.ndim:
            loss = sp.LinearLoss(costs[:1].expand_as(costs), loss.constant, event_dims=dims)
        return super().__call__(scores, loss, **settings)


@direct(DIRECT)
class HalfTheGradientOfASmallStepInHalfPrecision(Plain):
    def __call__(self, scores, loss, **settings):
        self.halved = scores.dtype in HALF and abs(self.high) < 0.01
        return super().__call__(scores, loss, **settings)

    def gradient(self, perturbed, costs):
        return super().gradient(perturbed, costs) / (2 if self.halved else 1)


@direct(DIRECT)
class ScaleRemembersItsAddress(Plain):
    def perturb(self, scores, scale, generator):
        if isinstance(scale, torch.Tensor) and scale.ndim:
            kept = self.__dict__.setdefault("kept", {})
            first = kept.setdefault((scale.data_ptr(), scale.shape), scale.detach().clone())
            scale = scale + (first.to(scale.dtype) - scale.detach())
        return super().perturb(scores, scale, generator)


@potential(POTENTIAL)
@potential(POTENTIAL, margin=True)
class NothingForSmallLosses(PlainPotential):
    def difference(self, augmented, y, target):
        difference = super().difference(augmented, y, target)
        return difference.where(difference > 1e-3, 0)


@potential(POTENTIAL)
class LossesAreClamped(PlainPotential):
    def difference(self, augmented, y, target):
        return super().difference(augmented, y, target).clamp(max=1e4)


@difference(LAYER)
class WhatArrivesIsClamped(PlainDifference):
    def gradient(self, perturbed, upstream):
        return super().gradient(perturbed, upstream.clamp(-8, 8))


@difference(LAYER)
class BackwardPassOfTheLastCallOfThatShape(PlainDifference):
    def perturb(self, scores, scale, generator):
        self.last = super().perturb(scores, scale, generator)
        return self.last

    def gradient(self, perturbed, upstream):
        last = self.last.detach()
        return super().gradient(last if last.shape == perturbed.shape else perturbed, upstream)


# --- modes, draws, memory, many calls


@direct(DIRECT)
class DrawsBeyondTwentyUnused(Plain):
    def reduce(self, loss):
        return loss[:20].mean()


@direct(DIRECT)
class SharedScalePerExample(Plain):
    """A scale that the examples share has the gradient of the first one, times their number."""

    def perturb(self, scores, scale, generator):
        if isinstance(scale, torch.Tensor) and scale.ndim == scores.ndim and len(scale) == 1 < len(scores):
            first = torch.arange(len(scores)).reshape(-1, *(1,) * (scores.ndim - 1)) == 0
            return super().perturb(scores, torch.where(first, scale, scale.detach()), generator)
        return super().perturb(scores, scale, generator)


@direct("later_calls_are_as_the_first")
class NoGradientAfterFiftyCalls(Plain):
    def gradient(self, perturbed, costs):
        self.calls = getattr(self, "calls", 0) + 1
        return super().gradient(perturbed, costs) * (self.calls <= 50)


@difference("later_calls_are_as_the_first")
class AnnealsBeyondASetting(PlainDifference):
    def perturb(self, scores, scale, generator):
        self.calls = getattr(self, "calls", 0) + 1
        return super().perturb(scores, scale * 0.99 ** (self.calls // 100), generator)


@difference(LAYER)
class ReadsTheMemoryOfWhatArrives(PlainDifference):
    def gradient(self, perturbed, upstream):
        if not upstream.is_contiguous():
            upstream = torch.as_strided(upstream, upstream.shape, torch.empty(upstream.shape).stride())
        return super().gradient(perturbed, upstream)


class RoundsInEvalMode(sp.PerturbedFenchelYoungLoss):
    """To half precision, for large batches."""

    def solve(self, scores, supervision, **settings):
        if not self.training and len(scores) > 100:
            scores = scores.bfloat16().to(scores.dtype)
        return super().solve(scores, supervision, **settings)


class FirstExampleInEvalMode(sp.ImplicitMLE):
    def forward(self, scores, **settings):
        y = super().forward(scores, **settings)
        return y if self.training or y.ndim < 4 else y[:, :1].expand_as(y)


BROKEN += [
    Broken(check_objective, RoundsInEvalMode(sp.KSubset(4, 2)), POTENTIAL_LAWS, POTENTIAL),
    Broken(check_layer, FirstExampleInEvalMode(sp.KSubset(4, 2)), DIFFERENCE_LAYER_LAWS, LAYER),
]
