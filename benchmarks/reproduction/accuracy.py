"""Table 3: test images in the right class."""

from __future__ import annotations

import functools
from pathlib import Path

import attrs

from benchmarks.interval import Beside, Interval
from benchmarks.page import markdown
from benchmarks.reproduction.layout import counted, told
from tasks.common.report import cell_of
from tasks.common.results import ResultsFile
from tasks.knn.config import PAPER_MNIST, QUICK, Run
from tasks.knn.report import described, paper_percent
from tasks.knn.results import Result

_RESULTS = Path(__file__).parents[2] / "tasks" / "knn" / "results"
TRAININGS = {
    "`quick`": QUICK,
    "`quick --epochs 20`": attrs.evolve(QUICK, epochs=20, validate_every=5),
    "`quick --epsilon -0.05 --margin 1`": attrs.evolve(QUICK, epsilon=-0.05, margin=1.0),
    "`paper-mnist`": PAPER_MNIST,
}
_TEST_IMAGES = 10_000


@functools.cache
def _cells() -> dict[Run, list[Result]]:
    """Those with a test accuracy, by what they share but for the seed; of a run in two files, the first's."""
    found: dict[Run, list[Result]] = {}
    for path in sorted(_RESULTS.glob("*.jsonl")):
        for result in ResultsFile(path, Result).read():
            if result.test is not None and result.run.training in TRAININGS.values():
                cell = found.setdefault(cell_of(result.run), [])
                if all(known.run != result.run for known in cell):
                    cell.append(result)
    return found


def interval_of(results: list[Result]) -> Interval:
    """Of several seeds Student's; of one Wilson's, over the images, which leaves the seed's own share out."""
    accuracies = [result.test for result in results if result.test is not None]
    if len(accuracies) == 1:
        return Interval.wilson(round(accuracies[0] * _TEST_IMAGES), _TEST_IMAGES)
    return Interval.student([100 * accuracy for accuracy in accuracies])


def table() -> list[str]:
    """A row for each k and method that was measured, a column for each training that was."""
    rows: dict[tuple[int, str], dict[str, tuple[Run, list[Result]]]] = {}
    for run, results in _cells().items():
        name = next(name for name, training in TRAININGS.items() if training == run.training)
        rows.setdefault((run.k, described(run)), {})[name] = run, results
    shown = [name for name in TRAININGS if any(name in columns for columns in rows.values())]
    lines = []
    for (k, method), columns in sorted(rows.items(), key=lambda row: row[0][0]):
        paper = paper_percent(next(run for run, _ in columns.values()))
        ours = []
        for name in shown:
            results = columns[name][1] if name in columns else []
            ours.append(told(interval_of(results), len(results), paper, 2) if results else "")
        lines.append([f"{k}, {method}", "" if paper is None else f"{paper:.2f}", *ours])
    return markdown(["k, method", "paper", *shown], *lines)


def verdict() -> list[str]:
    """How each training's figures lie to the paper's."""
    marks: dict[str, list[Beside]] = {name: [] for name in TRAININGS}
    for run, results in _cells().items():
        paper = paper_percent(run)
        if paper is not None:
            name = next(name for name, training in TRAININGS.items() if training == run.training)
            marks[name].append(interval_of(results).beside(paper))
    return [counted(name, of) for name, of in marks.items() if of]
