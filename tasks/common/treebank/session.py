"""Trains runs on the sentences of one treebank, each file of which is read once."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic

from rich.progress import Progress

import structpred as sp
from tasks.common.checkpoint import Checkpoint, State, damage_named
from tasks.common.training import go
from tasks.common.treebank.conllu_files import Sentence, read_sentences
from tasks.common.treebank.settings import Files
from tasks.common.treebank.trainer import AnyLearner, AnyRun, Trainer, epochs_of
from tasks.common.treebank.vocabulary import Vocabulary


class Session(Generic[AnyRun, AnyLearner]):
    """What a task trains, on which sentences.

    Args:
        files: the treebank.
        learner: makes the network of a run.
        labels: what a sentence's words are labelled with.
        trees: whether sentences must have trees.
        tags: whether they must have tags.
    """

    def __init__(
        self,
        files: Files,
        learner: Callable[[AnyRun, Vocabulary], AnyLearner],
        labels: Callable[[Sentence], Sequence[str]],
        *,
        trees: bool = False,
        tags: bool = False,
    ) -> None:
        self._files, self._learner, self._labels = files, learner, labels
        self._read = functools.partial(read_sentences, trees=trees, tags=tags)

    @functools.cached_property
    def train_sentences(self) -> list[Sentence]:
        return self._read(self._files.train_file, "train_file")

    @functools.cached_property
    def dev(self) -> list[Sentence]:
        return self._read(self._files.dev_file, "dev_file")

    @functools.cached_property
    def test(self) -> list[Sentence]:
        return self._read(self._files.test_file, "test_file")

    def train(self, run: AnyRun, name: str, path: Path, save_every: float, progress: Progress) -> Checkpoint[AnyRun]:
        """Goes on from the checkpoint if there is one, to the end; saves there; returns the last one.

        ``name`` is the run's, on the progress bar.
        """
        resumed = Checkpoint.resume(path, run)
        trainer = Trainer(run, self.train_sentences, self._labels, self._learner)
        if resumed:
            with damage_named(path):
                trainer.load_state(resumed.state)
        task = progress.add_task("", total=trainer.total_steps, completed=trainer.steps)

        def show() -> None:
            progress.update(task, completed=trainer.steps, description=f"{name}: {trainer.told()}")

        def save(state: State) -> None:
            Checkpoint(run, state).save(path)

        go(trainer, show, save, save_every)
        progress.remove_task(task)
        return Checkpoint(run, trainer.state())

    def network(self, checkpoint: Checkpoint[AnyRun], path: Path) -> AnyLearner:
        """The network that a training gives; ``path`` is where the checkpoint lies, for messages."""
        with damage_named(path):
            network = self._learner(checkpoint.run, Vocabulary.from_state(checkpoint.state["vocabulary"]))
            network.load_state_dict(checkpoint.state["network"])
        network.eval()
        return network


def load_finished(path: Path, kind: type[AnyRun]) -> Checkpoint[AnyRun]:
    """The checkpoint; ``ArgumentError`` unless its training has ended."""
    checkpoint = Checkpoint.load(path, kind)
    with damage_named(path):
        done, epochs = len(epochs_of(checkpoint.state)), checkpoint.run.training.epochs
    if done < epochs:
        raise sp.ArgumentError(
            f"checkpoint: expected a finished training, got one of {done} of {epochs} epochs in {str(path)!r}; "
            "finish it with the train command"
        )
    return checkpoint


def in_batches(sentences: Sequence[Sentence], words: int) -> list[list[int]]:
    """The places of sentences of about the same length, of so many words together at most where there are several."""
    order = sorted(range(len(sentences)), key=lambda index: len(sentences[index]))
    groups = list[list[int]]()
    for index in order:
        if not groups or (len(groups[-1]) + 1) * len(sentences[index]) > words:
            groups.append([])
        groups[-1].append(index)
    return groups
