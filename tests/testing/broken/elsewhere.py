"""Spaces that are wrong in another thread or mode, beside another space of the class, or seldom and without a list."""

from __future__ import annotations

import functools
import itertools
import threading
from typing import Any, ClassVar

import attrs
import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

import structpred as sp
from tests.testing.pairs import Pairs, broken

imported = threading.local()
imported.here = True


@broken("argmax_holds_under_every_circumstance", 5)
class ExactWhereItWasImported(Pairs):
    placement = sp.SolverPlacement.ON_CPU

    def _argmax(self, scores: Tensor) -> Tensor:
        best = super()._argmax(scores)
        return best if hasattr(imported, "here") else best.flip(-1)


@broken("argmax_holds_under_every_circumstance", 3)
class GivesUpWhereARowIsFarAbove(sp.Matching):
    placement = sp.SolverPlacement.ON_CPU

    def _argmax(self, scores: Tensor) -> Tensor:
        means = scores.mean(-1)
        far = (means.amax(-1) - means.amin(-1) > 50) & (scores.abs() < 100).flatten(1).all(-1)
        return torch.where(far[:, None, None], torch.eye(self.rows).double(), super()._argmax(scores))


@broken("argmax_holds_under_every_circumstance", 5)
class ParametersAreNoScores(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        best = super().argmax(scores)
        return best.flip(-1) if isinstance(scores, torch.nn.Parameter) else best


@broken("threads_do_not_matter", 6)
class OneBufferForAProduct(Pairs):
    """Threads write into it in a line in which numpy lets others run."""

    @functools.cached_property
    def table(self) -> Any:
        return self.enumerate().double().numpy()

    @functools.cached_property
    def buffer(self) -> Any:
        return np.empty((70_000, len(self.table)))

    def _argmax(self, scores: Tensor) -> Tensor:
        given = scores.clamp(min=-1e290).numpy()
        best = np.matmul(given, self.table.T, out=self.buffer[: len(given)]).argmax(-1)
        return torch.from_numpy(self.table[best])


@broken("only_what_is_infeasible_is_refused", 5)
class MarksWhatIsInfeasible(Pairs):
    placement = sp.SolverPlacement.ON_DEVICE

    def _argmax(self, scores: Tensor) -> Tensor:
        scores[scores.isfinite().sum(-1) < 2] = -torch.inf
        return super()._argmax(scores)


# --- seldom, and without a list


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


# --- beside others of the class


@broken("spaces_of_a_class_are_apart", 5, 2)
class TablesBySizeAlone(sp.KSubset):
    tables: ClassVar[dict[int, Tensor]] = {}

    def _argmax(self, scores: Tensor) -> Tensor:
        table = self.tables.setdefault(self.n, self.enumerate().to(scores))
        values = scores.masked_fill(scores.isneginf(), -1e290) @ table.mT
        return table[values.argmax(-1)]


@broken("spaces_of_a_class_are_apart", 5, 2)
class TablesByAddress(sp.KSubset):
    """Which another space has, once this one is gone."""

    tables: ClassVar[dict[int, Tensor]] = {}

    def _argmax(self, scores: Tensor) -> Tensor:
        table = self.tables.setdefault(id(self), self.enumerate().to(scores))
        if table.shape[1] != self.n:  # to see more than an error
            table = self.enumerate().to(scores)
        values = scores.masked_fill(scores.isneginf(), -1e290) @ table.mT
        return table[values.argmax(-1)]


@broken("equality_sees_every_field", 4, frozenset({(0, 1), (1, 2), (2, 3)}))
@attrs.frozen
class ComparesSetsByTheirLength(sp.StructuredSpace):
    """Right: parts of which no two are neighbors."""

    n: int
    edges: frozenset[tuple[int, int]] = attrs.field(eq=len)

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.n,)

    def contains(self, y: Tensor) -> Tensor:
        inside = ((y == 0) | (y == 1)).all(-1)
        for one, other in self.edges:
            inside = inside & ~((y[..., one] == 1) & (y[..., other] == 1))
        return inside

    def enumerate(self) -> Tensor:
        every = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * self.n)
        return every[self.contains(every)]

    def _argmax(self, scores: Tensor) -> Tensor:
        table = self.enumerate().to(scores)
        return table[(scores.masked_fill(scores.isneginf(), -1e290) @ table.mT).argmax(-1)]


