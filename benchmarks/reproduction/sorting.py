"""Table 1: test lists sorted without error."""

from __future__ import annotations

import functools
from pathlib import Path

import attrs

from benchmarks.reproduction.interval import Beside, Interval
from benchmarks.reproduction.layout import counted, markdown, told
from tasks.common.results import ResultsFile
from tasks.common.settings import Scale
from tasks.sorting.config import AUTHORS, BEST, PAPER, Method, Training
from tasks.sorting.report import PAPER_GUMBEL_SINKHORN, PAPER_TABLE_1, described
from tasks.sorting.results import Result

_RESULTS = Path(__file__).parents[2] / "tasks" / "sorting" / "results"
TRAININGS = {
    "`paper`": PAPER,
    "`authors`": AUTHORS,
    "`best`": BEST,
    "`best --temperature 3`": attrs.evolve(BEST, temperature=3.0),
    "`best --epsilon -12`": attrs.evolve(BEST, epsilon=-12.0),
}
_ROWS = [*((Method.DIRECT, scale) for scale in Scale), (Method.GUMBEL_SINKHORN, Scale.ONE)]

Cell = tuple[int, Method, Scale]


@functools.cache
def _results() -> list[Result]:
    return [result for path in sorted(_RESULTS.glob("*.jsonl")) for result in ResultsFile(path, Result).read()]


def _cells(training: Training) -> dict[Cell, list[Result]]:
    found: dict[Cell, list[Result]] = {}
    for result in _results():
        if result.training == training:
            found.setdefault((result.length, result.method, result.scale), []).append(result)
    return found


def _interval(results: list[Result]) -> Interval:
    return Interval.wilson(sum(result.outcome.perfect for result in results), len(results))


def _paper(cell: Cell) -> float | None:
    length, method, scale = cell
    figures = PAPER_GUMBEL_SINKHORN.get(length) if method is not Method.DIRECT else PAPER_TABLE_1.get((length, scale))
    return figures[0] if figures else None


def table() -> list[str]:
    """A row for each d and method that was measured, a column for each training that was."""
    of_trainings = {name: cells for name, training in TRAININGS.items() if (cells := _cells(training))}
    columns = list(of_trainings.values())
    measured = {cell for column in columns for cell in column}
    rows = []
    for cell in sorted(measured, key=lambda cell: (cell[0], _ROWS.index(cell[1:]))):
        paper = _paper(cell)
        some = next(column[cell][0] for column in columns if cell in column)
        ours = (
            told(_interval(column[cell]), len(column[cell]), paper, 1) if cell in column else "" for column in columns
        )
        rows.append([f"{cell[0]}, {described(some.run)}", "" if paper is None else f"{paper:.1f}", *ours])
    return markdown(["d, method", "paper", *of_trainings], rows)


def verdict() -> list[str]:
    """How each training's figures lie to the paper's."""
    return [counted(name, marks) for name, training in TRAININGS.items() if (marks := _marks(training))]


def _marks(training: Training) -> list[Beside]:
    return [
        _interval(results).beside(paper)
        for cell, results in _cells(training).items()
        if (paper := _paper(cell)) is not None
    ]
