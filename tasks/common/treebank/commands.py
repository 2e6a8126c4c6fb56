"""What the command lines of both tasks have in common: train one network, judge it, or make a table of many."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from attrs import field, frozen, validators
from rich.console import Console
from rich.progress import Progress

from tasks.common.checkpoint import Checkpoint, checkpoint_beside
from tasks.common.files import exclusive
from tasks.common.results import commit, open_results
from tasks.common.settings import Seeds, not_negative
from tasks.common.table import complete, progress_bar
from tasks.common.treebank.conllu_files import Sentence
from tasks.common.treebank.results import Result, print_result
from tasks.common.treebank.session import Session, load_finished
from tasks.common.treebank.settings import Files, Training
from tasks.common.treebank.trainer import Learner, epochs_of

_FILES, _SEEDS = Files(), Seeds(3)


@frozen
class Experiment:
    """What a task trains and how it is judged."""

    run: type[Any]
    """An attrs class of a training, a method and a seed."""
    session: Callable[[Files], Session[Any, Any]]
    judge: Callable[[Any, Sequence[Sentence]], Any]
    """The measures of a network on some sentences."""
    result: type[Result[Any]]
    print_results: Callable[..., None]
    """Of results and a console; with ``test``, whether the test set is told."""

    def result_of(self, session: Session[Any, Learner], checkpoint: Checkpoint[Any], path: Path, *, test: bool) -> Any:
        """How good a training is on the dev set, and on the test set if asked for."""
        network = session.network(checkpoint, path)
        return self.result(
            run=checkpoint.run,
            dev=self.judge(network, session.dev),
            test=self.judge(network, session.test) if test else None,
            epochs=epochs_of(checkpoint.state),
            machine=f"{platform.machine()}, {torch.get_num_threads()} threads",
            commit=commit(),
        )


@frozen(kw_only=True)
class Train:
    """Train one network, or go on with it, and say how good it is on the dev set."""

    experiment: ClassVar[Experiment]

    training: Training
    method: Any
    """What the scores are trained on."""
    seed: int = field(default=0, validator=not_negative)
    """Fixes weights, batches, dropout and noise."""
    checkpoint: Path
    """The file that holds the training; if it exists, it goes on from there."""
    save_every: float = field(default=60.0, validator=validators.ge(0.0))
    """Seconds between two saves; the end is saved too."""
    files: Files = _FILES

    def run(self, console: Console) -> None:
        run = self.experiment.run(self.training, self.method, self.seed)
        session = self.experiment.session(self.files)
        with exclusive(self.checkpoint, "checkpoint"), progress_bar(console) as progress:
            trained = session.train(run, run.name, self.checkpoint, self.save_every, progress)
        print_result(self.experiment.result_of(session, trained, self.checkpoint, test=False), console)
        console.print(f"{self.checkpoint} holds it; the evaluate command takes the test set.", markup=False)


@frozen(kw_only=True)
class Evaluate:
    """Judge a checkpoint's network by the test set."""

    experiment: ClassVar[Experiment]

    checkpoint: Path
    """A finished training."""
    results: Path
    """The file that the result is appended to."""
    files: Files = _FILES

    def run(self, console: Console) -> None:
        checkpoint = load_finished(self.checkpoint, self.experiment.run)
        with open_results(self.results, self.experiment.result, console) as file:
            session = self.experiment.session(self.files)
            result = self.experiment.result_of(session, checkpoint, self.checkpoint, test=True)
            if checkpoint.run not in [known.run for known in file.read() if known.test is not None]:
                file.append([result])
        print_result(result, console)


@frozen(kw_only=True)
class Table:
    """Run many trainings, skipping those in the results file, and print how good they are."""

    experiment: ClassVar[Experiment]

    training: Training
    methods: tuple[Any, ...]
    """What to compare."""
    seeds: Seeds = _SEEDS
    test: bool = True
    """Take the test set; else only the dev set, as for any choice."""
    results: Path
    """The file that results are read from and appended to; checkpoints of unfinished runs lie beside it."""
    save_every: float = field(default=60.0, validator=validators.ge(0.0))
    """Seconds between two saves; the end is saved too."""
    files: Files = _FILES

    def run(self, console: Console) -> None:
        # Seed by seed, so that a table cut short has every method.
        runs = [self.experiment.run(self.training, method, seed) for seed in self.seeds for method in self.methods]
        session = self.experiment.session(self.files)

        def train(runs: Sequence[Any], progress: Progress) -> Iterator[Any]:
            for run in runs:
                path = checkpoint_beside(self.results, run)
                trained = session.train(run, run.name, path, self.save_every, progress)
                yield self.experiment.result_of(session, trained, path, test=self.test)
                path.unlink()  # the results file has it now

        with open_results(self.results, self.experiment.result, console) as file:
            results = complete(file, runs, train, console, counts=lambda r: r.test is not None or not self.test)
        self.experiment.print_results(results, console, test=self.test)
