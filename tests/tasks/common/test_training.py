"""When a training is saved."""

from __future__ import annotations

import math

import pytest

from tasks.common import training
from tasks.common.checkpoint import State


class TenSteps:
    """Each takes a second."""

    def __init__(self) -> None:
        self.steps = 0

    @property
    def finished(self) -> bool:
        return self.steps == 10

    def step(self) -> None:
        self.steps += 1

    def state(self) -> State:
        return {"steps": self.steps}


@pytest.mark.parametrize(("save_every", "expected"), [(math.inf, [10]), (4.0, [4, 8, 10])])
def test_a_run_is_saved_at_its_end_and_whenever_the_time_has_come(
    save_every: float, expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer, saved, seen = TenSteps(), [], []
    monkeypatch.setattr(training.time, "monotonic", lambda: 100.0 + trainer.steps)
    training.go(trainer, lambda: seen.append(trainer.steps), lambda state: saved.append(state["steps"]), save_every)
    assert (saved, seen) == (expected, [*range(1, 11)])
