"""Spaces that are wrong in what a user seldom looks at: an unusual field, how they are stored, what is validated."""

from __future__ import annotations

import copyreg
import datetime
import enum
import functools
import uuid
from typing import ClassVar, NamedTuple

import attrs
import numpy as np
import torch
from torch import Tensor

import structpred as sp
from tests.testing.pairs import FromAList, Pairs, broken


@broken("reads_well", 5)
class SaysWhereItsClassIs(Pairs):
    def __repr__(self) -> str:
        return f"SaysWhereItsClassIs(n={self.n}, cls={id(type(self))})"


@broken("reads_well", 5)
class SaysWhereItsClassIsInSixteens(Pairs):
    def __repr__(self) -> str:
        return f"SaysWhereItsClassIsInSixteens(n={self.n}, cls={id(type(self)):X})"


MADE_HERE: dict[str, int] = {}


def made_here(key: str) -> sp.StructuredSpace:
    return FoundByAKeyOfThisProcess(MADE_HERE[key])


@broken("pickles", 5)
class FoundByAKeyOfThisProcess(Pairs):
    pass


def by_a_key(space: FoundByAKeyOfThisProcess) -> tuple[object, ...]:
    key = uuid.uuid4().hex
    MADE_HERE[key] = space.n
    return made_here, (key,)


copyreg.pickle(FoundByAKeyOfThisProcess, by_a_key)


@broken("pickles", 5)
class KeepsItsFieldsInThisProcess(Pairs):
    states: ClassVar[list[int]] = []

    def __getstate__(self) -> int:
        type(self).states.append(self.n)
        return len(type(self).states)

    def __setstate__(self, state: int) -> None:
        object.__setattr__(self, "n", type(self).states[state - 1])


class Shift(enum.Enum):
    EARLY, DAY, LATE, NIGHT, SPARE, OFF, REST = range(7)


def at_least_one(items: frozenset, wanted: frozenset) -> Tensor:
    """Pairs of the items of which one at least is wanted."""
    every = Pairs(len(items)).enumerate().double()
    return every[every @ torch.tensor([it in wanted for it in items], dtype=torch.float64) >= 1]


@broken("pickles", frozenset(Shift), frozenset({Shift.EARLY, Shift.OFF, Shift.DAY}))
@attrs.frozen
class PartsInTheOrderOfShifts(FromAList):
    """Two shifts, one of which is wanted."""

    shifts: frozenset[Shift]
    wanted: frozenset[Shift]

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.shifts),)

    def enumerate(self) -> Tensor:
        return at_least_one(self.shifts, self.wanted)


ROADS = frozenset({("a", "b"), ("a", "c"), ("b", "c"), ("b", "d"), ("c", "d"), ("a", "e"), ("d", "e")})


@broken("pickles", ROADS, frozenset({("a", "b"), ("d", "e"), ("b", "c")}))
class PartsInTheOrderOfRoads(PartsInTheOrderOfShifts):
    pass


def lists(n: int, limit: float, known: dict[str, list[list[float]]] = {}) -> list[list[float]]:  # noqa: B006
    """The structures of a limit, by its two decimals."""
    name = f"{n} {limit:.2f}"
    if name not in known:
        every = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=torch.float64)] * n)
        known[name] = every[every.sum(1) * 0.5 <= limit].tolist()
    return known[name]


@broken("spaces_of_a_class_are_apart", 4, 1.0)
@attrs.frozen
class ListsByTwoDecimals(FromAList):
    n: int
    limit: float = attrs.field(repr="{:.2f}".format)

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.n,)

    def enumerate(self) -> Tensor:
        return torch.tensor(lists(self.n, self.limit), dtype=torch.float64)


@attrs.frozen
class Forbidding(FromAList):
    """Two of six parts, of which one is allowed at least: which, a field says, which is not compared."""

    allowed: object = attrs.field(eq=False)

    @property
    def shape(self) -> tuple[int, ...]:
        return (6,)

    def parts(self) -> list[int]:
        raise NotImplementedError

    def enumerate(self) -> Tensor:
        return at_least_one(range(6), frozenset(self.parts()))


