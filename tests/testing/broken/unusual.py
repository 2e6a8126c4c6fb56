"""Spaces that are wrong by an unusual field, or in how they are stored, compared and shown."""

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


@broken("reads_well", 8)
class SaysAllItsStructures(Pairs):
    def __repr__(self) -> str:
        return f"SaysAllItsStructures(n={self.n}, structures={self.enumerate().tolist()})"


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
