"""The table: what a row came to, in words, and how a group of them grows."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from attrs import frozen
from rich.console import Console

from benchmarks.measure import Quartiles, Result
from benchmarks.page import markdown
from benchmarks.row import Group, Quality, Unit
from tasks.common.results import ResultsFile

COMMITTED = Path(__file__).parent / "results.jsonl"
GROWTH = {
    Group.WITH_D: "d",
    Group.WITH_K: "k",
    Group.WITH_BATCH: "the batch",
    Group.WITH_DRAWS: "draws",
    Group.WITH_ENTRIES: "batch x draws x d², memory",
}
"""What grows, by the group of rows."""
_HEADING = ("", "against", "threads", "ours", "theirs", "ours / theirs", "answers")
_SCALES = {
    Unit.SECONDS: ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")),
    Unit.BYTES: ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")),
}


@functools.cache
def committed() -> tuple[Result, ...]:
    """The rows that the documentation tells of."""
    return latest(ResultsFile(COMMITTED, Result).read())


def latest(results: Iterable[Result]) -> tuple[Result, ...]:
    """The last result of each row."""
    return tuple({result.key: result for result in results}.values())


def print_table(results: Sequence[Result], console: Console) -> None:
    """Every row, and how fast what grows does."""
    for group in Group:
        for name, reference, threads, ours, theirs, ratio, answers in rows_of(results, group):
            line = f"{name}: {ours}; {reference}: {theirs}; ratio {ratio}, threads: {threads}; {answers}"
            console.print(line.replace("**", "").replace("`", ""), markup=False, highlight=False, soft_wrap=True)
    for growth in slopes_of(results):
        console.print(growth.told, markup=False, highlight=False, soft_wrap=True)


def table_of(results: Sequence[Result], group: Group) -> list[str]:
    """The Markdown of a group's rows; the column of answers only where there are some."""
    rows = rows_of(results, group)
    shown = len(_HEADING) - all(row[-1] == "" for row in rows)
    return markdown(_HEADING[:shown], *(row[:shown] for row in rows))


def rows_of(results: Iterable[Result], group: Group) -> list[list[str]]:
    return [
        [
            result.name,
            result.reference,
            str(result.threads),
            amount(result.ours.median, result.unit),
            amount(result.theirs.median, result.unit),
            f"**{digits(result.ratio.median)}** {spread(result.ratio)}",
            "" if result.quality is None else told(result.quality),
        ]
        for result in results
        if result.group is group
    ]


def machine_of(results: Sequence[Result]) -> list[str]:
    """One line: where and when."""
    machine = results[0].machine
    commits = Counter(result.commit for result in results)
    rows = " and ".join(f"{count} rows at commit {commit}" for commit, count in commits.items())
    return [f"{rows}, on {machine.cores} cores of {machine.processor}, Python {machine.python}, {machine.libraries}."]


def in_short(results: Sequence[Result]) -> list[str]:
    """A sentence on the step with 100 x 100 matchings."""
    steps = [row for row in results if row.group is Group.STEP and row.name == "step, d = 100"]
    bare, transposed = steps
    return [
        f"A training step with {bare.reference.split()[0]} matchings of 100 x 100, three for each draw and list, takes "
        f"{digits(bare.ratio.median)} times the bare solver calls,",
        f"or {digits(transposed.ratio.median)} times those calls on the transposed matrices, which `Matching` solves "
        "where that is faster.",
    ]


@frozen
class Slopes:
    """Growth as a power of the size: exponents fitted to the larger half of the sizes, where what a step takes whatever
    its size counts less."""

    group: Group
    ours: float
    theirs: float
    sizes: tuple[float, float]
    ratios: tuple[float, float]

    @property
    def told(self) -> str:
        return f"with {GROWTH[self.group]}: ours as its power {self.ours:.2f}, theirs {self.theirs:.2f}"


def slopes_of(results: Iterable[Result]) -> list[Slopes]:
    found = []
    for group in GROWTH:
        rows = growing(results, group)
        if len(rows) > 1:
            larger = rows[len(rows) // 2 - (len(rows) < 4) :]
            sizes = [row.size or math.nan for row in rows]
            found.append(
                Slopes(
                    group,
                    _slope(larger, [row.ours for row in larger]),
                    _slope(larger, [row.theirs for row in larger]),
                    (sizes[0], sizes[-1]),
                    (rows[0].ratio.median, rows[-1].ratio.median),
                )
            )
    return found


def growing(results: Iterable[Result], group: Group) -> list[Result]:
    """The rows of a group, by their size."""
    return sorted((result for result in results if result.group is group), key=lambda result: result.size or 0.0)


def slopes_table(results: Sequence[Result]) -> list[str]:
    heading = ["growth with", "from", "to", "ours: power", "theirs: power", "ours / theirs, first", "last"]
    rows = [
        [
            GROWTH[it.group],
            *(f"{size:,.0f}" for size in it.sizes),
            f"**{it.ours:.2f}**",
            f"{it.theirs:.2f}",
            *map(digits, it.ratios),
        ]
        for it in slopes_of(results)
    ]
    return markdown(heading, *rows)


def _slope(rows: Sequence[Result], measured: Sequence[Quartiles]) -> float:
    sizes = [row.size or math.nan for row in rows]
    return float(np.polyfit(np.log(sizes), np.log([it.median for it in measured]), 1)[0])


def amount(value: float, unit: Unit) -> str:
    """In the unit that suits it, to three digits."""
    scale, name = next(((scale, name) for scale, name in _SCALES[unit] if value >= scale), _SCALES[unit][-1])
    return f"{digits(value / scale)} {name}"


def digits(value: float) -> str:
    """To three digits, or two below 1, without an exponent."""
    shown = 3 if abs(float(f"{value:.2g}")) >= 1 else 2
    places = max(0, shown - 1 - math.floor(math.log10(abs(float(f"{value:.{shown}g}"))))) if value else 0
    return f"{value:,.{places}f}"


def spread(ratio: Quartiles) -> str:
    return f"({digits(ratio.low)} to {digits(ratio.high)})"


def told(quality: Quality) -> str:
    if quality.same:
        return "same value" if quality.measure == "value" else f"{quality.measure}: {digits(quality.ours)} both"
    return f"{quality.measure}: {digits(quality.ours)}, theirs {digits(quality.reference)}"
