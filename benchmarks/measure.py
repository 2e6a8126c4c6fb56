"""Measures a row: both calls in turn, round after round, and what comes of it."""

from __future__ import annotations

import functools
import os
import platform
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from attrs import frozen

from benchmarks.row import Group, Quality, Row, Unit
from tasks.common.results import commit

_MOST_ROUNDS = 400
_LIBRARIES = ("torch", "numpy", "scipy", "networkx", "ortools")


@frozen
class Quartiles:
    """A median, and the quartiles around it."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Quartiles:
        return cls(*(float(f"{value:.5g}") for value in np.quantile(values, (0.25, 0.5, 0.75))))


@frozen
class Machine:
    """What kind of machine measured."""

    processor: str
    cores: int
    python: str
    libraries: str

    @classmethod
    @functools.cache
    def here(cls) -> Machine:
        libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
        return cls(_processor(), os.cpu_count() or 1, platform.python_version(), libraries)


@frozen
class Result:
    """A row that was measured."""

    group: Group
    name: str
    reference: str
    unit: Unit
    threads: int
    size: float | None
    rounds: int
    ours: Quartiles
    theirs: Quartiles
    ratio: Quartiles
    """Of the ratios ours / theirs within the rounds."""
    quality: Quality | None
    machine: Machine
    commit: str

    @property
    def key(self) -> tuple[Group, str, str]:
        return self.group, self.name, self.reference


def measure(row: Row, seconds: float) -> Result:
    """Measures a row for about so many seconds, but at least its own number of rounds.

    In every other round ours comes first. Where time is measured, one round before them does not count.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(row.threads)
    torch.manual_seed(0)
    try:
        case = row.make()
        warm_up = row.unit is Unit.SECONDS
        take = _seconds if warm_up else _returned
        pairs: list[tuple[float, float]] = []
        ends = 0.0
        while len(pairs) < row.rounds + warm_up or (time.perf_counter() < ends and len(pairs) <= _MOST_ROUNDS):
            case.prepare()
            if len(pairs) % 2:
                ours, theirs = take(case.ours), take(case.reference)
            else:
                theirs, ours = take(case.reference), take(case.ours)
            ends = ends or time.perf_counter() + seconds * warm_up
            pairs.append((ours, theirs))
        quality = case.quality()
    finally:
        torch.set_num_threads(before)
    counted = pairs[warm_up:]
    return Result(
        row.group, row.name, row.reference, row.unit, row.threads, row.size, len(counted),
        Quartiles.of([ours for ours, _ in counted]),
        Quartiles.of([theirs for _, theirs in counted]),
        Quartiles.of([ours / theirs for ours, theirs in counted]),
        quality, Machine.here(), commit(),
    )  # fmt: skip


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _returned(call: Callable[[], object]) -> float:
    value = call()
    assert isinstance(value, int | float)
    return float(value)


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    named = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return f"{named[0]} ({platform.machine()})" if named else platform.machine()
