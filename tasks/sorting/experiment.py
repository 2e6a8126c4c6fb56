"""The commands ``train`` and ``table``: train what the results file lacks, then report."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

import structpred as sp
from tasks.common.files import exclusive
from tasks.common.results import commit, plain
from tasks.common.settings import Scale
from tasks.sorting.commands import Table, Train
from tasks.sorting.config import Training
from tasks.sorting.report import print_outcome, print_table
from tasks.sorting.results import Result, ResultsFile
from tasks.sorting.train import Observer, train

# Score entries of one sequence, over the runs of a batch: enough that the solver sets the time, and few
# enough that results come in steadily.
_ENTRIES_TOGETHER = 100_000
_MOST_TOGETHER = 100


def run_train(command: Train, console: Console) -> None:
    """Trains one repetition with its loss and sigma on show."""
    with _opened(command.results, console) as file, _progress(console) as progress:
        task = progress.add_task("", total=command.training.epochs)

        def show(epoch: int, solution: sp.DirectSolution) -> None:
            loss, moved = solution.loss.mean().item(), 100 * solution.nonzero_fraction.item()
            progress.update(task, completed=epoch, description=f"loss {loss:.4g}, gradients in {moved:.0f} %")

        results = _repeat(file, command.training, command.scale, command.length, [command.seed], show)
    print_outcome(results[0], console)


def run_table(command: Table, console: Console) -> None:
    """Runs the missing repetitions in batches, and prints the table of all."""
    with _opened(command.results, console) as file:
        _fill(file, command, console)


def _fill(file: ResultsFile, command: Table, console: Console) -> None:
    training, wanted = command.training, range(command.first_seed, command.first_seed + command.repetitions)
    done = _results_of(file, training)
    cells = list(dict.fromkeys((length, scale) for length in command.lengths for scale in command.scales))
    with _progress(console) as progress:
        whole = progress.add_task("repetitions", total=len(cells) * len(wanted))
        batch = progress.add_task("epochs", total=training.epochs)
        for length, scale in cells:
            missing = [seed for seed in wanted if (length, scale, seed) not in done]
            progress.advance(whole, len(wanted) - len(missing))
            for seeds in _batches(missing, command.together, length):
                progress.reset(batch, description=f"epochs at d = {length}, sigma {scale.value}")

                def show(epoch: int, _: sp.Solution) -> None:
                    progress.update(batch, completed=epoch)

                _repeat(file, training, scale, length, seeds, show)
                progress.advance(whole, len(seeds))
    print_table([r for r in _results_of(file, training).values() if r.outcome.seed in wanted], cells, console)


def _results_of(file: ResultsFile, training: Training) -> dict[tuple[int, Scale, int], Result]:
    """The file's results for this training, each repetition once."""
    settings = plain(training)
    return {(r.length, r.scale, r.outcome.seed): r for r in file.read() if r.training == settings}


def _batches(seeds: Sequence[int], together: int | None, length: int) -> Iterator[Sequence[int]]:
    size = together or min(_MOST_TOGETHER, max(1, _ENTRIES_TOGETHER // length**2))
    for start in range(0, len(seeds), size):
        yield seeds[start : start + size]


def _repeat(
    file: ResultsFile, training: Training, scale: Scale, length: int, seeds: Sequence[int], observe: Observer
) -> list[Result]:
    outcomes = train(training, scale, length, seeds, observe)
    now = commit()
    results = [Result(length, scale, plain(training), outcome, now) for outcome in outcomes]
    file.append(results)
    return results


@contextlib.contextmanager
def _opened(path: Path, console: Console) -> Iterator[ResultsFile]:
    with exclusive(path, "results"):
        file = ResultsFile(path)
        file.report(console)
        yield file


def _progress(console: Console) -> Progress:
    text = TextColumn("{task.description}")
    return Progress(
        text, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(), console=console
    )
