"""Trains what a results file lacks of a table."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import attrs
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tasks.common.report import HasRun, cell_of
from tasks.common.results import ResultsFile

Run = TypeVar("Run", bound=attrs.AttrsInstance)
Result = TypeVar("Result", bound=HasRun)


def complete(
    file: ResultsFile[Result],
    runs: Sequence[Run],
    train: Callable[[Sequence[Run], Progress], Iterable[Result]],
    console: Console,
    *,
    together: Callable[[Run], int] = lambda _: 1,
    counts: Callable[[Result], bool] = lambda _: True,
) -> list[Result]:
    """Trains the runs that the file lacks, and returns the results of all, in the order of ``runs``.

    Args:
        file: where results are; each that ``train`` gives is appended before the next is asked for, so that a killed
            table goes on from there.
        runs: what the table consists of; a run named twice is one. Each is an attrs value with a ``seed``.
        train: the results of some runs of one cell, each with its ``run``; the progress is for bars of its own.
        console: shows how far it is.
        together: how many runs of this one's cell ``train`` gets at once.
        counts: whether a result in the file makes its run done.
    """
    runs = list(dict.fromkeys(runs))
    known = _by_run(filter(counts, file.read()))
    if missing := [run for run in runs if run not in known]:
        with progress_bar(console) as progress:
            done = progress.add_task("runs", total=len(runs), completed=len(runs) - len(missing))
            for batch in _batches(missing, together):
                for result in train(batch, progress):
                    file.append([result])
                    progress.advance(done)
        known = _by_run(filter(counts, file.read()))
    return [known[run] for run in runs]


def progress_bar(console: Console) -> Progress:
    text = TextColumn("{task.description}")
    return Progress(
        text, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(), console=console
    )


def _by_run(results: Iterable[Result]) -> dict[Any, Result]:
    return {result.run: result for result in results}  # of those of one run, the last


def _batches(runs: Sequence[Run], together: Callable[[Run], int]) -> Iterator[Sequence[Run]]:
    for _, of_cell in itertools.groupby(runs, cell_of):
        batch = list(of_cell)
        size = together(batch[0])
        yield from (batch[start : start + size] for start in range(0, len(batch), size))
