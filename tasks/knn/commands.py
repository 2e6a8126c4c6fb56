"""The command line: each class is a command, each field an option."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import tyro
from attrs import field, frozen, validators
from rich.console import Console
from rich.progress import Progress

import structpred as sp
from tasks.common.checkpoint import Checkpoint, checkpoint_beside, damage_named
from tasks.common.extra import tasks_extra
from tasks.common.files import DEFAULT_FOLDER, exclusive
from tasks.common.report import print_table
from tasks.common.results import open_results
from tasks.common.settings import Scale, Seeds, at_least_one, not_negative, some_at_least_one
from tasks.common.table import complete, progress_bar
from tasks.common.workers import Workers
from tasks.knn.config import PAPER_CIFAR_10, PAPER_FASHION_MNIST, PAPER_MNIST, QUICK, Execution, Method, Run, Training
from tasks.knn.report import COLUMNS, TITLE, WIDTH, print_result
from tasks.knn.results import Result
from tasks.knn.session import Session, Source
from tasks.knn.train import epochs_of
from tasks.knn.world import World, joined

_PAPER = "The paper's, 5.2 and C.2; wants a GPU."

Preset = (
    Annotated[Training, tyro.conf.subcommand("quick", default=QUICK, description="MNIST on two CPU cores.")]
    | Annotated[Training, tyro.conf.subcommand("paper-mnist", default=PAPER_MNIST, description=_PAPER)]
    | Annotated[Training, tyro.conf.subcommand("paper-fashion-mnist", default=PAPER_FASHION_MNIST, description=_PAPER)]
    | Annotated[Training, tyro.conf.subcommand("paper-cifar-10", default=PAPER_CIFAR_10, description=_PAPER)]
)


_SOURCE, _EXECUTION, _SEEDS, _WORKERS = Source(), Execution(), Seeds(3), Workers()


@frozen
class Train:
    """Train one embedding, or go on with it, and say how good it is on held-out images.

    Under torchrun, all its processes train it, each with its own queries, candidates and noise.
    """

    training: Preset = QUICK
    k: int = field(default=5, validator=at_least_one)
    """How many neighbours vote."""
    scale: Scale = Scale.ADAPTIVE
    """The noise: sigma = 0, sigma = 1, learned by a network, or adaptive."""
    method: Method = Method.DIRECT
    """What the embedding is trained on; but direct, it comes with a noise of its own."""
    seed: int = field(default=0, validator=not_negative)
    """Fixes weights, batches and noise."""
    checkpoint: Path = DEFAULT_FOLDER / "knn.pt"
    """The file that holds the training; if it exists, it goes on from there."""
    save_every: float = field(default=60.0, validator=validators.ge(0.0))
    """Seconds between two saves; the end is saved too."""
    source: Source = _SOURCE
    execution: Execution = _EXECUTION

    def run(self, console: Console) -> None:
        with joined(self.execution.device) as world:
            self._run(world, console if world.first else Console(quiet=True))

    def _run(self, world: World, console: Console) -> None:
        scale = self.method.scale or self.scale
        run = Run(self.training, self.k, scale, self.seed, world.size, method=self.method)
        session = Session(run.training.dataset, self.source, self.execution, world)
        with contextlib.ExitStack() as stack:
            if world.first:
                stack.enter_context(exclusive(self.checkpoint, "checkpoint"))
            progress = stack.enter_context(progress_bar(console))
            state = session.train(run, self.checkpoint, self.save_every, progress)
        if world.first:
            print_result(session.result(run, state, test=None), console)
            console.print(f"{self.checkpoint} holds it; the evaluate command classifies the test images.", markup=False)


@frozen
class Evaluate:
    """Classify the test images by a checkpoint's neighbours among all training images."""

    checkpoint: Path = DEFAULT_FOLDER / "knn.pt"
    """A finished training."""
    results: Path = DEFAULT_FOLDER / "knn.jsonl"
    """The file that the result is appended to."""
    source: Source = _SOURCE
    execution: Execution = _EXECUTION

    def run(self, console: Console) -> None:
        checkpoint = Checkpoint.load(self.checkpoint, Run)
        run, state = checkpoint.run, checkpoint.state
        with damage_named(self.checkpoint):
            done, epochs = len(epochs_of(state)), run.training.epochs
        if done < epochs:
            raise sp.ArgumentError(
                f"checkpoint: expected a finished training, got one of {done} of {epochs} epochs in "
                f"{str(self.checkpoint)!r}; finish it with the train command"
            )
        session = Session(run.training.dataset, self.source, self.execution)
        with open_results(self.results, Result, console) as file:
            result = session.result(run, state, session.test(checkpoint, self.checkpoint))
            if run not in [known.run for known in file.read() if known.test is not None]:
                file.append([result])
        print_result(result, console)


