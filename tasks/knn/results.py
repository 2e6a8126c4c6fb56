"""A line of the nearest-neighbour experiment's results: one training."""

from __future__ import annotations

from attrs import field, frozen, validators

from tasks.knn.config import Run
from tasks.knn.train import Epoch


@frozen
class Result:
    """What was trained, and what came of it."""

    run: Run
    test: float | None
    """Accuracy on the test images, by the neighbours among all training images; None if not asked for."""
    epochs: list[Epoch] = field(validator=validators.min_len(1))
    images_per_second: float
    """Queries and candidates embedded a second, over the training steps."""
    device: str
    """What it ran on."""
    commit: str

    @property
    def held_out(self) -> float | None:
        """Accuracy on the held-out images of the weights that are used: those of the best epoch, or of the last."""
        measured = [epoch.held_out for epoch in self.epochs if epoch.held_out is not None]
        if not measured:
            return None
        return max(measured) if self.run.training.best_epoch else measured[-1]

    @property
    def seconds(self) -> float:
        """The training steps, without the measurements."""
        return sum(epoch.seconds for epoch in self.epochs)
