"""The command line: each class is a command, each field an option."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import tyro
from attrs import field, frozen, validators
from rich.console import Console
from rich.progress import Progress

import structpred as sp
from tasks.common.checkpoint import Checkpoint, checkpoint_beside
from tasks.common.files import DEFAULT_FOLDER, exclusive, require_writable
from tasks.common.results import open_results
from tasks.common.settings import Seeds, at_least_one, not_negative
from tasks.common.table import complete, progress_bar
from tasks.common.treebank.conllu_files import read_sentences, with_tree, write_sentences
from tasks.common.treebank.session import load_finished
from tasks.common.treebank.settings import Files, Training
from tasks.parsing.config import Method, Run
from tasks.parsing.drawing import draw
from tasks.parsing.report import print_result, print_results
from tasks.parsing.results import Result
from tasks.parsing.session import parse_all, result_of, session_of

_TRAINING, _FILES, _SEEDS = Training(), Files(), Seeds(3)
_CHECKPOINT = DEFAULT_FOLDER / "parsing.pt"


@frozen
class Train:
    """Train one parser, or go on with it, and say how good it is on the dev set."""

    training: Training = _TRAINING
    method: Method = Method.DIRECT
    """What the scores of arcs are trained on."""
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
        console.print(f"{self.checkpoint} holds it; the evaluate command parses the test set.", markup=False)


@frozen
class Evaluate:
    """Parse the test set with a checkpoint's parser."""

    checkpoint: Path = _CHECKPOINT
    """A finished training."""
    results: Path = DEFAULT_FOLDER / "parsing.jsonl"
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
class Parse:
    """Parse a CoNLL-U file, whose words may lack heads, with a checkpoint's parser."""

    input: Path
    """The file to parse. Multiword tokens, empty nodes and comments stay as they are."""
    output: Path
    """The same with trees, as CoNLL-U."""
    checkpoint: Path = _CHECKPOINT
    """A training, finished or not."""
    draw: int | None = field(default=None, validator=validators.optional(at_least_one))
    """The number of a sentence, from 1, to draw on the terminal; heads that differ from those in the file are red."""

    def run(self, console: Console) -> None:
        require_writable(self.output, "output")
        checkpoint = Checkpoint.load(self.checkpoint, Run)
        sentences = read_sentences(self.input, "input")
        if self.draw is not None and self.draw > len(sentences):
            raise sp.ArgumentError(
                f"draw: expected at most {len(sentences)}, the sentences of the file, got {self.draw}"
            )
        with progress_bar(console) as progress:
            task = progress.add_task("sentences", total=len(sentences))
            parser = session_of(Files()).network(checkpoint, self.checkpoint)
            trees = parse_all(parser, sentences, lambda count: progress.advance(task, count))
        parsed = [with_tree(one, tree.heads, tree.relations) for one, tree in zip(sentences, trees, strict=True)]
        write_sentences(self.output, "output", parsed)
        if self.draw is not None:
            sentence = sentences[self.draw - 1]
            console.print(draw(sentence.forms, trees[self.draw - 1], sentence.heads))


@frozen
class Table:
    """Run many trainings, skipping those in the results file, and print how good they are."""

    training: Training = _TRAINING
    methods: tuple[Method, ...] = field(default=tuple(Method), validator=validators.min_len(1))
    """What to compare."""
    seeds: Seeds = _SEEDS
    test: bool = True
    """Parse the test set; else only the dev set, as for any choice."""
    results: Path = DEFAULT_FOLDER / "parsing.jsonl"
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


Command = (
    Annotated[Train, tyro.conf.subcommand("train")]
    | Annotated[Evaluate, tyro.conf.subcommand("evaluate")]
    | Annotated[Parse, tyro.conf.subcommand("parse")]
    | Annotated[Table, tyro.conf.subcommand("table")]
)