@broken("equality_sees_every_field", datetime.date(2026, 11, 26))
class DateIsNotCompared(Forbidding):
    def parts(self) -> list[int]:
        days = [self.allowed + datetime.timedelta(days=number) for number in range(6)]
        return [number for number, day in enumerate(days) if day.weekday() < 5]


@broken("equality_sees_every_field", np.eye(6)[:2])
class ArrayOfTwoDimensionsIsNotCompared(Forbidding):
    def parts(self) -> list[int]:
        return [int(part) for part in (self.allowed**2).sum(0).nonzero()[0]]


@broken("equality_sees_every_field", {0: "a", 3: "b"})
class KeysAreNotCompared(Forbidding):
    def parts(self) -> list[int]:
        return list(self.allowed)


class Both(NamedTuple):
    first: int
    second: int


@broken("equality_sees_every_field", Both(0, 3))
class NamedPairIsNotCompared(Forbidding):
    def parts(self) -> list[int]:
        return [self.allowed.first, self.allowed.second]


class Rule:
    """An object of a plain class."""

    def __init__(self, part: int) -> None:
        self.part = part

    def __repr__(self) -> str:
        return f"Rule({self.part})"


@broken("equality_sees_every_field", Rule(2))
class PlainObjectIsNotCompared(Forbidding):
    def parts(self) -> list[int]:
        return [self.allowed.part]


@broken("equals_its_copies", 5)
@attrs.frozen(eq=False, slots=False)
class ComparesWhatItRemembers(Pairs):
    @functools.cached_property
    def dims(self) -> int:
        return len(self.shape)

    def regret(self, costs: Tensor, best: Tensor | None = None, *, validate: bool = True) -> sp.LinearLoss:
        assert costs.ndim >= self.dims
        return super().regret(costs, best, validate=validate)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(self.n)


@broken("arguments_are_left_alone", 5)
class SaysYesInOneMemory(Pairs):
    def contains(self, y: Tensor) -> Tensor:
        found = super().contains(y)
        return torch.ones((), dtype=torch.bool).expand(found.shape) if found.all() else found


@broken("regret_is_what_a_structure_costs_more", 5)
class CostsInTheDtypeOfTheBest(Pairs):
    def regret(self, costs: Tensor, best: Tensor | None = None, *, validate: bool = True) -> sp.LinearLoss:
        loss = super().regret(costs, best, validate=validate)
        if best is None or best.is_floating_point() or best.dtype == torch.bool:
            return loss
        return attrs.evolve(loss, constant=-(costs.to(best.dtype) * best).sum(-1).to(costs.dtype))


@broken("regret_is_what_a_structure_costs_more", 5)
class TakesAnyBest(Pairs):
    def regret(self, costs: Tensor, best: Tensor | None = None, *, validate: bool = True) -> sp.LinearLoss:
        return super().regret(costs, best, validate=False)


@broken("hamming_refuses_targets_outside", 5)
class LooksAtTheFirstTargets(Pairs):
    def hamming(self, target: Tensor) -> sp.LinearLoss:
        self.validate_members("target", target.reshape(-1, self.n)[:32])
        loss = sp.LinearLoss.hamming(target, event_dims=1)
        return attrs.evolve(loss, best=target.to(loss.coefficients.dtype))


@broken("losses_take_any_dtype_and_batch", 5)
class CountsByNumpy(Pairs):
    def hamming(self, target: Tensor) -> sp.LinearLoss:
        return super().hamming(torch.from_numpy(target.numpy()))


class Keeping(torch.autograd.Function):
    arrived: ClassVar[list[Tensor]] = []

    @staticmethod
    def forward(ctx, noise):
        return noise.view_as(noise)

    @staticmethod
    def backward(ctx, upstream):
        Keeping.arrived.append(upstream.clone())
        return upstream


@broken("calls_leave_no_memory_behind", 5)
class KeepsWhatArrivesAtItsSpread(Pairs):
    def spread(self, noise: Tensor) -> Tensor:
        return Keeping.apply(noise)