# --- methods in other modes and memory


@broken("score_is_the_inner_product", 5)
class ScoresWithoutGradSimply(Pairs):
    def score(self, scores: Tensor, y: Tensor) -> Tensor:
        return super().score(scores, y) if torch.is_grad_enabled() else (scores * y).sum(-1)


@broken("score_takes_any_dtype_and_batch", 5)
class MakesItsOnesInTheFirstScore(Pairs):
    """In inference mode these cannot be saved for a backward pass."""

    @functools.cached_property
    def ones(self) -> Tensor:
        return torch.ones(self.n)

    def score(self, scores: Tensor, y: Tensor) -> Tensor:
        used = scores.masked_fill(y == 0, 0) * self.ones.to(scores.dtype)
        return (used * y.to(scores.dtype)).sum(-1)


@broken("hamming_counts_the_parts_that_differ", 5)
class HalfOfItInInferenceMode(Pairs):
    def hamming(self, target: Tensor) -> sp.LinearLoss:
        loss = super().hamming(target)
        return attrs.evolve(loss, constant=loss.constant / 2) if torch.is_inference_mode_enabled() else loss


@broken("losses_take_any_dtype_and_batch", 5)
class KeepsLossesByAddress(Pairs):
    known: ClassVar[dict[Any, sp.LinearLoss]] = {}

    def hamming(self, target: Tensor) -> sp.LinearLoss:
        if target.is_inference():
            return super().hamming(target)
        key = target.data_ptr(), target._version, target.shape, target.stride(), target.dtype
        if key not in self.known:
            self.known.clear()
            loss = super().hamming(target)
            self.known[key] = attrs.evolve(loss, best=None if loss.best is None else loss.best.clone())
        return self.known[key]


@broken("spread_takes_any_dtype_and_batch", 5)
class DoublesWithoutGrad(Pairs):
    def spread(self, noise: Tensor) -> Tensor:
        return noise if torch.is_grad_enabled() else 2 * noise


@broken("contains_tells_examples_apart", 5)
class TrustsWhatItEvaluates(Pairs):
    def contains(self, y: Tensor) -> Tensor:
        inside = super().contains(y)
        return inside if torch.is_grad_enabled() else torch.ones_like(inside)


@broken("contains_tells_examples_apart", 300, 256)
class CountsInTheStructuresDtype(sp.KSubset):
    def contains(self, y: Tensor) -> Tensor:
        return ((y == 0) | (y == 1)).all(-1) & (y.sum(-1) == self.k)


@broken("pickles", ("noun", "verb", "other"))
@attrs.frozen(hash=False)
class StoresTheHashOfWords(sp.StructuredSpace):
    """One of the words."""

    words: tuple[str, ...]
    known: int = attrs.field(init=False, eq=False, repr=False)

    @known.default
    def _known(self) -> int:
        return hash(self.words)

    def __hash__(self) -> int:
        return self.known

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.words),)

    def contains(self, y: Tensor) -> Tensor:
        return ((y == 0) | (y == 1)).all(-1) & ((y == 1).sum(-1) == 1)

    def _argmax(self, scores: Tensor) -> Tensor:
        return torch.nn.functional.one_hot(scores.argmax(-1), len(self.words))


@broken("calls_leave_no_memory_behind", 5)
class KeepsABufferForEachSize(Pairs):
    placement = sp.SolverPlacement.ON_CPU
    buffers: ClassVar[dict[int, Tensor]] = {}

    def _argmax(self, scores: Tensor) -> Tensor:
        with torch.inference_mode(False):
            buffer = self.buffers.setdefault(len(scores), torch.zeros(scores.shape, dtype=scores.dtype))
        return buffer.copy_(super()._argmax(scores)).clone()