@frozen
class Table:
    """Run many trainings, skipping those in the results file, and print Table 3's measure."""

    training: Preset = QUICK
    ks: tuple[int, ...] = field(default=(1, 3, 5, 9), validator=some_at_least_one)
    """How many neighbours vote."""
    scales: tuple[Scale, ...] = field(default=(Scale.ADAPTIVE,), validator=validators.min_len(1))
    """The noise settings of the direct loss."""
    methods: tuple[Method, ...] = field(default=(Method.DIRECT,), validator=validators.min_len(1))
    """What the embeddings are trained on."""
    seeds: Seeds = _SEEDS
    test: bool = True
    """Classify the test images; else only the held-out ones, as for any choice."""
    results: Path = DEFAULT_FOLDER / "knn.jsonl"
    """The file that results are read from and appended to; checkpoints of unfinished runs lie beside it."""
    save_every: float = field(default=60.0, validator=validators.ge(0.0))
    """Seconds between two saves; the end is saved too."""
    source: Source = _SOURCE
    execution: Execution = _EXECUTION
    workers: Workers = _WORKERS

    def run(self, console: Console) -> None:
        # Seed by seed, so that a table cut short has every cell.
        runs = [
            Run(self.training, k, scale, seed, method=method)
            for seed in self.seeds
            for k in self.ks
            for method in self.methods
            for scale in ((method.scale,) if method.scale else self.scales)
        ]
        session = Session(self.training.dataset, self.source, self.execution)
        trainings = _Trainings(session, self.results.absolute(), self.save_every, self.test)

        def counts(result: Result) -> bool:
            return result.test is not None or not self.test

        def written(result: Result) -> None:
            trainings.checkpoint(result.run).unlink(missing_ok=True)  # the results file has it now

        with open_results(self.results, Result, console) as file:
            results = complete(file, runs, trainings, console, workers=self.workers, counts=counts, written=written)
        print_table(TITLE, COLUMNS, results, console, WIDTH)


@frozen
class _Trainings:
    """What trains runs in any process that reaches the folder of the results, where checkpoints lie."""

    session: Session
    results: Path
    save_every: float
    test: bool

    def checkpoint(self, run: Run) -> Path:
        return checkpoint_beside(self.results, run)

    def __call__(self, runs: Sequence[Run], progress: Progress) -> Iterator[Result]:
        for run in runs:
            path = self.checkpoint(run)
            state = self.session.train(run, path, self.save_every, progress)
            test = self.session.test(Checkpoint(run, state), path) if self.test else None
            yield self.session.result(run, state, test)


@frozen
class Picture:
    """Draw held-out images with their nearest neighbours, before training and after."""

    checkpoint: Path = DEFAULT_FOLDER / "knn.pt"
    """A training."""
    queries: int = field(default=8, validator=at_least_one)
    """How many images."""
    output: Path = DEFAULT_FOLDER / "knn.png"
    """The picture."""
    source: Source = _SOURCE
    execution: Execution = _EXECUTION

    def run(self, console: Console) -> None:
        with tasks_extra("tasks.knn"):  # matplotlib, for this command alone
            from tasks.knn.picture import run_picture

        run_picture(self, console)


Command = (
    Annotated[Train, tyro.conf.CascadeSubcommandArgs, tyro.conf.subcommand("train")]
    | Annotated[Evaluate, tyro.conf.subcommand("evaluate")]
    | Annotated[Table, tyro.conf.CascadeSubcommandArgs, tyro.conf.subcommand("table")]
    | Annotated[Picture, tyro.conf.subcommand("picture")]
)
