"""The command line: each class is a command, each field an option."""

from __future__ import annotations

import platform
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import torch
import tyro
from attrs import field, frozen, validators
from rich.console import Console
from rich.progress import Progress

from tasks.common.checkpoint import Checkpoint, checkpoint_beside
from tasks.common.files import DEFAULT_FOLDER, exclusive
from tasks.common.report import Column, count, mean, median, median_path, print_table
from tasks.common.results import commit, open_results
from tasks.common.settings import Seeds, not_negative
from tasks.common.table import complete, progress_bar
from tasks.common.treebank.session import Session, load_finished
from tasks.common.treebank.settings import Files, Training
from tasks.common.treebank.significance import chance_of_worse
from tasks.common.treebank.trainer import epochs_of
from tasks.tagging.config import Method, Run
from tasks.tagging.results import Measures, Result, judge
from tasks.tagging.tagger import Tagger

_TRAINING, _FILES, _SEEDS = Training(epochs=10), Files(), Seeds(3)
_CHECKPOINT = DEFAULT_FOLDER / "tagging.pt"


@frozen
class Train:
    """Train one tagger, or go on with it, and say how good it is on the dev set."""

    training: Training = _TRAINING
    method: Method = Method.DIRECT
    """What the scores are trained on."""
    seed: int = field(default=0, validator=not_negative)
    """Fixes weights, batches, dropout and noise."""
    checkpoint: Path = _CHECKPOINT
    """The file that holds the training; if it exists, it goes on from there."""
    save_every: float = field(default=60.0, validator=validators.ge(0.0))
    """Seconds between two saves within an epoch."""
    files: Files = _FILES

    def run(self, console: Console) -> None:
        run, session = Run(self.training, self.method, self.seed), session_of(self.files)
        with exclusive(self.checkpoint, "checkpoint"), progress_bar(console) as progress:
            trained = session.train(run, run.name, self.checkpoint, self.save_every, progress)
        print_result(result_of(session, trained, self.checkpoint, test=False), console)
        console.print(f"{self.checkpoint} holds it; the evaluate command tags the test set.", markup=False)


@frozen
class Evaluate:
    """Tag the test set with a checkpoint's tagger."""

    checkpoint: Path = _CHECKPOINT
    """A finished training."""
    results: Path = DEFAULT_FOLDER / "tagging.jsonl"
    """The file that the result is appended to."""
    files: Files = _FILES

    def run(self, console: Console) -> None:
        checkpoint = load_finished(self.checkpoint, Run)
        with open_results(self.results, Result, console) as file:
            result = result_of(session_of(self.files), checkpoint, self.checkpoint, test=True)
            if checkpoint.run not in [known.run for known in file.read() if known.test is not None]:
                file.append([result])
        print_result(result, console)


@frozen
class Table:
    """Run many trainings, skipping those in the results file, and print how good they are."""

    training: Training = _TRAINING
    methods: tuple[Method, ...] = field(default=tuple(Method), validator=validators.min_len(1))
    """What to compare."""
    seeds: Seeds = _SEEDS
    test: bool = True
    """Tag the test set; else only the dev set, as for any choice."""
    results: Path = DEFAULT_FOLDER / "tagging.jsonl"
    """The file that results are read from and appended to; checkpoints of unfinished runs lie beside it."""
    save_every: float = field(default=60.0, validator=validators.ge(0.0))
    """Seconds between two saves within an epoch."""
    files: Files = _FILES

    def run(self, console: Console) -> None:
        # Seed by seed, so that a table cut short has every method.
        runs = [Run(self.training, method, seed) for seed in self.seeds for method in self.methods]
        session = session_of(self.files)

        def train(runs: Sequence[Run], progress: Progress) -> Iterator[Result]:
            for run in runs:
                path = checkpoint_beside(self.results, run)
                trained = session.train(run, run.name, path, self.save_every, progress)
                yield result_of(session, trained, path, test=self.test)
                path.unlink()  # the results file has it now

        with open_results(self.results, Result, console) as file:
            results = complete(file, runs, train, console, counts=lambda r: r.test is not None or not self.test)
        print_results(results, console, test=self.test)


def session_of(files: Files) -> Session[Run, Tagger]:
    return Session(files, Tagger, lambda sentence: sentence.tags, tags=True)


def result_of(session: Session[Run, Tagger], checkpoint: Checkpoint[Run], path: Path, *, test: bool) -> Result:
    """How good a training is on the dev set, and on the test set if asked for."""
    tagger = session.network(checkpoint, path)
    return Result(
        checkpoint.run,
        judge(tagger, session.dev),
        judge(tagger, session.test) if test else None,
        epochs_of(checkpoint.state),
        f"{platform.machine()}, {torch.get_num_threads()} threads",
        commit(),
    )


def print_results(results: Sequence[Result], console: Console, *, test: bool) -> None:
    """A row for each method; p is the fraction of resampled sets on which it is not better than cross-entropy."""

    def of(result: Result) -> Measures:
        return result.test if test and result.test is not None else result.dev

    def against_cross_entropy(own: Sequence[Result]) -> str:
        usual = {r.run.seed: of(r) for r in results if r.run.method is Method.CROSS_ENTROPY}
        pairs = [(of(r).right, usual[r.run.seed].right) for r in own if r.run.seed in usual]
        if own[0].run.method is Method.CROSS_ENTROPY or not pairs:
            return ""
        ours, theirs = ([sum(each) for each in zip(*side, strict=True)] for side in zip(*pairs, strict=True))
        return f"{chance_of_worse(ours, theirs):.4f}"

    columns = (
        Column[Result]("method", lambda own: own[0].run.method.value),
        Column[Result]("runs", count),
        Column[Result]("right", lambda own: mean([100 * of(result).accuracy for result in own], statistics.stdev)),
        Column[Result]("p", against_cross_entropy),
        Column[Result]("non-zero", lambda own: median_path([[100 * e.nonzero for e in r.epochs] for r in own], ".0f")),
        Column[Result]("min/run", lambda own: median([result.seconds / 60 for result in own], ".1f")),
    )
    print_table(f"Percent of words with the right tag, {'test' if test else 'dev'} set", columns, results, console)


def print_result(result: Result, console: Console) -> None:
    """One training in words."""
    told = [("dev", result.dev)] + ([("test", result.test)] if result.test is not None else [])
    for name, measures in told:
        console.print(
            f"{result.run.name}, {name} set: {100 * measures.accuracy:.2f} % of the tags are right; trained in "
            f"{result.seconds / 60:.1f} min, with gradients in {100 * result.epochs[-1].nonzero:.0f} % of the "
            "sentences in the last epoch.",
            highlight=False,
        )


Command = (
    Annotated[Train, tyro.conf.subcommand("train")]
    | Annotated[Evaluate, tyro.conf.subcommand("evaluate")]
    | Annotated[Table, tyro.conf.subcommand("table")]
)
