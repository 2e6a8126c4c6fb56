"""The command line: each class is a command, each field an option."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import tyro
from attrs import field, frozen, validators
from rich.console import Console
from rich.progress import Progress

from benchmarks.page import rewrite
from benchmarks.study.axes import AXES, CELLS, settings_of
from benchmarks.study.problems import Kind, Result, Run, train
from benchmarks.study.report import page_tables, print_axes, print_rivals
from tasks.common.extra import tasks_extra
from tasks.common.files import DEFAULT_FOLDER
from tasks.common.results import commit, open_results
from tasks.common.settings import at_least_one
from tasks.common.table import complete

FIRST_SEED = 100_000
RESULTS = Path("benchmarks/study/results.jsonl")
PAGE = Path("docs/choosing.md")

_TOGETHER = {Kind.PATHS: 100, Kind.SORTING: 20}
"""How many seeds are trained as one batch; 1 unless named."""


def _known_axis(_: object, __: object, names: tuple[str, ...]) -> None:
    if unknown := sorted(set(names) - AXES.keys()):
        raise ValueError(f"axes: expected some of {', '.join(AXES)}, got {', '.join(unknown)}")


@frozen
class Train:
    """Train what the results file lacks, problem by problem, and print what there is."""

    kinds: tuple[Kind, ...] = field(default=tuple(Kind), validator=validators.min_len(1))
    """The problems."""
    axes: tuple[str, ...] = field(default=tuple(AXES), validator=_known_axis)
    """Which settings to try, by the names in ``axes.py``; the default is always among them."""
    seeds: int = field(default=10, validator=at_least_one)
    """How many trainings a setting has on each cell; they are those from 100,000 on."""
    results: Path = RESULTS
    """The file that results are read from and appended to."""
    data_dir: Path = Path("data")
    """Where MNIST lies, as torchvision lays it out."""

    def run(self, console: Console) -> None:
        with open_results(self.results, Result, console) as file:
            complete(file, self._runs(), self._train, console, together=lambda run: _TOGETHER.get(run.cell.kind, 1))
            print_axes(file.read(), console)

    def _runs(self) -> list[Run]:
        return [
            Run(cell, setting, seed)
            for cell in CELLS
            if cell.kind in self.kinds
            for setting in settings_of(cell, lambda name: name in self.axes)
            for seed in range(FIRST_SEED, FIRST_SEED + self.seeds)
        ]

    def _train(self, runs: Sequence[Run], _: Progress) -> Iterator[Result]:
        cell, setting, now = runs[0].cell, runs[0].setting, commit()
        outcomes = train(cell, setting, [run.seed for run in runs], self.data_dir)
        for run, (error, sigma) in zip(runs, outcomes, strict=True):
            yield Result(run, error, sigma, now)


@frozen
class Report:
    """Print what a results file says: every axis, and the rivals at the best of their grids."""

    results: Path = RESULTS
    """What ``train`` wrote."""

    def run(self, console: Console) -> None:
        with open_results(self.results, Result, console) as file:
            results = file.read()
        print_axes(results, console)
        print_rivals(results, console)


@frozen
class Page:
    """Write the tables of docs/choosing.md anew from a results file."""

    results: Path = RESULTS
    """What ``train`` wrote."""
    page: Path = PAGE
    """The page."""

    def run(self, console: Console) -> None:
        with open_results(self.results, Result, console) as file:
            rewrite(self.page, page_tables(file.read()))


@frozen
class Figure:
    """Draw the axes from a results file."""

    results: Path = RESULTS
    """What ``train`` wrote."""
    output: Path = DEFAULT_FOLDER / "study.png"
    """The picture."""

    def run(self, console: Console) -> None:
        with tasks_extra("benchmarks.study"):  # matplotlib, for this command alone
            from benchmarks.study.figure import draw

        with open_results(self.results, Result, console) as file:
            draw(file.read(), self.output)
        console.print(f"{self.output} has the picture.", markup=False, highlight=False)


Command = (
    Annotated[Train, tyro.conf.subcommand("train")]
    | Annotated[Report, tyro.conf.subcommand("report")]
    | Annotated[Page, tyro.conf.subcommand("page")]
    | Annotated[Figure, tyro.conf.subcommand("figure")]
)
