"""A line of the experiment's results: one training."""

from __future__ import annotations

from attrs import field, frozen, validators

from tasks.common.treebank.trainer import Epoch
from tasks.parsing.config import Run
from tasks.parsing.measures import Measures


@frozen
class Result:
    """What was trained, and what came of it."""

    run: Run
    dev: Measures
    test: Measures | None
    """None if not asked for."""
    epochs: list[Epoch] = field(validator=validators.min_len(1))
    machine: str
    """What it ran on."""
    commit: str

    @property
    def seconds(self) -> float:
        """The training steps."""
        return sum(epoch.seconds for epoch in self.epochs)
