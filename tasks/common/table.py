"""Trains what a results file lacks of a table."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import attrs
from attrs import frozen
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tasks.common.report import HasRun, cell_of
from tasks.common.results import ResultsFile
from tasks.common.workers import Workers, WorkersDiedError

Run = TypeVar("Run", bound=attrs.AttrsInstance)
Result = TypeVar("Result", bound=HasRun)

_ALONE = Workers()


def complete(
    file: ResultsFile[Result],
    runs: Sequence[Run],
    train: Callable[[Sequence[Run], Progress], Iterable[Result]],
    console: Console,
    *,
    workers: Workers = _ALONE,
    together: Callable[[Run], int] = lambda _: 1,
    counts: Callable[[Result], bool] = lambda _: True,
    written: Callable[[Result], None] = lambda _: None,
) -> list[Result]:
    """Trains the runs that the file lacks, and returns the results of all, in the order of ``runs``.

    Args:
        file: where results are; each that ``train`` gives is appended before the next is asked for, so that a killed
            table goes on from there.
        runs: what the table consists of; a run named twice is one. Each is an attrs value with a ``seed``.
        train: the results of some runs of one cell, each with its ``run``; the progress is for bars of its own. It is
            pickled where other processes train.
        console: shows how far it is.
        workers: where it trains.
        together: how many runs of this one's cell ``train`` gets at once. Which those are hangs neither on the number
            of workers nor on what the file has, as the rounding of a batch may hang on all that is in it.
        counts: whether a result in the file makes its run done.
        written: called after a result was appended.

    Raises:
        WorkersDiedError: after all else is in the file; its items are the runs that are not.
    """
    runs = list(dict.fromkeys(runs))
    known = _by_run(filter(counts, file.read()))
    missing = [[run for run in batch if run not in known] for batch in _batches(runs, together)]
    if missing := [batch for batch in missing if batch]:
        with progress_bar(console) as progress:
            lacking = sum(map(len, missing))
            done = progress.add_task("runs", total=len(runs), completed=len(runs) - lacking)
            for results in _train(missing, train, progress, workers):
                file.append(results)
                for result in results:
                    written(result)
                progress.advance(done, len(results))
        known = _by_run(filter(counts, file.read()))
    return [known[run] for run in runs]


def _train(
    batches: Sequence[Sequence[Run]],
    train: Callable[[Sequence[Run], Progress], Iterable[Result]],
    progress: Progress,
    workers: Workers,
) -> Iterator[list[Result]]:
    """Some results after others, as they come."""
    if workers.workers is None:
        for batch in batches:
            for result in train(batch, progress):
                yield [result]
        return
    try:
        yield from workers.answers(_Unseen(train), batches)
    except WorkersDiedError as error:
        raise WorkersDiedError([run for batch in error.items for run in batch], error.reason) from error


@frozen
class _Unseen(Generic[Run, Result]):
    """Trains in another process, where nobody sees a bar."""

    train: Callable[[Sequence[Run], Progress], Iterable[Result]]

    def __call__(self, runs: Sequence[Run]) -> list[Result]:
        return list(self.train(runs, Progress(disable=True)))


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
