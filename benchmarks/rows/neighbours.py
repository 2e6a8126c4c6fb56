"""The nearest-neighbour experiment's step: how much of it is the objective.

On a GPU if there is one. The images are noise of the real sets' number and shape, so that no data is needed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import attrs
import torch
from torch import Tensor

from benchmarks.row import Case, Group, Row
from tasks.common.settings import Scale
from tasks.knn.config import PAPER_CIFAR_10, PAPER_MNIST, QUICK, DataSet, Execution, Method, Run, Training
from tasks.knn.data import Images
from tasks.knn.train import Trainer

K = 5
_HERE = Execution()
TRAININGS = {"quick": QUICK, "paper-mnist": PAPER_MNIST, "paper-cifar-10": PAPER_CIFAR_10}


class Parts:
    """One step of training, whole and in two parts that make it up."""

    def __init__(
        self,
        training: Training,
        execution: Execution = _HERE,
        count: int | None = None,
        *,
        k: int = K,
        method: Method = Method.DIRECT,
    ) -> None:
        shape, all_images = ((3, 32, 32), 50_000) if training.dataset is DataSet.CIFAR_10 else ((1, 28, 28), 60_000)
        count = count or all_images
        generator = torch.Generator().manual_seed(0)
        pixels = torch.randint(256, (count, *shape), dtype=torch.uint8, generator=generator)
        images = Images(pixels, torch.randint(10, (count,), generator=generator))
        training = attrs.evolve(training, epochs=10_000, held_out=0, best_epoch=False)
        run = Run(training, k, method.scale or Scale.LEARNED, 0, method=method)
        self.trainer = Trainer(run, images, images[:0], execution)
        self.queries, self.candidates = (index.to(self.trainer.device) for index in self.trainer.batches(0))

    def networks(self) -> None:
        """Both networks there and back, and the optimizers: what a step would be without an objective."""
        embedded, scale = self._embed()
        self.trainer.update(embedded.sum() + (scale.sum() if isinstance(scale, Tensor) else 0.0))

    def objective(self) -> Callable[[], None]:
        """The objective there and back, on what the networks gave: distances, noise, all top-k, surrogate."""
        embedded, scale = self._embed()
        embedded = embedded.detach().requires_grad_()
        if isinstance(scale, Tensor):
            scale = scale.detach().requires_grad_()

        def run() -> None:
            solution, _ = self.trainer.solve(embedded, scale, self.queries, self.candidates)
            solution.loss.mean().backward()

        return run

    def percent_right(self, steps: int) -> float:
        """Of the nearest neighbours without noise, after steps of the embeddings themselves, without networks."""
        embedded, scale = self._embed()
        embedded = embedded.detach().requires_grad_()
        scale = scale.detach() if isinstance(scale, Tensor) else scale
        optimizer = torch.optim.Adam([embedded], lr=0.1 * float(embedded.detach().std()))
        for _ in range(steps):
            solution, _ = self.trainer.solve(embedded, scale, self.queries, self.candidates)
            optimizer.zero_grad()
            solution.loss.mean().backward()
            optimizer.step()
            self.trainer.steps += 1  # which the noise follows from
        places = embedded.detach()
        nearest = torch.cdist(places[: len(self.queries)], places[len(self.queries) :]).topk(
            self.trainer.run.k, largest=False
        )
        labels = self.trainer.images.labels
        right = labels[self.candidates][nearest.indices] == labels[self.queries][:, None]
        return 100 * float(right.float().mean())

    def _embed(self) -> tuple[Tensor, Tensor | float | None]:
        return self.trainer.embed(self.queries, self.candidates)

    def seconds(self, part: Callable[[], None]) -> float:
        return seconds_on(self.trainer.device, part)


def seconds_on(device: torch.device, call: Callable[[], None]) -> float:
    """What a call takes, until the device is done."""

    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    wait()
    started = time.perf_counter()
    call()
    wait()
    return time.perf_counter() - started


def _objective(name: str) -> Case:
    """What the networks gave is the same in every round; the noise is not."""
    parts = Parts(TRAININGS[name])
    return Case(parts.objective(), parts.trainer.step)


def _networks(name: str) -> Case:
    parts = Parts(TRAININGS[name])
    return Case(parts.networks, parts.trainer.step)


def _row(part: str, name: str, make: Callable[[str], Case], threads: int = 1, rounds: int = 7) -> Row:
    return Row(Group.NEIGHBOURS, f"{part} of `{name}`", "the whole step", partial(make, name), threads, rounds=rounds)


ROWS = [
    _row("objective", "quick", _objective),
    _row("objective", "paper-mnist", _objective),
    _row("networks", "quick", _networks),
    _row("networks", "paper-mnist", _networks),
    _row("objective", "paper-cifar-10", _objective, threads=2, rounds=3),  # whose step takes half a minute
]
