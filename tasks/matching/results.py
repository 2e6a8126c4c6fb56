"""A line of the experiment's results: one training."""

from __future__ import annotations

from attrs import frozen

from tasks.matching.config import Run
from tasks.matching.train import Measures


@frozen
class Result:
    """What was trained, and what came of it."""

    run: Run
    trained_on: Measures
    """On new grids of the images that training grids were drawn from."""
    held_out: Measures
    """On grids of held-out training images."""
    test: Measures | None
    """On grids of test images; None if not asked for."""
    seconds: float
    """The training steps."""
    machine: str
    """What it ran on."""
    commit: str
