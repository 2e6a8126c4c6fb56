"""Spaces that are each wrong for tensors of some memory, batches of some size, or losses of some shape or dtype."""

from __future__ import annotations

import attrs
import torch
from torch import Tensor

import structpred as sp
from tests.testing.pairs import Pairs, broken


@broken("argmax_holds_under_every_circumstance", 5)
class LosesTheEndOfAFullChunk(Pairs):
    """Chunks of 128: where the last one is full, its last row is that of the row before."""

    def argmax(self, scores: Tensor) -> Tensor:
        y = super().argmax(scores)
        if len(y) and scores.ndim == 2 and len(scores) % 128 == 0:
            y[-1] = y[-2]
        return y


@broken("spread_takes_any_dtype_and_batch", 5)
class SpreadsTheMemory(Pairs):
    def spread(self, noise: Tensor) -> Tensor:
        return noise if noise.is_contiguous() else noise.flip(-1)


@broken("score_takes_any_dtype_and_batch", 5)
class ScoresTheMemory(Pairs):
    def score(self, scores: Tensor, y: Tensor) -> Tensor:
        if scores.storage_offset():
            y = y.roll(1, -1)
        return super().score(scores, y)


@broken("losses_take_any_dtype_and_batch", 5)
class HammingTurnsTwoDimensions(Pairs):
    def hamming(self, target: Tensor) -> sp.LinearLoss:
        if target.ndim == 3:
            target = target.transpose(0, 1).reshape(target.shape)
        return super().hamming(target)


@broken("losses_take_any_dtype_and_batch", 5)
class HammingOfTheFirstOfALargeBatch(Pairs):
    def hamming(self, target: Tensor) -> sp.LinearLoss:
        return super().hamming(target[:1].expand_as(target) if len(target) > 200 else target)


@broken("losses_take_any_dtype_and_batch", 5)
class RegretOfTheLeastOfSeveralDimensions(Pairs):
    def regret(self, costs: Tensor, best: Tensor | None = None, *, validate: bool = True) -> sp.LinearLoss:
        loss = super().regret(costs, best, validate=validate)
        if costs.ndim > 2:
            return attrs.evolve(loss, constant=loss.constant.max().expand_as(loss.constant))
        return loss


@broken("losses_take_any_dtype_and_batch", 5)
class RegretInHalfPrecision(Pairs):
    """Costs in half precision are the same for all examples."""

    def regret(self, costs: Tensor, best: Tensor | None = None, *, validate: bool = True) -> sp.LinearLoss:
        if costs.dtype == torch.bfloat16:
            costs = costs.reshape(-1, self.n)[:1].expand_as(costs)
        return super().regret(costs, best, validate=validate)


@broken("losses_take_any_dtype_and_batch", 8)
class LeastCostInTheTypeOfTheCosts(Pairs):
    def regret(self, costs: Tensor, best: Tensor | None = None, *, validate: bool = True) -> sp.LinearLoss:
        loss = super().regret(costs, best, validate=validate)
        assert loss.best is not None
        least = (costs * loss.best.to(costs.dtype)).sum(-1)
        return attrs.evolve(loss, constant=-least.to(loss.coefficients.dtype))


@broken("hamming_refuses_targets_outside", 5)
class TakesAnyTargetOfIntegers(Pairs):
    def hamming(self, target: Tensor) -> sp.LinearLoss:
        return super().hamming(target) if target.is_floating_point() else sp.LinearLoss.hamming(target, event_dims=1)


@broken("hamming_refuses_targets_outside", 5)
class TakesAnyTargetOfTruthValues(Pairs):
    def hamming(self, target: Tensor) -> sp.LinearLoss:
        return super().hamming(target) if target.dtype != torch.bool else sp.LinearLoss.hamming(target, event_dims=1)


@broken("the_gradient_of_score_is_the_structure", 5)
class TheMeanOfWhatComesAfter(Pairs):
    def score(self, scores: Tensor, y: Tensor) -> Tensor:
        value = super().score(scores, y)
        if not value.requires_grad:
            return value
        value = value * 1.0
        value.register_hook(lambda upstream: upstream.mean().expand_as(upstream))
        return value
