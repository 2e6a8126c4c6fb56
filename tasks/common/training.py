"""A training of minutes or more: step by step to its end, saved on the way."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from tasks.common.checkpoint import State


class Trainer(Protocol):
    """A run on its way; everything it knows is in its state."""

    @property
    def finished(self) -> bool: ...
    def step(self) -> None: ...
    def state(self) -> State: ...


def go(trainer: Trainer, observe: Callable[[], None], save: Callable[[State], None], save_every: float) -> None:
    """Trains to the end, and saves there and whenever ``save_every`` seconds have passed."""
    saved = time.monotonic()
    while not trainer.finished:
        trainer.step()
        observe()
        if trainer.finished or time.monotonic() - saved >= save_every:
            save(trainer.state())
            saved = time.monotonic()
