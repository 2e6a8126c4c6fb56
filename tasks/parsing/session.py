"""Trains and judges runs on the sentences of one treebank, which are read once."""

from __future__ import annotations

import functools
import platform
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.progress import Progress

from tasks.common.checkpoint import Checkpoint, State, damage_named
from tasks.common.results import commit
from tasks.common.treebank.conllu_files import Sentence, read_sentences
from tasks.common.treebank.settings import Files
from tasks.common.treebank.trainer import Trainer, epochs_of, go
from tasks.common.treebank.vocabulary import Vocabulary
from tasks.parsing.config import Run
from tasks.parsing.measures import Measures, measure, parse_all
from tasks.parsing.parser import Parser
from tasks.parsing.results import Result


class Session:
    """The sentences of a treebank, each file read when it is first needed."""

    def __init__(self, files: Files) -> None:
        self._files = files

    @functools.cached_property
    def train_sentences(self) -> list[Sentence]:
        return read_sentences(self._files.train, "train", trees=True)

    @functools.cached_property
    def dev(self) -> list[Sentence]:
        return read_sentences(self._files.dev, "dev", trees=True)

    @functools.cached_property
    def test(self) -> list[Sentence]:
        return read_sentences(self._files.test, "test", trees=True)

    def train(self, run: Run, path: Path, save_every: float, progress: Progress) -> State:
        """Goes on from the checkpoint if there is one, to the end; saves there; returns the last state."""
        resumed = Checkpoint.resume(path, run)
        trainer = Trainer(run, self.train_sentences, lambda sentence: sentence.relations, Parser)
        if resumed:
            with damage_named(path):
                trainer.load_state(resumed.state)
        task = progress.add_task("", total=trainer.total_steps, completed=trainer.steps)

        def show() -> None:
            told = f"{run.method.value}, seed {run.seed}: {trainer.told()}"
            progress.update(task, completed=trainer.steps, description=told)

        go(trainer, show, lambda state: Checkpoint(run, state).save(path), save_every)
        progress.remove_task(task)
        return trainer.state()

    def result(self, checkpoint: Checkpoint[Run], path: Path, *, test: bool) -> Result:
        """How good a training is on the dev set, and on the test set if asked for."""
        parser = parser_of(checkpoint, path)
        return Result(
            checkpoint.run,
            judge(parser, self.dev),
            judge(parser, self.test) if test else None,
            epochs_of(checkpoint.state),
            f"{platform.machine()}, {torch.get_num_threads()} threads",
            commit(),
        )


def judge(parser: Parser, sentences: Sequence[Sentence]) -> Measures:
    return measure(parse_all(parser, sentences), sentences)


def parser_of(checkpoint: Checkpoint[Run], path: Path) -> Parser:
    """The parser that a training gives; ``path`` is where the checkpoint lies, for messages."""
    with damage_named(path):
        parser = Parser(checkpoint.run, Vocabulary.from_state(checkpoint.state["vocabulary"]))
        parser.load_state_dict(checkpoint.state["network"])
    return parser