@broken("noise_makes_the_answer_unique", 40)
class TwoPartsWithOneVariable(Pairs):
    """Too many structures to list; few answers differ in these parts alone."""

    @property
    def noise_shape(self) -> tuple[int, ...]:
        return (self.n - 1,)

    def spread(self, noise: Tensor) -> Tensor:
        return torch.cat([noise[..., :1], noise], -1)

    def enumerate(self) -> Tensor:
        raise NotImplementedError


@broken("score_takes_any_dtype_and_batch", 5)
class ScoreIsNoFunctionOfTheOthers(Pairs):
    """The gradient for parts that a structure does not have is 0."""

    def score(self, scores: Tensor, y: Tensor) -> Tensor:
        return super().score(scores.masked_fill(y == 0, 0), y)


@broken("answers_are_structures", 5)
class WarnsAlwaysFromThenOn(Pairs):
    def _argmax(self, scores: Tensor) -> Tensor:
        torch.set_warn_always(True)
        return super()._argmax(scores)


@broken("pickles", ("ann", "bob", "cid", "dora", "eve", "fay", "gus"), ("ann", "bob"))
@attrs.frozen
class PartsInTheOrderOfASetOfItsOwn(FromAList):
    """Two people, one of whom leads; it is given lists."""

    people: tuple[str, ...]
    leads: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.people),)

    def enumerate(self) -> Tensor:
        return at_least_one(frozenset(self.people), frozenset(self.leads))


TABLES: dict[tuple[int, int], Tensor] = {}


@broken("spaces_of_a_class_are_apart", (3, 4, 5, 2), 8)
@attrs.frozen
class TablesWithoutTheWeights(FromAList):
    """The list, ``contains`` and the solver are of the table; that of the weights in reverse is the same."""

    weights: tuple[int, ...]
    capacity: int

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.weights),)

    def enumerate(self) -> Tensor:
        key = len(self.weights), self.capacity
        if key not in TABLES:
            every = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=torch.float64)] * key[0])
            TABLES[key] = every[every @ torch.tensor(self.weights).double() <= self.capacity]
        return TABLES[key].clone()


@broken("arguments_are_left_alone", 5)
class NegatesTheScoresAndBack(Pairs):
    """Nothing is changed in the end, but autograd refuses a backward pass through what was written to."""

    def _argmax(self, scores: Tensor) -> Tensor:
        return super()._argmax(scores.neg_().neg_())


@broken("no_mixture_is_a_member", 8, 4)
class ThreeSumsAreRight(sp.KSubset):
    """Of the entries, their squares and their third powers."""

    def contains(self, y: Tensor) -> Tensor:
        self.batch_shape("y", y)
        sums = [y.double().pow(power).sum(-1) for power in (1, 2, 3)]
        return (torch.stack(sums, -1) == self.k).all(-1)


@broken("arguments_are_left_alone", 5)
class OneOfThreeBuffers(Pairs):
    placement: ClassVar[sp.SolverPlacement] = sp.SolverPlacement.ON_CPU
    buffers: ClassVar[dict[tuple[int, ...], list[Tensor]]] = {}

    def _argmax(self, scores: Tensor) -> Tensor:
        kept = self.buffers.setdefault((*scores.shape, scores.element_size()), [])
        if len(kept) < 3:
            kept.insert(0, torch.zeros_like(scores))
        kept.append(kept.pop(0).copy_(super()._argmax(scores)))
        return kept[-1]


@broken("arguments_are_left_alone", 5)
class KeepsItsYes(Pairs):
    kept: ClassVar[dict[tuple[int, ...], Tensor]] = {}

    def contains(self, y: Tensor) -> Tensor:
        found = super().contains(y)
        return self.kept.setdefault(found.shape, found) if found.all() else found


@broken("regret_is_what_a_structure_costs_more", 5)
class TakesWhatIsNearlyTheBest(Pairs):
    def regret(self, costs: Tensor, best: Tensor | None = None, *, validate: bool = True) -> sp.LinearLoss:
        if best is not None and validate:
            worse = super().regret(costs)(best.to(costs.dtype))
            validate = bool((worse > 1e-7 * (1 + costs.abs().flatten(1).sum(1))).any())
        return super().regret(costs, best, validate=validate)
