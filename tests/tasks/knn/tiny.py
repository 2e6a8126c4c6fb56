"""A nearest-neighbour experiment of milliseconds: small pictures in noise, and a training on them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest
import torch
from torch import Tensor

import structpred as sp
from tasks.common.settings import Optimizer, Scale
from tasks.knn.__main__ import main
from tasks.knn.config import QUICK, DataSet, Execution, Growth, Loss, Network, Run, Schedule
from tasks.knn.data import Data, Images
from tasks.knn.train import Epoch, Measures, Trainer

CPU = Execution(device="cpu")

# Three steps an epoch from 60 images, as epsilon is large most of them with gradients.
TINY = attrs.evolve(
    QUICK,
    dataset=DataSet.MNIST,
    network=Network.LENET,
    loss=Loss.DISTANCE,
    epochs=3,
    epsilon=-0.5,
    epsilon_limit=-5.0,
    growth=Growth.BATCH,
    epsilon_factor=1.1,
    rate=1e-3,
    schedule=Schedule.CONSTANT,
    scale_optimizer=Optimizer.SGD,
    scale_rate=1e-2,
    initial_scale=None,
    candidates=20,
    queries=10,
    num_samples=1,
    margin=0.0,
    held_out=20,
    validate_every=1,
    best_epoch=False,
)
OPTIONS = (
    *("quick", "--epochs", "2", "--candidates", "20", "--queries", "10", "--held-out", "20"),
    *("--schedule", "constant", "--no-best-epoch", "--num-samples", "1", "--validate-every", "1", "--device", "cpu"),
)
"""What makes the quick preset as small on the command line."""


FINISHED = {
    "epochs": [attrs.asdict(Epoch(n, Measures(0.1, 0.2, 0.3, 0.4), seconds=1.0, held_out=0.5)) for n in (1, 2, 3)]
}
"""As much of the state of a finished training as commands look at before they load images."""


def images(count: int, seed: int) -> Images:
    """``(count, 1, 16, 16)``: noise, with a brighter band whose height is the class."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(10, (count,), generator=generator)
    pixels = torch.randint(160, (count, 1, 16, 16), generator=generator, dtype=torch.uint8)
    for image, label in zip(pixels, labels.tolist(), strict=True):
        image[0, label : label + 4] += 60
    return Images(pixels, labels)


TRAIN, HELD_OUT = images(60, seed=0), images(60, seed=1)


def data(*_: object) -> Data:
    """In the place of ``load``: 80 images, of which TINY holds 20 out, and 30 to test on."""
    return Data(images(80, seed=0), images(30, seed=1))


def trainer_of(
    scale: Scale = Scale.LEARNED, k: int = 3, seed: int = 0, execution: Execution = CPU, **changes: object
) -> Trainer:
    return Trainer(Run(attrs.evolve(TINY, **changes), k, scale, seed), TRAIN, HELD_OUT, execution)


def trained(trainer: Trainer, steps: int | None = None) -> Trainer:
    for _ in range(trainer.total_steps if steps is None else steps):
        trainer.step()
    return trainer


class Watch:
    """What the objective of a trainer is asked for, and what it answers."""

    def __init__(self, trainer: Trainer) -> None:
        self.scores: list[Tensor] = []
        self.scales: list[Any] = []
        self.losses: list[sp.LinearLoss] = []
        self.solutions: list[sp.Solution] = []
        self._solve = trainer.objective.solve
        trainer.objective.solve = self

    def __call__(self, scores: Tensor, loss: sp.LinearLoss, *, scale: Any, generator: torch.Generator) -> sp.Solution:
        self.scores.append(scores.detach())
        self.scales.append(scale.detach().clone() if isinstance(scale, Tensor) else scale)
        self.losses.append(loss)
        self.solutions.append(self._solve(scores, loss, scale=scale, generator=generator))
        return self.solutions[-1]


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def differences(one: Any, other: Any, at: str = "") -> list[str]:
    """Where two states differ in as much as a bit."""
    if isinstance(one, dict | list | tuple):
        if type(one) is not type(other) or len(one) != len(other):
            return [at]
        pairs = one.items() if isinstance(one, dict) else enumerate(one)
        missing = object()
        others = other if isinstance(other, dict) else dict(enumerate(other))
        return [found for key, value in pairs for found in differences(value, others.get(key, missing), f"{at}.{key}")]
    if isinstance(one, Tensor):
        return [] if isinstance(other, Tensor) and one.dtype == other.dtype and torch.equal(one, other) else [at]
    return [] if type(one) is type(other) and one == other else [at]


def run(
    arguments: Sequence[object], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> tuple[int, str]:
    """A command's exit status, and what it printed on a terminal that wraps no line."""
    monkeypatch.setenv("COLUMNS", "2000")
    try:
        status = main([str(argument) for argument in arguments])
    except SystemExit as stop:
        status = stop.code
    return status, "".join(capsys.readouterr())
