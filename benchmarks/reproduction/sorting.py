"""Table 1: test lists sorted without error."""

from __future__ import annotations

import functools
from pathlib import Path

import attrs

from benchmarks.interval import Beside, Interval
from benchmarks.page import markdown
from benchmarks.reproduction.layout import counted, told
from tasks.common.results import ResultsFile
from tasks.common.settings import Scale
from tasks.sorting.config import AUTHORS, BEST, PAPER, Method, Training
from tasks.sorting.report import PAPER_GUMBEL_SINKHORN, PAPER_TABLE_1, described
from tasks.sorting.results import Result

_RESULTS = Path(__file__).parents[2] / "tasks" / "sorting" / "results"
_SLOW = attrs.evolve(BEST, score_rate=0.1, beta2=0.999)
COLUMNS = {
    "`paper`": {Method.DIRECT: PAPER, Method.GUMBEL_SINKHORN: PAPER},
    "`authors`": {Method.DIRECT: AUTHORS},
    "`best`": {Method.DIRECT: BEST, Method.GUMBEL_SINKHORN: attrs.evolve(_SLOW, temperature=3.0)},
    "its epsilon, its temperature": {
        Method.DIRECT: attrs.evolve(_SLOW, epsilon=-12.0, num_samples=5),
        Method.GUMBEL_SINKHORN: _SLOW,
    },
}
"""How each method was trained. The last column leaves the paper's -12 and 1 in otherwise good trainings."""
_ROWS = [*((Method.DIRECT, scale) for scale in Scale), (Method.GUMBEL_SINKHORN, Scale.ONE)]

Cell = tuple[int, Method, Scale]


@functools.cache
def _results() -> list[Result]:
    return [result for path in sorted(_RESULTS.glob("*.jsonl")) for result in ResultsFile(path, Result).read()]


def _cells(trainings: dict[Method, Training]) -> dict[Cell, list[Result]]:
    found: dict[Cell, list[Result]] = {}
    for result in _results():
        if result.training == trainings.get(result.method):
            found.setdefault((result.length, result.method, result.scale), []).append(result)
    return found


def _interval(results: list[Result]) -> Interval:
    return Interval.wilson(sum(result.outcome.perfect for result in results), len(results))


def _paper(cell: Cell) -> float | None:
    length, method, scale = cell
    figures = PAPER_GUMBEL_SINKHORN.get(length) if method is not Method.DIRECT else PAPER_TABLE_1.get((length, scale))
    return figures[0] if figures else None


def table() -> list[str]:
    """A row for each d and method that was measured, and the columns that have any."""
    of_columns = {name: cells for name, trainings in COLUMNS.items() if (cells := _cells(trainings))}
    columns = list(of_columns.values())
    measured = {cell for column in columns for cell in column}
    rows = []
    for cell in sorted(measured, key=lambda cell: (cell[0], _ROWS.index(cell[1:]))):
        paper = _paper(cell)
        some = next(column[cell][0] for column in columns if cell in column)
        ours = (
            told(_interval(column[cell]), len(column[cell]), paper, 1) if cell in column else "" for column in columns
        )
        rows.append([f"{cell[0]}, {described(some.run)}", "" if paper is None else f"{paper:.1f}", *ours])
    return markdown(["d, method", "paper", *of_columns], *rows)


def verdict() -> list[str]:
    """How each column's figures lie to the paper's."""
    return [counted(name, marks) for name, trainings in COLUMNS.items() if (marks := _marks(trainings))]


def _marks(trainings: dict[Method, Training]) -> list[Beside]:
    return [
        _interval(results).beside(paper)
        for cell, results in _cells(trainings).items()
        if (paper := _paper(cell)) is not None
    ]
