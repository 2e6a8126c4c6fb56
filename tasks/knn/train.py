"""One training, step by step; everything it knows can be saved and goes on from there."""

from __future__ import annotations

import copy
import time
from typing import Any

import attrs
import torch
from attrs import frozen
from torch import Tensor

import structpred as sp
from tasks.common.checkpoint import State, on_cpu
from tasks.common.seeds import seed_for
from tasks.common.structure import structure
from tasks.knn.augmentation import crop_and_flip
from tasks.knn.batches import Batches, Stream
from tasks.knn.config import Execution, Run, Schedule
from tasks.knn.data import Images
from tasks.knn.distances import distances
from tasks.knn.methods import objective, supervised
from tasks.knn.neighbours import accuracy
from tasks.knn.networks import networks_of
from tasks.knn.world import World

_LEAST_SCALE = 1e-6  # sigma may go to 0 in training, and Softplus then rounds it to 0, which is no scale


@frozen
class Measures:
    """What one step, or the mean of many, came to."""

    loss: float
    """The task loss of the noisy neighbours."""
    right: float
    """The fraction of the noisy neighbours that have the query's class."""
    nonzero: float
    """The fraction of queries with a gradient other than 0; 1 for soft neighbours, whose weights all have one."""
    scale: float
    """Mean sigma; 0 without noise."""


@frozen
class Epoch:
    """One pass of the candidates."""

    number: int
    """From 1."""
    measures: Measures
    seconds: float
    """The training steps alone."""
    held_out: float | None
    """The accuracy on the held-out images, where it was measured."""


