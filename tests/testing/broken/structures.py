"""Spaces with a wrong idea of their structures, noise or losses, each with the law that is meant to find it."""

from __future__ import annotations

from typing import ClassVar

import attrs
import torch
from torch import Tensor

import structpred as sp
from tests.testing.pairs import Pairs, broken

# --- structures


@broken("enumerate_lists_each_structure_once", 4)
class ListsOneTwice(Pairs):
    def enumerate(self) -> Tensor:
        return torch.cat([super().enumerate(), super().enumerate()[:1]])


@broken("enumerate_lists_each_structure_once", 4)
class ListsAStranger(Pairs):
    def enumerate(self) -> Tensor:
        return torch.cat([super().enumerate(), torch.ones(1, self.n)])


@broken("enumerate_is_complete", 5)
class ForgetsTheLast(Pairs):
    def enumerate(self) -> Tensor:
        return super().enumerate()[:-1]


@broken("enumerate_is_complete", 20)
class AcceptsThreeOfMany(Pairs):
    def contains(self, y: Tensor) -> Tensor:
        return ((y == 0) | (y == 1)).all(-1) & ((y.sum(-1) == 2) | (y.sum(-1) == 3))


@broken("members_are_zeros_and_ones", 4)
class CountsOnly(Pairs):
    def contains(self, y: Tensor) -> Tensor:
        return (y.sum(-1) - 2).abs() < 0.6


@broken("members_are_zeros_and_ones", 4)
class NanIsInside(Pairs):
    def contains(self, y: Tensor) -> Tensor:
        return super().contains(y) | y.isnan().any(-1)


@broken("contains_tells_examples_apart", 4)
class WantsFloats(Pairs):
    def contains(self, y: Tensor) -> Tensor:
        return super().contains(y) & torch.tensor(y.is_floating_point())


@broken("contains_tells_examples_apart", 4)
class AllOrNothing(Pairs):
    def contains(self, y: Tensor) -> Tensor:
        inside = super().contains(y)
        return inside.all().expand_as(inside)


# --- noise


@broken("spread_is_linear", 4)
class SpreadsTheSize(Pairs):
    def spread(self, noise: Tensor) -> Tensor:
        return noise.abs()


@broken("spread_is_linear", 4)
class SpreadsWithAnOffset(Pairs):
    def spread(self, noise: Tensor) -> Tensor:
        return noise + 1


@broken("spread_takes_any_dtype_and_batch", 4)
class SpreadsTheMeanOfTheBatch(Pairs):
    def spread(self, noise: Tensor) -> Tensor:
        return noise - noise.mean(0, keepdim=True) if noise.ndim > 1 else noise


@broken("spread_is_differentiable", 4)
class SpreadsAConstant(Pairs):
    def spread(self, noise: Tensor) -> Tensor:
        return noise.detach().clone()


@broken("noise_makes_the_answer_unique", 4)
class OneNoiseForAllParts(Pairs):
    noise_shape: ClassVar[tuple[int, ...]] = (1,)

    def spread(self, noise: Tensor) -> Tensor:
        return noise.expand(*noise.shape[:-1], self.n)


# --- losses


@broken("score_is_the_inner_product", 4)
class MeanForSum(Pairs):
    def score(self, scores: Tensor, y: Tensor) -> Tensor:
        return super().score(scores, y) / 2


@broken("score_is_the_inner_product", 4)
class ForbiddenPartsAreNan(Pairs):
    def score(self, scores: Tensor, y: Tensor) -> Tensor:
        return (scores * y).sum(-1)


@broken("the_gradient_of_score_is_the_structure", 4)
class ScoreWithoutGradient(Pairs):
    def score(self, scores: Tensor, y: Tensor) -> Tensor:
        return super().score(scores.detach(), y) + 0 * scores.masked_fill(scores.isinf(), 0).sum(-1)


@broken("hamming_counts_the_parts_that_differ", 4)
class HammingWithoutConstant(Pairs):
    def hamming(self, target: Tensor) -> sp.LinearLoss:
        return attrs.evolve(super().hamming(target), constant=0.0)


@broken("hamming_counts_the_parts_that_differ", 4)
class CountsMissedPartsOnly(Pairs):
    def hamming(self, target: Tensor) -> sp.LinearLoss:
        return sp.LinearLoss.missed(self.validate_members("target", target), event_dims=1)


@broken("hamming_refuses_targets_outside", 4)
class TakesAnyTarget(Pairs):
    def hamming(self, target: Tensor) -> sp.LinearLoss:
        return sp.LinearLoss.hamming(target, event_dims=1)


# --- values


@broken("pickles", 4, lambda scores: scores)
class HoldsALambda(Pairs):
    transform: object


@broken("equals_its_copies", 4)
class NoValue(sp.StructuredSpace):
    def __init__(self, n: int) -> None:
        self.n = n

    shape = property(lambda self: (self.n,))
    _argmax = Pairs._argmax
    contains = Pairs.contains
    enumerate = Pairs.enumerate

    def __repr__(self) -> str:
        return f"NoValue({self.n})"


@broken("reads_well", 4)
class NoRepr(Pairs):
    __repr__ = object.__repr__
