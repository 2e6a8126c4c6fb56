"""Trains and tests runs on one set of images, which is loaded once."""

from __future__ import annotations

import functools
import platform
from pathlib import Path

import attrs
import torch
from attrs import frozen
from rich.progress import Progress
from torch import nn

from tasks.common.checkpoint import Checkpoint, State, damage_named
from tasks.common.results import commit
from tasks.common.training import go
from tasks.knn.config import DataSet, Execution, Run
from tasks.knn.data import Data, load
from tasks.knn.neighbours import accuracy
from tasks.knn.networks import deployed
from tasks.knn.report import described
from tasks.knn.results import Result
from tasks.knn.train import Trainer, epochs_of
from tasks.knn.world import World

_ALONE = World()
_STEPS_PER_LOOK = 10  # to show the measures waits for the device, and so not every step does


@frozen(kw_only=True)
class Source:
    """Where the images are."""

    data_dir: Path = Path("data")
    """The root that holds the sets, as torchvision lays it out."""
    download: bool = False
    """Fetch with torchvision what the root lacks."""


class Session:
    """A set of images, read when it is first needed, and where to compute.

    Raises:
        ArgumentError: if there is no such device.
    """

    def __init__(self, dataset: DataSet, source: Source, execution: Execution, world: World = _ALONE) -> None:
        self._dataset, self._source, self._execution, self._world = dataset, source, execution, world
        self.device, self._bf16 = execution.resolve()

    def __reduce__(self) -> tuple[object, ...]:
        """Another process reads the images itself, wherever it runs."""
        source = attrs.evolve(self._source, data_dir=self._source.data_dir.absolute())
        return Session, (self._dataset, source, self._execution)

    @functools.cached_property
    def data(self) -> Data:
        """Read by the first process before the others, which find what it fetched."""
        first = self._load() if self._world.first else None
        self._world.barrier()
        return first or self._load()

    def _load(self) -> Data:
        return load(self._dataset, self._source.data_dir, self._source.download)

    def train(self, run: Run, path: Path, save_every: float, progress: Progress) -> State:
        """Goes on from the checkpoint if there is one, to the end; saves there; returns the last state.

        Only the first process of a world reads and writes there.
        """
        trainer = Trainer(run, *self.data.hold_out(run.training.held_out), self._execution, self._world.rank)
        checkpoint = self._world.from_first(Checkpoint.resume(path, run) if self._world.first else None)
        if checkpoint is not None:
            with damage_named(path):
                trainer.load_state(checkpoint.state)
        task = progress.add_task("", total=trainer.total_steps, completed=trainer.steps)

        def show() -> None:
            if trainer.steps % _STEPS_PER_LOOK == 0 or trainer.finished:
                progress.update(task, completed=trainer.steps, description=_told(trainer))

        def save(state: State) -> None:
            if self._world.first:
                Checkpoint(run, state).save(path)

        go(trainer, show, save, save_every)
        progress.remove_task(task)
        return trainer.state()

    def deployed(self, checkpoint: Checkpoint[Run], path: Path) -> nn.Sequential:
        """The embedding that a training gives, on the device; ``path`` is where the checkpoint lies, for messages."""
        train = self.data.train
        with damage_named(path):
            return deployed(checkpoint.run, checkpoint.state, train).to(self.device)

    def test(self, checkpoint: Checkpoint[Run], path: Path) -> float:
        """The accuracy on the test images, whose neighbours are all training images, those held out among them."""
        test, train = (images.to(self.device) for images in (self.data.test, self.data.train))
        return accuracy(self.deployed(checkpoint, path), test, train, checkpoint.run.k, self._bf16)

    def result(self, run: Run, state: State, test: float | None) -> Result:
        epochs = epochs_of(state)
        speed = state["steps"] * run.images_a_step / sum(epoch.seconds for epoch in epochs)
        return Result(run, test, epochs, round(speed, 1), _name_of(self.device), commit())


def _told(trainer: Trainer) -> str:
    """What the progress bar says; of the last epoch where a new one has not begun."""
    measures, speed = trainer.measures, trainer.images_per_second
    if not speed:
        measures = trainer.epochs[-1].measures
    held_out = [epoch.held_out for epoch in trainer.epochs if epoch.held_out is not None]
    return (
        f"k = {trainer.run.k}, {described(trainer.run)}, seed {trainer.run.seed}: "
        f"loss {measures.loss:.3g}, sigma {measures.scale:.3g}, gradients in {100 * measures.nonzero:.0f} %"
        + (f", {speed:,.0f} images/s" if speed else "")
        + (f", held-out {100 * held_out[-1]:.2f} %" if held_out else "")
    )


def _name_of(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()}, {torch.get_num_threads()} threads"
