"""One training, step by step; everything it knows can be saved and goes on from there."""

from __future__ import annotations

import abc
import copy
import enum
import time
from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

import attrs
import torch
from attrs import frozen
from torch import Tensor, nn

from tasks.common.checkpoint import State, on_cpu
from tasks.common.seeds import seed_for, seeded
from tasks.common.structure import structure
from tasks.common.treebank.conllu_files import Sentence
from tasks.common.treebank.settings import Training
from tasks.common.treebank.vocabulary import Vocabulary

_LARGEST_GRADIENT = 5.0
_BETAS = (0.9, 0.95)


class Stream(enum.IntEnum):
    """What random numbers are for: each has its own, so that none shifts the others."""

    WEIGHTS = 0
    ORDER = 1
    STEP = 2


class Run(attrs.AttrsInstance, Protocol):
    """The run of a task."""

    @property
    def training(self) -> Training: ...
    @property
    def seed(self) -> int: ...


AnyRun = TypeVar("AnyRun", bound=Run)


class Learner(nn.Module, abc.ABC):
    """A network, with what it is trained on."""

    @abc.abstractmethod
    def loss(self, sentences: Sequence[Sentence], progress: float) -> tuple[Tensor, float]:
        """The loss of a step, and the fraction of sentences whose gradient for the scores is not 0.

        ``progress`` is how much of the training is done, from 0 to 1.
        """


AnyLearner = TypeVar("AnyLearner", bound=Learner)


@frozen
class Epoch:
    """One pass over the training sentences."""

    loss: float
    """Its mean over the steps."""
    nonzero: float
    """The fraction of sentences that had a gradient."""
    seconds: float
    """The training steps alone."""


class Trainer(Generic[AnyRun]):
    """A run on its way. Two with the same run and sentences take the same steps.

    Args:
        run: what to train.
        sentences: all those of the training file.
        labels: what a sentence's words are labelled with.
        learner: makes the network of a run.
    """

    def __init__(
        self,
        run: AnyRun,
        sentences: Sequence[Sentence],
        labels: Callable[[Sentence], Sequence[str]],
        learner: Callable[[AnyRun, Vocabulary], Learner],
    ) -> None:
        training = run.training
        self.run = run
        self.sentences = sentences[: training.sentences]
        self.vocabulary = Vocabulary.of(self.sentences, (label for one in self.sentences for label in labels(one)))
        with seeded(seed_for(run.seed, Stream.WEIGHTS)):
            self.network = learner(run, self.vocabulary)
        self._optimizer = torch.optim.Adam(self.network.parameters(), training.rate, betas=_BETAS, fused=True)
        self._batches = batches(self.sentences, training.batch_words, run.seed, 0)
        self._schedule = torch.optim.lr_scheduler.OneCycleLR(
            self._optimizer, training.rate, total_steps=self.total_steps + 1, pct_start=0.1, cycle_momentum=False
        )
        self._sums = [0.0, 0.0, 0.0]
        self.steps = 0
        self.epochs: list[Epoch] = []

    @property
    def steps_per_epoch(self) -> int:
        return len(self._batches)

    @property
    def total_steps(self) -> int:
        return self.run.training.epochs * self.steps_per_epoch

    @property
    def finished(self) -> bool:
        return len(self.epochs) == self.run.training.epochs

    def step(self) -> None:
        """One step; after the last of an epoch, ``epochs`` has it."""
        started = time.perf_counter()
        epoch, place = divmod(self.steps, self.steps_per_epoch)
        if not place:
            self._batches = batches(self.sentences, self.run.training.batch_words, self.run.seed, epoch)
        self.network.train()
        with seeded(seed_for(self.run.seed, Stream.STEP, self.steps)):
            some = [self.sentences[index] for index in self._batches[place]]
            loss, nonzero = self.network.loss(some, self.steps / self.total_steps)
            self._optimizer.zero_grad()
            loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), _LARGEST_GRADIENT)
        self._optimizer.step()
        self._schedule.step()
        self.steps += 1
        new = (loss.item(), nonzero, time.perf_counter() - started)
        self._sums = [before + value for before, value in zip(self._sums, new, strict=True)]
        if self.steps % self.steps_per_epoch == 0:
            loss_sum, nonzero_sum, seconds = self._sums
            self.epochs.append(Epoch(loss_sum / self.steps_per_epoch, nonzero_sum / self.steps_per_epoch, seconds))
            self._sums = [0.0, 0.0, 0.0]

    def told(self) -> str:
        """How it goes, for a progress bar."""
        done = self.steps % self.steps_per_epoch
        if done:
            loss, nonzero, seconds = (value / done for value in self._sums)
            return f"loss {loss:.3g}, gradients in {100 * nonzero:.0f} %, {1000 * seconds:.0f} ms a step"
        return f"loss {self.epochs[-1].loss:.3g}" if self.epochs else ""

    def state(self) -> State:
        return {
            "vocabulary": self.vocabulary.state(),
            **{name: on_cpu(part.state_dict()) for name, part in self._parts().items()},
            "steps": self.steps,
            "epochs": [attrs.asdict(epoch) for epoch in self.epochs],
            "sums": list(self._sums),
        }

    def load_state(self, state: State) -> None:
        """Goes on where the trainer was that gave this state."""
        for name, part in self._parts().items():
            part.load_state_dict(copy.deepcopy(state[name]))
        self.steps, self._sums, self.epochs = state["steps"], list(state["sums"]), epochs_of(state)
        epoch, place = divmod(self.steps, self.steps_per_epoch)
        if place:
            self._batches = batches(self.sentences, self.run.training.batch_words, self.run.seed, epoch)

    def _parts(self) -> dict[str, Any]:
        return {"network": self.network, "optimizer": self._optimizer, "schedule": self._schedule}


def epochs_of(state: State) -> list[Epoch]:
    """The epochs of a trainer's state, each field of which is held to its type."""
    epochs: list[Epoch] = structure(list[Epoch], state["epochs"], "epochs")
    return epochs


def batches(sentences: Sequence[Sentence], words: int, seed: int, epoch: int) -> list[list[int]]:
    """The sentences of each step: of about the same length, in an order that is new in every epoch.

    Every epoch has as many steps, and each sentence once.
    """
    generator = torch.Generator().manual_seed(seed_for(seed, Stream.ORDER, epoch))
    lengths = torch.tensor([len(sentence) for sentence in sentences])
    order = torch.randperm(len(sentences), generator=generator)
    by_length = order[lengths[order].argsort(stable=True)]  # those of one length in a random order
    number = (lengths[by_length].cumsum(0) - lengths[by_length]) // words  # the lengths are the same in every epoch
    _, counts = number.unique_consecutive(return_counts=True)
    groups = [group.tolist() for group in by_length.split(counts.tolist())]
    return [groups[place] for place in torch.randperm(len(groups), generator=generator).tolist()]
