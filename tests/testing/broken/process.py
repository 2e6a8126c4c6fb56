"""Spaces that answer by what a process has: the order of its sets, tables of all spaces, settings of torch."""

from __future__ import annotations

import itertools
from typing import ClassVar

import attrs
import torch
from torch import Tensor

import structpred as sp
from tests.testing.pairs import FromAList, Pairs, broken

PEOPLE = ("ann", "bob", "cid", "dora", "eve", "fay", "gus", "hal")


@broken("pickles", frozenset(PEOPLE), frozenset(PEOPLE[::2]))
@attrs.frozen
class PartsInTheOrderOfASet(FromAList):
    """Two people, one of whom leads."""

    people: frozenset[str]
    leads: frozenset[str]

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.people),)

    def enumerate(self) -> Tensor:
        every = Pairs(len(self.people)).enumerate().double()
        leads = torch.tensor([name in self.leads for name in self.people], dtype=torch.float64)
        return every[every @ leads >= 1]


@broken("reads_well", 5)
class PrintsShortlyFromThenOn(Pairs):
    def __repr__(self) -> str:
        torch.set_printoptions(precision=2)
        return f"PrintsShortlyFromThenOn(n={self.n})"


@broken("noise_makes_the_answer_unique", 8)
class OneVariableForEachRow(sp.Matching):
    @property
    def noise_shape(self) -> tuple[int, ...]:
        return (self.rows,)

    def spread(self, noise: Tensor) -> Tensor:
        return noise.unsqueeze(-1).expand(*noise.shape, self.cols)


@broken("spaces_of_a_class_are_apart", 12, 2)
@attrs.frozen
class AllOfATableByOneField(FromAList):
    """At most so many of n parts; the list, ``contains`` and the solver are of the table."""

    n: int
    most: int
    lists: ClassVar[dict[int, Tensor]] = {}

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.n,)

    def enumerate(self) -> Tensor:
        if self.n not in self.lists:
            every = torch.tensor(list(itertools.product((0.0, 1.0), repeat=self.n)), dtype=torch.float64)
            self.lists[self.n] = every[every.sum(-1) <= self.most]
        return self.lists[self.n].clone()


@broken("spaces_of_a_class_are_apart", 5, 2)
class ListsByOneField(AllOfATableByOneField):
    """What ``contains`` accepts is right."""

    lists: ClassVar[dict[int, Tensor]] = {}

    def contains(self, y: Tensor) -> Tensor:
        return ((y == 0) | (y == 1)).all(-1) & (y.double().sum(-1) <= self.most)


AT_IMPORT = torch.get_num_threads()


@broken("threads_do_not_matter", 5)
class SetsTheThreadsOfTheImport(Pairs):
    def _argmax(self, scores: Tensor) -> Tensor:
        torch.set_num_threads(1)
        y = super()._argmax(scores)
        torch.set_num_threads(AT_IMPORT)
        return y


@broken("threads_do_not_matter_in_large_batches", 5)
class SetsTheThreadsForManyRows(Pairs):
    placement = sp.SolverPlacement.ON_CPU

    def _argmax(self, scores: Tensor) -> Tensor:
        y = super()._argmax(scores)
        if len(scores) > 500:
            torch.set_num_threads(2)
        return y
