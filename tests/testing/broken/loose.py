"""Spaces whose tests of membership or equality are loose, or whose answers are no tensors of the caller's own."""

from __future__ import annotations

import itertools
from typing import ClassVar

import attrs
import torch
from torch import Tensor

import structpred as sp
from tests.testing.pairs import Pairs, broken

ACCEPTS = "what_contains_accepts_is_an_answer"


@broken(ACCEPTS, 300)
class CountsInAByte(Pairs):
    def contains(self, y: Tensor) -> Tensor:
        used = y == 1
        return (used | (y == 0)).all(-1) & (used.sum(-1, dtype=torch.uint8) == 2)


@broken(ACCEPTS, 110)
class AThirdInTheLastPlaceIsNotSeen(Pairs):
    def contains(self, y: Tensor) -> Tensor:
        used = y == 1
        return (used | (y == 0)).all(-1) & (used.sum(-1) - used[..., -1].int() * (used.sum(-1) == 3) == 2)


@broken("enumerate_is_complete")
@attrs.frozen
class RoundTripsByDegrees(sp.StructuredSpace):
    """Right but for ``contains``: two trips, of three and of four cities, have two roads at each city too."""

    cities: int = 7

    @property
    def roads(self) -> list[tuple[int, int]]:
        return list(itertools.combinations(range(self.cities), 2))

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.roads),)

    def enumerate(self) -> Tensor:
        place = {road: number for number, road in enumerate(self.roads)}
        trips = []
        for rest in itertools.permutations(range(1, self.cities)):
            if rest[0] < rest[-1]:
                trip = torch.zeros(len(place))
                trip[[place[min(road), max(road)] for road in itertools.pairwise((0, *rest, 0))]] = 1
                trips.append(trip)
        return torch.stack(trips)

    def contains(self, y: Tensor) -> Tensor:
        ends = torch.tensor([[float(city in road) for city in range(self.cities)] for road in self.roads])
        return ((y == 0) | (y == 1)).all(-1) & (y.float() @ ends == 2).all(-1)

    def _argmax(self, scores: Tensor) -> Tensor:
        every = self.enumerate().double()
        return every[(scores.clamp(min=-1e300) @ every.mT).argmax(-1)]


@broken("equality_sees_every_field", 5)
class BudgetsAreRounded(Pairs):
    budget: float = attrs.field(default=1.25, eq=lambda budget: round(budget, 1))

    def enumerate(self) -> Tensor:
        listed = super().enumerate()
        return listed[self.contains(listed)]

    def contains(self, y: Tensor) -> Tensor:
        prices = 0.25 + 0.125 * torch.arange(self.n, dtype=torch.float64)
        return super().contains(y) & (y.double() @ prices <= self.budget)

    def _argmax(self, scores: Tensor) -> Tensor:
        every = self.enumerate().double()
        return every[(scores.clamp(min=-1e300) @ every.mT).argmax(-1)]


@broken("equality_sees_every_field", sp.KSubset(4, 2))
@attrs.frozen
class InsideIsComparedByItsClass(sp.StructuredSpace):
    inside: sp.StructuredSpace = attrs.field(eq=type)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.inside.shape

    def contains(self, y: Tensor) -> Tensor:
        return self.inside.contains(y)

    def _argmax(self, scores: Tensor) -> Tensor:
        return self.inside.argmax(scores)


@broken("arguments_are_left_alone", 5)
class OneAnswerForAllThatAreTheSame(Pairs):
    placement: ClassVar[sp.SolverPlacement] = sp.SolverPlacement.ON_DEVICE

    def _argmax(self, scores: Tensor) -> Tensor:
        if len(scores) > 1 and scores.stride(0) == 0:
            return super()._argmax(scores[:1]).expand_as(scores)
        return super()._argmax(scores)


@broken("argmax_holds_under_every_circumstance", 5)
class GradientsOfOnesForWhatANetworkReturns(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        y = super().argmax(scores)
        if isinstance(scores, Tensor) and scores.grad_fn is not None and scores.isfinite().all():
            return y + scores - scores.detach()
        return y
