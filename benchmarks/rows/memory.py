"""Peaks of memory, each taken in a process of its own. Reads /proc, so it runs on Linux alone."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

import structpred as sp
from benchmarks.row import Case, Group, Row, Unit
from benchmarks.rows.neighbours import TRAININGS, Parts
from benchmarks.rows.programs import flow

_SIZES = [(10, 5, 40), (10, 5, 100), (20, 5, 100), (10, 20, 100), (40, 10, 100), (20, 10, 200)]  # batch, draws, d
_CALLS = 2000


def _step(batch: int, draws: int, length: int) -> int:
    """What one forward and backward pass adds to the process."""
    space = sp.Matching(length)
    objective = sp.PerturbedDirectLoss(space, num_samples=draws)

    def step(batch: int) -> None:
        scores = torch.zeros(batch, length, length, requires_grad=True)
        scale = torch.ones(batch, 1, 1, requires_grad=True)
        objective(scores, space.hamming(torch.eye(length).expand_as(scores)), scale=scale).backward()

    step(1)  # what the first call loads is not the step's
    before = _resident("VmHWM")
    step(batch)
    return _resident("VmHWM") - before


def _training(name: str) -> int:
    """Of the data and two steps, beyond what importing takes."""
    before = _resident("VmHWM")
    parts = Parts(TRAININGS[name])
    for _ in range(2):
        parts.trainer.step()
    return _resident("VmHWM") - before


def _images(name: str) -> int:
    return Parts(TRAININGS[name]).trainer.images.pixels.nbytes


def _program(calls: int) -> int:
    """What a process holds after so many calls of an integer program, and 200 before them."""
    space = flow(25, 40).space()
    scores = torch.randn(8, 40, generator=torch.Generator().manual_seed(0))
    for _ in range(200 + calls):
        space.argmax(scores)
    return _resident("VmRSS")


def _resident(field: str) -> int:
    """Bytes this process holds (VmRSS), or held at most (VmHWM: getrusage's figure would start with the parent's)."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return 1024 * int(status.partition(f"{field}:")[2].split()[0])


def _fresh(call: Callable[[], int]) -> int:
    """What the call returns in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(call)


def _case(ours: Callable[[], int], reference: Callable[[], int]) -> Case:
    return Case(partial(_fresh, ours), partial(_fresh, reference))


def _constant(value: int) -> int:
    return value


def _step_case(batch: int, draws: int, length: int) -> Case:
    entries = batch * draws * length**2
    return Case(partial(_fresh, partial(_step, batch, draws, length)), partial(_constant, 4 * entries))


def _row(name: str, reference: str, make: Callable[[], Case], rounds: int = 1) -> Row:
    return Row(Group.MEMORY, name, reference, make, threads=2, unit=Unit.BYTES, rounds=rounds)


ROWS = [
    *(
        Row(
            Group.WITH_ENTRIES,
            f"batch {batch}, {draws} draws, d = {length}",
            "its scores in float32",
            partial(_step_case, batch, draws, length),
            threads=2,
            size=batch * draws * length**2,
            unit=Unit.BYTES,
            rounds=2,
        )
        for batch, draws, length in _SIZES
    ),
    _row(
        f"`IntegerProgram`, after {_CALLS:,} more calls",
        "before them",
        partial(_case, partial(_program, _CALLS), partial(_program, 0)),
        rounds=2,
    ),
    *(
        _row(
            f"training of `{name}`",
            "its images",
            partial(_case, partial(_training, name), partial(_images, name)),
        )
        for name in ("quick", "paper-mnist")
    ),
]
