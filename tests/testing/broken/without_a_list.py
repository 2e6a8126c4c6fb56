"""Spaces without a list, whose solver is wrong for few scores or few structures, or has no answer for some."""

from __future__ import annotations

import functools
import itertools
from typing import ClassVar

import attrs
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

import structpred as sp
from tests.testing.pairs import broken


class Fits(sp.StructuredSpace):
    """Right but for the solver: what fits into two capacities. Greedy, and then as long as one exchange is better."""

    weights: ClassVar[tuple[tuple[int, int], ...]]
    capacity: ClassVar[tuple[int, int]]

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.weights),)

    def fits(self, used: Tensor) -> Tensor:
        sums = used.double() @ torch.tensor(self.weights, dtype=torch.float64)
        return (sums <= torch.tensor(self.capacity)).all(-1)

    def contains(self, y: Tensor) -> Tensor:
        return ((y == 0) | (y == 1)).all(-1) & self.fits(y == 1)

    def _argmax(self, scores: Tensor) -> Tensor:
        return torch.stack([self.solve(row) for row in scores])

    def solve(self, scores: Tensor) -> Tensor:
        parts = len(self.weights)
        moves = torch.eye(parts)
        pairs = torch.tensor(list(itertools.combinations(range(parts), 2)))
        moves = torch.cat([moves, moves[pairs].sum(1)]).bool()
        y = torch.zeros(parts, dtype=torch.bool)
        for part in scores.argsort(descending=True).tolist():
            tried = y | (torch.arange(parts) == part)
            if scores[part] > 0 and self.fits(tried):
                y = tried
        while True:
            near = (y ^ moves)[self.fits(y ^ moves)]
            values = torch.where(near, scores, 0.0).sum(-1)
            if not len(near) or not values.max() > torch.where(y, scores, 0.0).sum():
                return y.to(scores.dtype)
            y = near[values.argmax()]


@broken("no_structure_scores_higher")
class OneExchangeOfSeven(Fits):
    weights = ((2, 3), (3, 1), (4, 2), (1, 4), (5, 5), (3, 3), (2, 2))
    capacity = (9, 8)


@broken("each_of_many_answers_is_the_best")
class OneExchangeOfEighteen(Fits):
    weights = tuple((1 + 7 * part % 11, 1 + 5 * part % 12) for part in range(18))
    capacity = (20, 20)


@broken("structures_with_more_parts_are_answers", 40, 32)
@attrs.frozen
class GivesUpAfterSoManySteps(sp.StructuredSpace):
    """Paths from 0 to ``length`` by steps of 1 and 5, of which no more than ``most`` are tried."""

    length: int
    most: int

    @property
    def steps(self) -> list[tuple[int, int]]:
        return [(at, at + by) for at in range(self.length) for by in (1, 5) if at + by <= self.length]

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.steps),)

    def contains(self, y: Tensor) -> Tensor:
        moves = torch.zeros(len(self.steps), self.length + 1, dtype=torch.float64)
        for row, (start, end) in zip(moves, self.steps, strict=True):
            row[start], row[end] = 1, -1
        wanted = moves.new_zeros(self.length + 1)
        wanted[0], wanted[-1] = 1, -1
        return ((y == 0) | (y == 1)).all(-1) & ((y == 1).double() @ moves == wanted).all(-1)

    def _argmax(self, scores: Tensor) -> Tensor:
        count, far = len(scores), -1e290
        values = torch.full((count, self.length + 1), far, dtype=torch.float64)
        values[:, 0] = 0.0
        given, rounds, chosen = scores.clamp(min=far), [values], []
        for _ in range(self.most):
            values, taken = torch.full_like(values, far), torch.zeros(count, self.length + 1, dtype=torch.long)
            for part, (start, end) in enumerate(self.steps):
                new = (rounds[-1][:, start] + given[:, part]).clamp(min=far)
                taken[:, end] = taken[:, end].where(new <= values[:, end], part)
                values[:, end] = values[:, end].maximum(new)
            rounds.append(values)
            chosen.append(taken)
        ended = torch.stack(rounds)[:, :, -1].argmax(0)
        y = torch.zeros_like(scores)
        for row, steps in zip(range(count), ended.tolist(), strict=True):
            at = self.length
            for taken in reversed(chosen[:steps]):
                y[row, taken[row, at]] = 1
                at = self.steps[int(taken[row, at])][0]
        return y


