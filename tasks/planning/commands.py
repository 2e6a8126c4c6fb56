"""The command line: each class is a command, each field an option."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import tyro
from attrs import field, frozen, validators
from rich.console import Console
from rich.progress import Progress

from tasks.common.extra import tasks_extra
from tasks.common.files import DEFAULT_FOLDER
from tasks.common.results import open_results
from tasks.common.settings import Seeds, at_least_one, not_negative, some_at_least_one
from tasks.common.table import complete, progress_bar
from tasks.common.workers import Workers
from tasks.planning.config import Kind, Result, Run
from tasks.planning.experiment import results_of
from tasks.planning.objectives import Method
from tasks.planning.report import chosen_by, default_knob, print_comparison, print_regrets
from tasks.planning.train import Training

_REPORTED = Seeds(10, first_seed=200_000)
_CHOOSING = 100_000  # the first of the seeds on which settings may be chosen
_METHODS = tuple(Method)
_WORKERS = Workers()


@frozen
class Train:
    """Train on one data seed, and compare with the two-stage method."""

    method: Method = Method.DIRECT
    """What to train on."""
    kind: Kind = Kind.PATHS
    """Which plans."""
    size: int | None = field(default=None, validator=validators.optional(at_least_one))
    """The side of the grid, or the number of items; 5 and 32 unless given."""
    degree: int = field(default=6, validator=at_least_one)
    """Of the polynomial that the costs are of the features."""
    rows: int = field(default=1000, validator=at_least_one)
    """To train on."""
    noise_width: float = 0.5
    """How far noise moves a cost, relative to it."""
    hidden: int | None = None
    """The width of a hidden layer; the network is linear if None."""
    seed: int = field(default=100_000, validator=not_negative)
    """Fixes instances, initial weights and noise."""

    def run(self, console: Console) -> None:
        results = {}
        with progress_bar(console) as progress:
            for method in dict.fromkeys((self.method, Method.MSE)):
                training = _training(self.rows, self.hidden)
                run = Run(self.kind, _size(self), self.degree, self.rows, self.noise_width, method, training, self.seed)
                (results[method],) = _train([run], progress, [method.default])
        own, two_stage = results[self.method], results[Method.MSE]
        console.print(
            f"regret on {own.run.problem.test_rows:,} unseen rows: {100 * own.untrained:.1f} % before training, "
            f"{100 * own.regret():.2f} % after {own.seconds:.1f} s with {self.method.value}; "
            f"{100 * two_stage.regret():.2f} % with the two-stage method.",
            highlight=False,
            soft_wrap=True,
        )


@frozen
class Table:
    """Train every method on every cell, skipping what the results file holds, and print the regrets.

    On as many other seeds, from 100,000 on, each method's knob is chosen for each cell.
    """

    kind: Kind = Kind.PATHS
    """Which plans."""
    size: int | None = field(default=None, validator=validators.optional(at_least_one))
    """The side of the grid, or the number of items; 5 and 32 unless given."""
    methods: tuple[Method, ...] = field(default=_METHODS, validator=validators.min_len(1))
    """What to train on."""
    degrees: tuple[int, ...] = field(default=(1, 2, 4, 6, 8), validator=some_at_least_one)
    """Of the polynomial that the costs are of the features."""
    rows: tuple[int, ...] = field(default=(100, 1000), validator=some_at_least_one)
    """To train on."""
    noise_widths: tuple[float, ...] = field(default=(0.0, 0.5), validator=validators.min_len(1))
    """How far noise moves a cost, relative to it."""
    hidden: int | None = None
    """The width of a hidden layer; the network is linear if None."""
    seeds: Seeds = _REPORTED
    choose: bool = True
    """Whether to choose knobs, and print what the chosen ones reach too."""
    results: Path = DEFAULT_FOLDER / "planning.jsonl"
    """The file that results are read from and appended to."""
    workers: Workers = _WORKERS

    def run(self, console: Console) -> None:
        choosing = range(_CHOOSING, _CHOOSING + self.seeds.repetitions) if self.choose else ()
        with open_results(self.results, Result, console) as file:
            runs = self._runs([*choosing, *self.seeds])
            results = complete(file, runs, _train_all, console, workers=self.workers, together=lambda _: 100)
        shown = [result for result in results if result.run.seed in set(self.seeds)]
        title = f"Normalised regret of {self.kind.value} in percent, mean of {self.seeds.repetitions} data seeds"
        print_regrets(f"{title}, defaults", shown, default_knob, console)
        print_comparison("Over all cells, defaults", shown, default_knob, console)
        if self.choose:
            choice = chosen_by([result for result in results if result.run.seed in set(choosing)])
            print_regrets(f"{title}, the best knob of each method and cell on other seeds", shown, choice, console)
            print_comparison("Over all cells, the best knobs on other seeds", shown, choice, console)

    def _runs(self, seeds: Iterable[int]) -> list[Run]:
        return [
            Run(self.kind, _size(self), degree, rows, noise_width, method, _training(rows, self.hidden), seed)
            for rows in self.rows
            for noise_width in self.noise_widths
            for degree in self.degrees
            for method in self.methods
            for seed in seeds
        ]


@frozen
class Figure:
    """Draw the regret over the degree, for each method at its default, from a results file."""

    results: Path = DEFAULT_FOLDER / "planning.jsonl"
    """What ``table`` wrote."""
    output: Path = DEFAULT_FOLDER / "planning.png"
    """The picture."""

    def run(self, console: Console) -> None:
        with tasks_extra("tasks.planning"):  # matplotlib, for this command alone
            from tasks.planning.figure import draw

        with open_results(self.results, Result, console) as file:
            draw([result for result in file.read() if result.run.seed in set(_REPORTED)], self.output)
        console.print(f"{self.output} has the picture.", markup=False, highlight=False)


Command = (
    Annotated[Train, tyro.conf.subcommand("train")]
    | Annotated[Table, tyro.conf.subcommand("table")]
    | Annotated[Figure, tyro.conf.subcommand("figure")]
)


def _size(command: Train | Table) -> int:
    return command.kind.usual_size if command.size is None else command.size


def _training(rows: int, hidden: int | None) -> Training:
    """With few rows, more epochs: at least 300 steps."""
    return Training(epochs=max(20, 10_000 // rows), hidden=hidden)


def _train(runs: Sequence[Run], progress: Progress, knobs: Sequence[float]) -> list[Result]:
    first = runs[0]
    where = f"degree {first.degree}, {first.rows:,} rows, noise {first.noise_width:g}"
    bar = progress.add_task(f"{first.method.value}: {where}", total=first.training.epochs)
    results = list(results_of(runs, knobs, lambda epoch, _: progress.update(bar, completed=epoch)))
    progress.remove_task(bar)
    return results


def _train_all(runs: Sequence[Run], progress: Progress) -> list[Result]:
    return _train(runs, progress, runs[0].method.knobs)
