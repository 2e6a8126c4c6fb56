"""The command line: each class is a command, each field an option."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro
from attrs import field, frozen, validators

from tasks.common.files import DEFAULT_FOLDER
from tasks.common.treebank import commands
from tasks.common.treebank.session import Session
from tasks.common.treebank.settings import Files, Training
from tasks.tagging.config import Method, Run
from tasks.tagging.results import Result, judge, print_results
from tasks.tagging.tagger import Tagger

_TRAINING = Training()
_CHECKPOINT, _RESULTS = DEFAULT_FOLDER / "tagging.pt", DEFAULT_FOLDER / "tagging.jsonl"


def session_of(files: Files) -> Session[Run, Tagger]:
    return Session(files, Tagger, lambda sentence: sentence.tags, tags=True)


_EXPERIMENT = commands.Experiment(Run, session_of, judge, Result, print_results)


@frozen(kw_only=True)
class Train(commands.Train):
    """Train one tagger, or go on with it, and say how good it is on the dev set."""

    experiment = _EXPERIMENT

    training: Training = _TRAINING
    method: Method = Method.DIRECT
    """What the scores are trained on."""
    checkpoint: Path = _CHECKPOINT
    """The file that holds the training; if it exists, it goes on from there."""


@frozen(kw_only=True)
class Evaluate(commands.Evaluate):
    """Tag the test set with a checkpoint's tagger."""

    experiment = _EXPERIMENT

    checkpoint: Path = _CHECKPOINT
    """A finished training."""
    results: Path = _RESULTS
    """The file that the result is appended to."""


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
    | Annotated[Table, tyro.conf.subcommand("table")]
)