@broken("what_contains_accepts_is_an_answer", 7)
@attrs.frozen(slots=False)
class RoundTripsByDegrees(sp.StructuredSpace):
    """Of which two circles have the same."""

    places: int

    @property
    def edges(self) -> list[tuple[int, int]]:
        return list(itertools.combinations(range(self.places), 2))

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.edges),)

    @functools.cached_property
    def trips(self) -> Tensor:
        number = {edge: part for part, edge in enumerate(self.edges)}
        orders = [(0, *rest) for rest in itertools.permutations(range(1, self.places)) if rest[0] < rest[-1]]
        steps = [[number[min(step), max(step)] for step in zip(it, (*it[1:], 0), strict=True)] for it in orders]
        return torch.zeros(len(steps), len(self.edges)).scatter_(1, torch.tensor(steps), 1).double()

    def contains(self, y: Tensor) -> Tensor:
        ends = torch.tensor([[place in edge for place in range(self.places)] for edge in self.edges]).double()
        return ((y == 0) | (y == 1)).all(-1) & ((y == 1).double() @ ends == 2).all(-1)

    def _argmax(self, scores: Tensor) -> Tensor:
        return self.trips[(scores.clamp(min=-1e290) @ self.trips.mT).argmax(-1)]


class Placed(sp.Matching):
    """By scipy; without a list."""

    placement = sp.SolverPlacement.ON_CPU

    def _argmax(self, scores: Tensor) -> Tensor:
        return torch.stack([self.placed(row) for row in scores])

    def placed(self, scores: Tensor) -> Tensor:
        y = torch.zeros_like(scores)
        y[linear_sum_assignment(scores.clamp(min=-1e290), maximize=True)] = 1
        return y

    def enumerate(self) -> Tensor:
        raise NotImplementedError


@broken("what_is_not_refused_has_an_answer", 5)
class NothingWhereNoneIsLeft(Placed):
    """But where all is forbidden."""

    def placed(self, scores: Tensor) -> Tensor:
        y = super().placed(scores)
        return y * 0 if scores[y == 1].isneginf().any() and not scores.isneginf().all() else y


@broken("what_is_left_is_the_answer", 5)
class AsLowAsFourOthers(Placed):
    def placed(self, scores: Tensor) -> Tensor:
        return super().placed(scores.clamp(min=-4 * 2.0**100))


@broken("what_is_left_is_the_answer", 7)
class ForbidsByTenTimesTheLargest(sp.Matching):
    """Which seven low scores together are below, where the others are high."""

    def _argmax(self, scores: Tensor) -> Tensor:
        largest = scores.where(scores.isfinite(), 0).abs().amax((-2, -1), keepdim=True)
        return super()._argmax(scores.where(scores.isfinite(), -10 * largest - 1))


@broken("each_of_many_answers_is_the_best", 18)
@broken("no_ascent_scores_higher", 18)
@attrs.frozen
class Watched(sp.StructuredSpace):
    """Nodes of a ring with chords, such that each is one of them or next to one; the best but for one or two."""

    n: int

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.n,)

    @functools.cached_property
    def near(self) -> Tensor:
        near = torch.eye(self.n, dtype=torch.float64)
        return sum((near.roll(step, 1) for step in (-4, -1, 1, 4)), near)

    @functools.cached_property
    def moves(self) -> Tensor:
        one = torch.eye(self.n, dtype=torch.bool)
        return torch.cat([one, *(one[part + 1 :] | one[part] for part in range(self.n))])

    def contains(self, y: Tensor) -> Tensor:
        return ((y == 0) | (y == 1)).all(-1) & ((y == 1).double() @ self.near > 0).all(-1)

    def _argmax(self, scores: Tensor) -> Tensor:
        return torch.stack([self.solve(row) for row in scores])

    def solve(self, scores: Tensor) -> Tensor:
        y = torch.ones_like(scores, dtype=torch.bool)
        while True:
            near = y ^ self.moves
            values = torch.where(near, scores, 0.0).sum(-1).masked_fill(~self.contains(near), -torch.inf)
            if not values.max() > torch.where(y, scores, 0.0).sum():
                return y.to(scores.dtype)
            y = near[values.argmax()]


@broken("no_ascent_scores_higher", 240)
@attrs.frozen
class FromAShortlist(sp.StructuredSpace):
    """Twelve parts, of the eight best of every eighth one: seldom too few where all scores are alike."""

    n: int

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.n,)

    def contains(self, y: Tensor) -> Tensor:
        return ((y == 0) | (y == 1)).all(-1) & (y.double().sum(-1) == 12)

    def _argmax(self, scores: Tensor) -> Tensor:
        best, rows = scores.reshape(len(scores), -1, 8).topk(8, dim=1)
        parts = (8 * rows + torch.arange(8)).flatten(1)
        return torch.zeros_like(scores).scatter_(1, parts.gather(1, best.flatten(1).topk(12).indices), 1)
