"""The command line: each class is a command, each field an option."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro
from attrs import field, frozen, validators
from rich.console import Console
from rich.progress import Progress

import structpred as sp
from tasks.common.extra import tasks_extra
from tasks.common.files import DEFAULT_FOLDER
from tasks.common.report import print_table
from tasks.common.results import commit, open_results
from tasks.common.settings import Scale, Seeds, at_least_one, not_negative, some_at_least_one
from tasks.common.table import complete, progress_bar
from tasks.common.workers import Workers
from tasks.sorting.config import AUTHORS, BEST, PAPER, Method, Run, Training
from tasks.sorting.report import COLUMNS, TITLE, described, print_outcome
from tasks.sorting.results import Result
from tasks.sorting.train import Observer, train

Preset = (
    Annotated[Training, tyro.conf.subcommand("best", default=BEST, description="This project's own training.")]
    | Annotated[Training, tyro.conf.subcommand("paper", default=PAPER, description="The paper's, 5.1 and C.1.")]
    | Annotated[Training, tyro.conf.subcommand("authors", default=AUTHORS, description="Their published code's.")]
)

# Score entries of one sequence, over the runs of a batch: enough that the solver sets the time, and few
# enough that results come in steadily, and that there is a batch for each of some workers.
_ENTRIES_TOGETHER = 100_000
_MOST_TOGETHER = 25
_RELAXED = 10  # how many times the memory a relaxation takes, which keeps what each of its iterations made

_SEEDS, _WORKERS = Seeds(200), Workers()


@frozen
class Train:
    """Train one repetition and say how well it sorts."""

    training: Preset = BEST
    length: int = field(default=25, validator=at_least_one)
    """How many numbers a sequence has."""
    scale: Scale = Scale.ADAPTIVE
    """The noise: sigma = 0, sigma = 1, learned by a network, or adaptive."""
    method: Method = Method.DIRECT
    """What the network is trained on; but direct, it comes with a noise of its own."""
    seed: int = field(default=0, validator=not_negative)
    """Fixes data, initial weights and noise."""
    results: Path = DEFAULT_FOLDER / "sorting.jsonl"
    """The file that the result is appended to."""

    def run(self, console: Console) -> None:
        with open_results(self.results, Result, console) as file, progress_bar(console) as progress:
            task = progress.add_task("", total=self.training.epochs)

            def show(epoch: int, solution: sp.Solution) -> None:
                told = f"loss {solution.loss.mean().item():.4g}"
                if isinstance(solution, sp.DirectSolution):
                    told += f", gradients in {100 * solution.nonzero_fraction.item():.0f} %"
                progress.update(task, completed=epoch, description=told)

            scale = self.method.scale or self.scale
            (result,) = _train([Run(self.training, self.length, scale, self.seed, method=self.method)], show)
            file.append([result])
        print_outcome(result, console)


@frozen
class Table:
    """Run many repetitions, skipping those in the results file, and print Table 1's measures."""

    training: Preset = BEST
    lengths: tuple[int, ...] = field(default=(5, 10, 25, 40, 60, 100), validator=some_at_least_one)
    """How many numbers a sequence has."""
    scales: tuple[Scale, ...] = field(default=(Scale.ADAPTIVE,), validator=validators.min_len(1))
    """The noise settings of the direct loss."""
    methods: tuple[Method, ...] = field(default=(Method.DIRECT,), validator=validators.min_len(1))
    """What the networks are trained on."""
    seeds: Seeds = _SEEDS
    results: Path = DEFAULT_FOLDER / "sorting.jsonl"
    """The file that results are read from and appended to."""
    workers: Workers = _WORKERS

    def run(self, console: Console) -> None:
        runs = [
            Run(self.training, length, scale, seed, method=method)
            for length in self.lengths
            for method in self.methods
            for scale in ((method.scale,) if method.scale else self.scales)
            for seed in self.seeds
        ]
        with open_results(self.results, Result, console) as file:
            results = complete(file, runs, _train_with_bar, console, workers=self.workers, together=_together)
        print_table(TITLE, COLUMNS, results, console)


@frozen
class Figure:
    """Draw Figure 3: the loss, and the correct entries of y and y(eps), for both signs of epsilon."""

    training: Preset = PAPER
    lengths: tuple[int, ...] = field(default=(10, 100), validator=some_at_least_one)
    """How many numbers a sequence has."""
    epochs: int = field(default=500, validator=at_least_one)
    """How long every run trains; there is no early stop here."""
    runs: int = field(default=5, validator=at_least_one)
    """How many runs each curve is the mean of."""
    output: Path = DEFAULT_FOLDER / "sorting-figure-3.png"
    """The picture."""

    def run(self, console: Console) -> None:
        with tasks_extra("tasks.sorting"):  # matplotlib, for this command alone
            from tasks.sorting.figure import run_figure

        run_figure(self, console)


@frozen
class Predictions:
    """Draw Figure 1: how often each order of three numbers is y and y(eps), from no noise to nothing but noise."""

    draws: int = field(default=10_000, validator=at_least_one)
    """How many draws of noise each panel has."""
    output: Path = DEFAULT_FOLDER / "sorting-figure-1.png"
    """The picture."""

    def run(self, console: Console) -> None:
        with tasks_extra("tasks.sorting"):  # matplotlib, for this command alone
            from tasks.sorting.predictions import run_predictions

        run_predictions(self, console)


Command = (
    Annotated[Train, tyro.conf.CascadeSubcommandArgs, tyro.conf.subcommand("train")]
    | Annotated[Table, tyro.conf.CascadeSubcommandArgs, tyro.conf.subcommand("table")]
    | Annotated[Figure, tyro.conf.subcommand("figure")]
    | Annotated[Predictions, tyro.conf.subcommand("predictions")]
)


def _together(run: Run) -> int:
    entries = _ENTRIES_TOGETHER // (1 if run.method is Method.DIRECT else _RELAXED)
    return min(_MOST_TOGETHER, max(1, entries // run.length**2))


def _train(runs: Sequence[Run], observe: Observer) -> list[Result]:
    """Trains runs of one cell as one batch."""
    first, now = runs[0], commit()
    outcomes = train(
        first.training, first.scale, first.length, [run.seed for run in runs], observe, method=first.method
    )
    return [
        Result(first.length, first.scale, first.training, outcome, now, method=first.method) for outcome in outcomes
    ]


def _train_with_bar(runs: Sequence[Run], progress: Progress) -> list[Result]:
    first = runs[0]
    bar = progress.add_task(f"epochs at d = {first.length}, {described(first)}", total=first.training.epochs)
    results = _train(runs, lambda epoch, _: progress.update(bar, completed=epoch))
    progress.remove_task(bar)
    return results
