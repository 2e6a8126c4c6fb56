"""The command line: each class is a command, each field an option."""

from __future__ import annotations

import functools
import platform
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import torch
import tyro
from attrs import field, frozen, validators
from rich.console import Console
from rich.progress import Progress

from tasks.common.extra import tasks_extra
from tasks.common.files import DEFAULT_FOLDER, require_writable, whole_file
from tasks.common.report import print_table
from tasks.common.results import commit, open_results
from tasks.common.settings import Seeds, not_negative
from tasks.common.table import complete, progress_bar
from tasks.common.workers import Workers
from tasks.matching.board import even
from tasks.matching.config import ALL_IMAGES, LEARNED, QUICK, Method, Run, Training
from tasks.matching.data import Data, load
from tasks.matching.networks import WeightNetwork
from tasks.matching.report import COLUMNS, TITLE, print_measures
from tasks.matching.results import Result
from tasks.matching.train import measure, new_grids, predict, steps_of, train

Preset = (
    Annotated[Training, tyro.conf.subcommand("quick", default=QUICK, description="Grids of 1,000 images.")]
    | Annotated[Training, tyro.conf.subcommand("all-images", default=ALL_IMAGES, description="Grids of 55,000 images.")]
    | Annotated[Training, tyro.conf.subcommand("learned", default=LEARNED, description="quick, but 10 a + b unknown.")]
)

_SEEDS, _WORKERS = Seeds(3, first_seed=200_000), Workers()
_STEPS_PER_LOOK = 10


@frozen
class Train:
    """Train one network, and say how good its matchings are on grids of held-out training images."""

    training: Preset = QUICK
    k: int = field(default=4, validator=even)
    """Cells in a row of the grid, and in a column."""
    method: Method = Method.DIRECT_HAMMING
    """What the network is trained on."""
    seed: int = field(default=0, validator=not_negative)
    """Fixes grids, initial weights, batches and noise."""
    picture: Path | None = None
    """Where to draw a grid of held-out images, with its target and what the network finds, as a PNG."""
    data_dir: Path = Path("data")
    """The root that holds MNIST, as torchvision lays it out."""

    def run(self, console: Console) -> None:
        run = Run(self.training, self.k, self.method, self.seed)
        if self.picture is not None:
            require_writable(self.picture, "picture")
        data = load(self.data_dir)
        with progress_bar(console) as progress:
            network, seconds = _train(run, data, progress)
        print_measures(measure(run, network, data.held_out), seconds, console)
        if self.picture is not None:
            _draw(run, network, data, self.picture)


@frozen
class Table:
    """Run many trainings, skipping those in the results file, and print how good their matchings are."""

    training: Preset = QUICK
    k: int = field(default=4, validator=even)
    """Cells in a row of the grid, and in a column."""
    methods: tuple[Method, ...] = field(default=tuple(Method), validator=validators.min_len(1))
    """What networks are trained on."""
    seeds: Seeds = _SEEDS
    test: bool = True
    """Judge on grids of test images too; else only on others, as for any choice."""
    results: Path = DEFAULT_FOLDER / "matching.jsonl"
    """The file that results are read from and appended to."""
    data_dir: Path = Path("data")
    """The root that holds MNIST, as torchvision lays it out."""
    workers: Workers = _WORKERS

    def run(self, console: Console) -> None:
        # Seed by seed, so that a table cut short has every method.
        runs = [Run(self.training, self.k, method, seed) for seed in self.seeds for method in self.methods]
        trainings = _Trainings(self.data_dir.absolute(), self.test)

        def counts(result: Result) -> bool:
            return result.test is not None or not self.test

        with open_results(self.results, Result, console) as file:
            results = complete(file, runs, trainings, console, workers=self.workers, counts=counts)
        print_table(TITLE, COLUMNS, results, console)


Command = (
    Annotated[Train, tyro.conf.CascadeSubcommandArgs, tyro.conf.subcommand("train")]
    | Annotated[Table, tyro.conf.CascadeSubcommandArgs, tyro.conf.subcommand("table")]
)


def _train(run: Run, data: Data, progress: Progress) -> tuple[WeightNetwork, float]:
    bar = progress.add_task("", total=steps_of(run))

    def show(step: int, loss: float) -> None:
        if step % _STEPS_PER_LOOK == 0:
            told = f"k = {run.k}, {run.method.value}, seed {run.seed}: loss {loss:.3g}"
            progress.update(bar, completed=step, description=told)

    network, seconds = train(run, data, show)
    progress.remove_task(bar)
    return network, seconds


@frozen
class _Trainings:
    """What trains runs in any process, each of which reads the images itself, once they are needed."""

    root: Path
    test: bool

    @functools.cached_property
    def data(self) -> Data:
        return load(self.root)

    def __call__(self, runs: Sequence[Run], progress: Progress) -> Iterator[Result]:
        return (_result(run, self.data, progress, test=self.test) for run in runs)


def _result(run: Run, data: Data, progress: Progress, *, test: bool) -> Result:
    network, seconds = _train(run, data, progress)
    trained_on, held_out = (measure(run, network, some) for some in (data.pool(run.training.digits), data.held_out))
    tested = measure(run, network, data.test) if test else None
    machine = f"{platform.machine()}, {torch.get_num_threads()} threads"
    return Result(run, trained_on, held_out, tested, round(seconds, 1), machine, commit())


def _draw(run: Run, network: WeightNetwork, data: Data, path: Path) -> None:
    with tasks_extra("tasks.matching"):  # matplotlib, for a picture alone
        from tasks.matching.picture import draw

    grid = new_grids(run, data.held_out)[:1]
    with whole_file(path, "picture") as unfinished:
        draw(grid, predict(network, grid), unfinished)
