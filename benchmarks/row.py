"""A row of the table: two calls that are measured in turn, and how good their answers are."""

from __future__ import annotations

import enum
import importlib.util
from collections.abc import Callable

import numpy as np
import torch
from attrs import frozen
from torch import Tensor

_SAME = 1e-9  # of the values' size, in float64


class Group(enum.Enum):
    """What a row is about; the table is in this order."""

    STEP = "step"
    """A training step against the bare solver calls within it."""
    SHARES = "shares"
    """A part of a step against the whole."""
    RIVALS = "rivals"
    """The paper's Tables 2 and 4: a step against that of a relaxation."""
    SPACES = "spaces"
    """A space's argmax against what one would write by hand."""
    PROGRAMS = "programs"
    """``IntegerProgram`` against bare loops over OR-Tools' interfaces."""
    THREADS = "threads"
    """Two threads against one."""
    NEIGHBOURS = "neighbours"
    """Parts of the nearest-neighbour experiment's step against the whole."""
    PYEPO = "pyepo"
    """A training of predict-then-optimise against PyEPO's."""
    IMPORT = "import"
    """``import structpred`` against ``import torch``."""
    MEMORY = "memory"
    """Peaks of memory."""
    WITH_D = "d"
    """A step against the bare solver calls, for sequences of d numbers."""
    WITH_K = "k"
    """The same for subsets of k parts."""
    WITH_BATCH = "batch"
    """The same for batches of more and more examples."""
    WITH_DRAWS = "draws"
    """The same for more and more draws."""
    WITH_ENTRIES = "entries"
    """A step's peak of memory against the bytes of what it perturbs."""


class Unit(enum.Enum):
    """What is measured."""

    SECONDS = "seconds"
    """How long a call takes."""
    BYTES = "bytes"
    """What a call returns."""


@frozen
class Quality:
    """How good both answers are."""

    measure: str
    """What the numbers are."""
    ours: float
    reference: float
    same: bool
    """Whether they are the same, of each example by itself where there are several."""

    @classmethod
    def of_structures(
        cls, scores: Tensor | np.ndarray, ours: Tensor | np.ndarray, reference: Tensor | np.ndarray
    ) -> Quality:
        """Of two batches of structures: their values ``<scores, y>``, which are the largest of the space."""
        given, *both = (torch.as_tensor(it).double() for it in (scores, ours, reference))
        return cls.of_values(*((torch.where(y != 0, given, 0.0) * y).flatten(1).sum(1) for y in both))

    @classmethod
    def of_values(cls, ours: Tensor | np.ndarray, reference: Tensor | np.ndarray) -> Quality:
        """Of the values of two batches."""
        one, other = (torch.as_tensor(values).detach().double() for values in (ours, reference))
        size = max(1.0, float(other.abs().max()))
        same = bool(torch.allclose(one, other, rtol=0.0, atol=_SAME * size))
        return cls("value", float(one.mean()), float(other.mean()), same)


def _nothing() -> None:
    """Where there is nothing to do or to compare."""


@frozen
class Case:
    """What a row measures, made when it is measured."""

    ours: Callable[[], object]
    reference: Callable[[], object]
    quality: Callable[[], Quality | None] = _nothing
    """Called after all rounds; None where one is a part of the other."""
    prepare: Callable[[], object] = _nothing
    """Called before each round, and not measured."""


@frozen
class Row:
    """One row."""

    group: Group
    name: str
    reference: str
    """What it stands against."""
    make: Callable[[], Case]
    threads: int = 1
    """How many torch and the library may use."""
    size: float | None = None
    """Where the group is about growth: of what grows."""
    unit: Unit = Unit.SECONDS
    rounds: int = 7
    """At least; more as long as the row's time is not up."""
    needs: tuple[str, ...] = ()
    """Packages that no extra for development has."""

    @property
    def key(self) -> tuple[Group, str, str]:
        """Which row it is."""
        return self.group, self.name, self.reference

    def lacks(self) -> list[str]:
        """The packages that are not installed."""
        return [name for name in self.needs if importlib.util.find_spec(name) is None]
