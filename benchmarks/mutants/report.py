"""What became of the mutants, and what the results say."""

from __future__ import annotations

import collections
import enum
from collections.abc import Sequence
from pathlib import PurePath

from attrs import frozen
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.interval import Interval
from benchmarks.mutants.mutations import Mutant


class Outcome(enum.Enum):
    """What became of a mutant."""

    KILLED = "killed"
    TIMED_OUT = "timed out"
    """Or its process died."""
    SURVIVED = "survived"


@frozen
class Result:
    """A mutant's end."""

    run: Mutant
    outcome: Outcome
    judge: str
    """The test that failed; empty where none did, or the library could not be imported."""
    judges: int
    """How many there were."""
    seconds: float
    commit: str


@frozen
class Explained:
    """A survivor that is right too, or whose harm no test should look for."""

    run: Mutant
    reason: str


def print_report(results: Sequence[Result], explained: Sequence[Explained], console: Console) -> None:
    """Prints what survived without a reason, and the score of each part of the library.

    The score is of the mutants that are not explained. Its interval is Wilson's, for 95 %: where the score of all
    mutants lies, if these are a sample of them.
    """
    reasons = {each.run for each in explained}
    survivors = [result for result in results if result.outcome is Outcome.SURVIVED]
    for result in survivors:
        if result.run not in reasons:
            console.print(f"{result.run}: {result.judges} judges", markup=False, highlight=False, soft_wrap=True)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), width=100)
    for heading in ("part", "mutants", "killed", "timed out", "survived", "explained", "score", "95 %"):
        table.add_column(heading, justify="left" if heading == "part" else "right", no_wrap=True)
    parts = {part_of(result.run): None for result in sorted(results, key=lambda result: result.run.file)}
    for part in [*parts, "all"]:
        its = [result for result in results if part in ("all", part_of(result.run))]
        count = collections.Counter(result.outcome for result in its)
        right = sum(result.run in reasons for result in its if result.outcome is Outcome.SURVIVED)
        dead, counted = len(its) - count[Outcome.SURVIVED], len(its) - right
        numbers = (len(its), *(count[outcome] for outcome in Outcome), right)
        score = Interval.wilson(dead, counted) if counted else None
        told = (f"{score.value:.1f}%", f"{score.low:.1f}% to {score.high:.1f}%") if score else ()
        table.add_row(part, *map(str, numbers), *told)
    console.print(table, crop=False)


def part_of(mutant: Mutant) -> str:
    """``spaces``, ``objectives``, ``layers``, or the kernel and what it is made of."""
    parts = PurePath(mutant.file).parts
    return parts[1] if len(parts) > 2 else "kernel, noise, loss"
