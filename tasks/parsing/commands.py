"""The command line: each class is a command, each field an option."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro
from attrs import field, frozen, validators
from rich.console import Console

import structpred as sp
from tasks.common.checkpoint import Checkpoint
from tasks.common.files import DEFAULT_FOLDER, require_writable
from tasks.common.settings import at_least_one
from tasks.common.table import progress_bar
from tasks.common.treebank import commands
from tasks.common.treebank.conllu_files import read_sentences, with_tree, write_sentences
from tasks.common.treebank.settings import Files, Training
from tasks.common.treebank.trainer import epochs_of
from tasks.parsing.comparison import print_comparison, words_of
from tasks.parsing.config import Method, Run
from tasks.parsing.drawing import draw
from tasks.parsing.parser import Tree
from tasks.parsing.results import Result, print_results
from tasks.parsing.session import judge, parse_all, session_of

_TRAINING, _FILES = Training(), Files()
_CHECKPOINT, _RESULTS = DEFAULT_FOLDER / "parsing.pt", DEFAULT_FOLDER / "parsing.jsonl"
_EXPERIMENT = commands.Experiment(Run, session_of, judge, Result, print_results)


@frozen(kw_only=True)
class Train(commands.Train):
    """Train one parser, or go on with it, and say how good it is on the dev set."""

    experiment = _EXPERIMENT

    training: Training = _TRAINING
    method: Method = Method.DIRECT
    """What the scores of arcs are trained on."""
    checkpoint: Path = _CHECKPOINT
    """The file that holds the training; if it exists, it goes on from there."""


@frozen(kw_only=True)
class Evaluate(commands.Evaluate):
    """Parse the test set with a checkpoint's parser."""

    experiment = _EXPERIMENT

    checkpoint: Path = _CHECKPOINT
    """A finished training."""
    results: Path = _RESULTS
    """The file that the result is appended to."""


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
            parser = session_of(_FILES).network(checkpoint, self.checkpoint)
            trees = parse_all(parser, sentences, lambda count: progress.advance(task, count))
        parsed = [with_tree(one, tree.heads, tree.relations) for one, tree in zip(sentences, trees, strict=True)]
        write_sentences(self.output, "output", parsed)
        if self.draw is not None:
            sentence = sentences[self.draw - 1]
            console.print(draw(sentence.forms, trees[self.draw - 1], sentence.heads))


@frozen
class Compare:
    """Parse the dev set with two checkpoints' parsers, and print where their trees differ."""

    checkpoint: Path
    """A training, finished or not."""
    other: Path
    """Another."""
    files: Files = _FILES

    def run(self, console: Console) -> None:
        session, trees, names = session_of(self.files), list[list[Tree]](), list[str]()
        for path in (self.checkpoint, self.other):
            checkpoint = Checkpoint.load(path, Run)
            parser = session.network(checkpoint, path)
            trees.append(parse_all(parser, session.dev))
            names.append(checkpoint.run.method.value)
            sigma = f", sigma {parser.sigma:.3g}" if parser.sigma is not None else ""
            nonzero = [100 * epoch.nonzero for epoch in epochs_of(checkpoint.state)]
            shares = ", ".join(f"{share:.0f}" for share in nonzero)
            console.print(f"{checkpoint.run.name}: gradients in {shares} % of the sentences{sigma}", highlight=False)
        print_comparison((names[0], names[1]), words_of(session.dev, *trees), console)


@frozen(kw_only=True)
class Table(commands.Table):
    """Run many trainings, skipping those in the results file, and print how good they are."""

    experiment = _EXPERIMENT

    training: Training = _TRAINING
    methods: tuple[Method, ...] = field(default=tuple(Method), validator=validators.min_len(1))
    """What to compare."""
    results: Path = _RESULTS
    """The file that results are read from and appended to; checkpoints of unfinished runs lie beside it."""


Command = (
    Annotated[Train, tyro.conf.subcommand("train")]
    | Annotated[Evaluate, tyro.conf.subcommand("evaluate")]
    | Annotated[Parse, tyro.conf.subcommand("parse")]
    | Annotated[Compare, tyro.conf.subcommand("compare")]
    | Annotated[Table, tyro.conf.subcommand("table")]
)