class Trainer:
    """A run on its way. Two with the same run and images take the same steps.

    Args:
        run: what to train.
        train: the images trained on.
        held_out: the images that tell how good an epoch was; their neighbours are those of ``train``.
        execution: where and how it computes.
        rank: which of the processes of the run this is.
    """

    def __init__(self, run: Run, train: Images, held_out: Images, execution: Execution, rank: int = 0) -> None:
        training = run.training
        self.run, self.world = run, World(rank, run.world_size)
        self.device, self._bf16 = execution.resolve()
        self.images, self.held_out = train.to(self.device), held_out.to(self.device)
        self.batches = Batches(len(train), training.queries, training.candidates, run.seed, self.world)
        self._layout = layout = torch.channels_last if execution.channels_last else torch.contiguous_format
        self.embedding, self.scale_network = (
            network.to(self.device).to(memory_format=layout) for network in networks_of(run, train)
        )
        if execution.compile:
            self.embedding.compile()
            self.scale_network.compile()
        self._embed, self._sigma = (self.world.wrap(network) for network in (self.embedding, self.scale_network))
        self.objective = objective(run).to(self.device)
        self._noise, self._augmentation = torch.Generator(self.device), torch.Generator(self.device)
        self._optimizer = torch.optim.AdamW(
            self.embedding.parameters(), lr=training.rate, weight_decay=training.weight_decay, fused=True
        )
        self._scale_optimizer = training.scale_optimizer.create(self.scale_network.parameters(), training.scale_rate)
        self._schedule = _schedule(self._optimizer, training.schedule, training.rate, self.total_steps)
        self._epoch_sums = torch.zeros(4, device=self.device)
        self._epoch_seconds = 0.0
        self._best: State | None = None
        self.steps = 0
        self.epochs: list[Epoch] = []

    @property
    def total_steps(self) -> int:
        return self.run.training.epochs * self.batches.steps_per_epoch

    @property
    def finished(self) -> bool:
        return len(self.epochs) == self.run.training.epochs

    def step(self) -> None:
        """One step of both networks; after the last of an epoch, ``epochs`` has it."""
        started = time.perf_counter()
        queries, candidates = (index.to(self.device) for index in self.batches(self.steps))
        self.embedding.train()
        embedded, scale = self.embed(queries, candidates)
        solution, right = self.solve(embedded, scale, queries, candidates)
        self.update(solution.loss.mean())
        if isinstance(self.objective.scale, sp.AdaptiveScale):
            for state in self.objective.scale.buffers():
                state.copy_(self.world.mean(state))  # one sigma for all processes
            scale = self.objective.scale()
        sigma = torch.as_tensor(0.0 if scale is None else scale).detach().mean().to(self.device)
        nonzero = solution.nonzero_fraction if isinstance(solution, sp.DirectSolution) else torch.ones_like(sigma)
        self._epoch_sums += self.world.mean(torch.stack([solution.loss.detach().mean(), right, nonzero, sigma]))
        self.steps += 1
        if self.steps % self.batches.steps_per_epoch:
            self._epoch_seconds += time.perf_counter() - started
        else:
            measures = self.measures  # waits for the device
            self._end_epoch(measures, self._epoch_seconds + time.perf_counter() - started)

    def embed(self, queries: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor | float | None]:
        """Places of both ``(queries + candidates, features)`` in float32, and sigma as the objective takes it."""
        pixels = self.images.pixels[torch.cat([queries, candidates])]
        if self.run.training.augment:
            pixels = crop_and_flip(pixels, self._seeded(self._augmentation, Stream.AUGMENTATION))
        pixels = pixels.to(memory_format=self._layout)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._bf16):
            embedded = self._embed(pixels).float()
            sigma = self.run.scale.sigma(lambda: self._sigma(pixels[: len(queries)]).float())  # (queries, 1)
        return embedded, sigma.clamp(min=_LEAST_SCALE) if isinstance(sigma, Tensor) else sigma

    def solve(
        self, embedded: Tensor, scale: Tensor | float | None, queries: Tensor, candidates: Tensor
    ) -> tuple[sp.Solution, Tensor]:
        """The objective's part of a step: distances, noise, both top-k; and the fraction of right neighbours."""
        apart = distances(embedded[: len(queries)], embedded[len(queries) :])  # (queries, candidates)
        same_class = self.images.labels[queries][:, None] == self.images.labels[candidates]
        itself = queries[:, None] == candidates  # an image is no neighbour of its own
        scores, loss = supervised(self.run, apart, same_class, itself)
        noise = self._seeded(self._noise, Stream.NOISE)
        solution = self.objective.solve(scores, loss, scale=scale, generator=noise)
        return solution, (solution.prediction.detach() * same_class).sum(-1).mean() / self.run.k

    def _seeded(self, generator: torch.Generator, stream: Stream) -> torch.Generator:
        """For this step of this process."""
        step = self.steps * self.world.size + self.world.rank
        return generator.manual_seed(seed_for(self.run.seed, stream, step))

    def update(self, loss: Tensor) -> None:
        """The step of the optimizers."""
        self._optimizer.zero_grad()
        self._scale_optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        self._scale_optimizer.step()
        self._schedule.step()

    @property
    def measures(self) -> Measures:
        """Means over the epoch so far."""
        steps = self.steps - len(self.epochs) * self.batches.steps_per_epoch
        return Measures(*(self._epoch_sums / max(1, steps)).tolist())

    @property
    def images_per_second(self) -> float:
        """Images embedded a second of training, over the epoch so far."""
        steps = self.steps - len(self.epochs) * self.batches.steps_per_epoch
        return steps * self.run.images_a_step / self._epoch_seconds if steps else 0.0

    def _end_epoch(self, measures: Measures, seconds: float) -> None:
        number, training = len(self.epochs) + 1, self.run.training
        held_out = None
        due = number % training.validate_every == 0 or number == training.epochs
        if self.world.first and len(self.held_out) and due:
            held_out = accuracy(self.embedding, self.held_out, self.images, self.run.k, self._bf16)
            best = max((epoch.held_out for epoch in self.epochs if epoch.held_out is not None), default=-1.0)
            if training.best_epoch and held_out > best:
                self._best = on_cpu(self.embedding.state_dict())
        self.epochs.append(Epoch(number, measures, seconds, held_out))
        self._epoch_sums.zero_()
        self._epoch_seconds = 0.0

    def state(self) -> State:
        """All that a trainer of the same run and images needs to go on from here, on the CPU."""
        modules = {name: on_cpu(part.state_dict()) for name, part in self._parts().items()}
        return {
            **modules,
            "best": self._best,
            "steps": self.steps,
            "epochs": [attrs.asdict(epoch) for epoch in self.epochs],
            "epoch_sums": on_cpu(self._epoch_sums),
            "epoch_seconds": self._epoch_seconds,
        }

    def load_state(self, state: State) -> None:
        """Goes on where the trainer was that gave this state."""
        for name, part in self._parts().items():
            part.load_state_dict(copy.deepcopy(state[name]))  # an optimizer would share its tensors
        self._best, self.steps = state["best"], state["steps"]
        self.epochs = epochs_of(state)
        self._epoch_sums = state["epoch_sums"].to(self.device, copy=True)
        self._epoch_seconds = state["epoch_seconds"]

    def _parts(self) -> dict[str, Any]:
        return {
            "embedding": self.embedding,
            "scale_network": self.scale_network,
            "objective": self.objective,
            "optimizer": self._optimizer,
            "scale_optimizer": self._scale_optimizer,
            "schedule": self._schedule,
        }


def epochs_of(state: State) -> list[Epoch]:
    """The epochs of a trainer's state, each field of which is held to its type.

    Raises:
        ValueError, KeyError: if they are damaged or missing.
    """
    epochs: list[Epoch] = structure(list[Epoch], state["epochs"], "epochs")
    return epochs


def _schedule(
    optimizer: torch.optim.Optimizer, schedule: Schedule, rate: float, steps: int
) -> torch.optim.lr_scheduler.LRScheduler:
    match schedule:
        case Schedule.CONSTANT:
            return torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)
        case Schedule.ONE_CYCLE:
            return torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps + 1, pct_start=0.25)
