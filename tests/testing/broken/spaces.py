"""Spaces whose argmax is right, and something else not, with the law that is meant to find it."""

from __future__ import annotations

import copy
import math
from typing import ClassVar

import attrs
import torch
from torch import Tensor

import structpred as sp
from tests.testing.pairs import Pairs, broken

ANY = "argmax_holds_under_every_circumstance"
ON_CPU = sp.SolverPlacement.ON_CPU


# --- lists and contains


@broken("enumerate_has_every_answer", 5)
class ListsHalf(Pairs):
    def enumerate(self) -> Tensor:
        return super().enumerate()[::2]


@broken("enumerate_is_complete", 14)
class AcceptsOneMore(Pairs):
    def contains(self, y: Tensor) -> Tensor:
        other = torch.zeros(self.n)
        other[[2, 3, 5, 7, 11]] = 1
        return super().contains(y) | (y == other).all(-1)


@broken("enumerate_is_complete", 20)
class ForgetsOneOfMany(Pairs):
    def enumerate(self) -> Tensor:
        every = super().enumerate()
        return torch.cat([every[:100], every[101:]])


@broken("enumerate_lists_each_structure_once", 12)
class RejectsOne(Pairs):
    def contains(self, y: Tensor) -> Tensor:
        return super().contains(y) & ~((y[..., 3] == 1) & (y[..., 7] == 1))


@broken("enumerate_lists_anew", 5)
class ListsItsBuffer(Pairs):
    lists: ClassVar[dict[int, Tensor]] = {}

    def enumerate(self) -> Tensor:
        return self.lists.setdefault(self.n, super().enumerate())


@broken("no_mixture_is_a_member", 5)
class ThePolytope(Pairs):
    def contains(self, y: Tensor) -> Tensor:
        return ((y >= 0) & (y <= 1)).all(-1) & (y.double().sum(-1) == 2)


@broken("no_mixture_is_a_member", 5)
class OtherIntegers(Pairs):
    def contains(self, y: Tensor) -> Tensor:
        return (y == y.double().round()).all(-1) & (y.double().sum(-1) == 2)


@broken("no_mixture_is_a_member", 5)
class CountsUpTo(Pairs):
    """One part may count twice."""

    def contains(self, y: Tensor) -> Tensor:
        return (y >= 0).all(-1) & (y == y.double().round()).all(-1) & (y.double().sum(-1) == 2)


@broken("no_mixture_is_a_member", 5)
class NearlyBinary(Pairs):
    def contains(self, y: Tensor) -> Tensor:
        return super().contains(torch.where((y.double() - y.double().round()).abs() < 1e-7, y.double().round(), y))


@broken("no_mixture_is_a_member", 5)
class ReadsIntegersByTheirSign(Pairs):
    def contains(self, y: Tensor) -> Tensor:
        return super().contains(y if y.is_floating_point() or y.dtype == torch.bool else (y > 0))


@broken("contains_tells_examples_apart", 5)
class ContainsInTwoDimensionsOnly(Pairs):
    def contains(self, y: Tensor) -> Tensor:
        inside = super().contains(y)
        return inside.flatten(1).all(1)[:, None, None].expand(inside.shape).clone() if y.ndim == 4 else inside


@broken("contains_tells_examples_apart", 5)
class ContainsTheEndOfALargeBatch(Pairs):
    def contains(self, y: Tensor) -> Tensor:
        inside = super().contains(y)
        return inside | (torch.arange(len(y)) >= 900) if y.ndim == 2 else inside


@broken("contains_tells_examples_apart", 5)
class ContainsForgetsTruthValues(Pairs):
    def contains(self, y: Tensor) -> Tensor:
        return super().contains(y) | torch.tensor(y.dtype == torch.bool)


# --- refusals


