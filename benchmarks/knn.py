"""The nearest-neighbour experiment's step: how much of it is the objective, and its peak memory at the paper's sizes.

On a GPU if there is one. The images are noise of the real sets' number and shape, so that no data is needed.
"""

from __future__ import annotations

import multiprocessing
import statistics
import time
from collections.abc import Callable

import attrs
import torch
from torch import Tensor

from benchmarks.memory import most_resident
from tasks.common.settings import Scale
from tasks.knn.config import PAPER_CIFAR_10, PAPER_MNIST, QUICK, DataSet, Execution, Method, Network, Run, Training
from tasks.knn.data import Images
from tasks.knn.neighbours import accuracy
from tasks.knn.train import Trainer

_K = 5
_HERE = Execution()
_TRAINING = {"quick": QUICK, "paper-mnist": PAPER_MNIST, "paper-cifar-10": PAPER_CIFAR_10}


class Parts:
    """One step of training, whole and in two parts that make it up."""

    def __init__(
        self,
        training: Training,
        execution: Execution = _HERE,
        count: int | None = None,
        *,
        k: int = _K,
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

    def _embed(self) -> tuple[Tensor, Tensor | float | None]:
        return self.trainer.embed(self.queries, self.candidates)

    def seconds(self, part: Callable[[], None]) -> float:
        self._wait()
        started = time.perf_counter()
        part()
        self._wait()
        return time.perf_counter() - started

    def _wait(self) -> None:
        if self.trainer.device.type == "cuda":
            torch.cuda.synchronize(self.trainer.device)


def measure(
    name: str, training: Training, rounds: int, execution: Execution = _HERE, count: int | None = None
) -> dict[str, float | str]:
    """Medians over ``rounds`` of the whole step, the networks alone and the objective alone, taken in turn.

    The images are as many as in the set unless ``count`` says otherwise.
    """
    parts = Parts(training, execution, count)
    parts.trainer.step()
    rows = []
    for _ in range(rounds):
        objective = parts.objective()
        rows.append([parts.seconds(part) for part in (parts.trainer.step, parts.networks, objective)])
    step, networks, objective_alone = (statistics.median(times) for times in zip(*rows, strict=True))
    return {
        "training": name,
        "queries": training.queries,
        "candidates": training.candidates,
        "step_ms": 1e3 * step,
        "networks_ms": 1e3 * networks,
        "objective_ms": 1e3 * objective_alone,
        "objective_share": statistics.median(objective / step for step, _, objective in rows),
        "images_per_second": (training.queries + training.candidates) / step,
    }


def _peak(name: str) -> dict[str, float | str]:
    """The most memory of a training's data, steps and exact evaluation, beyond what importing takes."""
    before = most_resident()
    parts = Parts(_TRAINING[name])
    for _ in range(2):
        parts.trainer.step()
    steps = _most_of(parts.trainer.device, before)
    images = parts.trainer.images
    if parts.trainer.run.training.network is Network.LENET or parts.trainer.device.type == "cuda":
        accuracy(parts.trainer.embedding, images[:10_000], images, _K)
        evaluation = _most_of(parts.trainer.device, before)
    else:  # embedding 60,000 images takes many minutes without a GPU
        evaluation = float("nan")
    return {"training": name, "steps_mib": steps, "with_evaluation_mib": evaluation}


def _most_of(device: torch.device, before: int) -> float:
    most = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else most_resident() - before
    return most / 2**20


def results() -> list[dict[str, float | str]]:
    on_gpu = torch.cuda.is_available()
    rounds = {"quick": 30, "paper-mnist": 30, "paper-cifar-10": 30 if on_gpu else 2}
    shares = [measure(name, _TRAINING[name], many) for name, many in rounds.items()]
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        return shares + pool.map(_peak, _TRAINING, chunksize=1)