@broken("one_example_is_refused_in_any_batch", 4)
class LooksAtTheFirstHundredForNan(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        if scores.ndim == 2 and len(scores) > 100:
            scores = torch.cat([scores[:100], scores[100:].nan_to_num(nan=0.0, posinf=1.0, neginf=-math.inf)])
        return super().argmax(scores)


@broken("one_example_is_refused_in_any_batch", 4)
class NamesRows(Pairs):
    """The row in place of the index."""

    def argmax(self, scores: Tensor) -> Tensor:
        return super().argmax(scores.reshape(-1, self.n)).reshape(scores.shape)


# --- noise, losses and scores


@broken("spread_takes_any_dtype_and_batch", 4)
class SpreadsInSinglePrecision(Pairs):
    def spread(self, noise: Tensor) -> Tensor:
        return noise.float()


class _Other(torch.autograd.Function):
    @staticmethod
    def forward(ctx, noise):
        return noise.clone()

    @staticmethod
    def backward(ctx, arrived):
        return arrived.flip(-1)


@broken("spread_takes_any_dtype_and_batch", 4)
class SpreadsWithAnotherAdjoint(Pairs):
    def spread(self, noise: Tensor) -> Tensor:
        return _Other.apply(noise)


@broken("spread_takes_any_dtype_and_batch", 4)
class SpreadsInPlace(Pairs):
    def spread(self, noise: Tensor) -> Tensor:
        return (
            noise if noise.requires_grad else noise.mul_(1.0).add_(noise, alpha=0.0).neg_().neg_().copy_(noise.flip(-1))
        )


@broken("score_takes_any_dtype_and_batch", 4)
class ScoreForbidsHalfPrecision(Pairs):
    def score(self, scores: Tensor, y: Tensor) -> Tensor:
        if scores.dtype == torch.float16:
            raise TypeError("no half precision")
        return super().score(scores, y)


@broken("score_takes_any_dtype_and_batch", 4)
class ScoreInTheStructuresDtype(Pairs):
    def score(self, scores: Tensor, y: Tensor) -> Tensor:
        exact = y if y.is_floating_point() else y.to(scores.dtype)
        return super().score(scores.to(exact.dtype), exact).to(scores.dtype)


@broken("score_takes_any_dtype_and_batch", 4)
class ScoreDoesNotBroadcast(Pairs):
    def score(self, scores: Tensor, y: Tensor) -> Tensor:
        return super().score(scores, y.expand_as(scores))


@broken("hamming_counts_the_parts_that_differ", 4)
class HammingOfTruthValues(Pairs):
    def hamming(self, target: Tensor) -> sp.LinearLoss:
        loss = super().hamming(target)
        return attrs.evolve(loss, constant=0.0) if target.dtype == torch.bool else loss


@broken("hamming_refuses_targets_outside", 4)
class LooksAtTheLastTarget(Pairs):
    def hamming(self, target: Tensor) -> sp.LinearLoss:
        self.validate_members("target", target[-1:])
        return sp.LinearLoss.hamming(target, event_dims=1)


@broken("regret_is_what_a_structure_costs_more", 4)
class RegretOfTheWorst(Pairs):
    def regret(self, costs: Tensor, best: Tensor | None = None, *, validate: bool = True) -> sp.LinearLoss:
        y = self.argmax(costs)
        return sp.LinearLoss(costs, -(costs * y).sum(-1), event_dims=1)


# --- values


@broken("equality_sees_every_field", 5, 2)
class EqualWhateverK(sp.KSubset):
    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.n == self.n

    def __hash__(self) -> int:
        return hash(self.n)


@broken("pickles", 5, 3)
class PicklesWithoutK(sp.KSubset):
    def __eq__(self, other: object) -> bool:
        return type(other) is type(self)

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "PicklesWithoutK()"

    def __reduce__(self):
        return PicklesWithoutK, (self.n, 2)

    def __deepcopy__(self, memo):
        return copy.copy(self)


@broken("calls_leave_no_memory_behind", 5)
class KeepsEveryAnswer(Pairs):
    kept: ClassVar[list[Tensor]] = []

    def argmax(self, scores: Tensor) -> Tensor:
        y = super().argmax(scores)
        self.kept.append(y)
        return y.clone()


@broken("calls_leave_no_memory_behind", 5)
class CachesByItsBytes(Pairs):
    cache: ClassVar[dict[bytes, Tensor]] = {}

    def argmax(self, scores: Tensor) -> Tensor:
        y = super().argmax(scores)
        self.cache[scores.detach().double().numpy().tobytes()] = y.numpy().copy()
        return y
