"""What the tests of the commands share: tiny images, steps that are counted, and a folder to run in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from tiny_knn import data, run

from tasks.knn import experiment
from tasks.knn.config import Run
from tasks.knn.train import Trainer


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """These networks are too small to share out."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """The run of each step that is taken, three of which are an epoch of the tiny images that commands then get."""
    taken, step = [], Trainer.step

    def count(trainer: Trainer) -> None:
        step(trainer)
        taken.append(trainer.run)

    monkeypatch.setattr(Trainer, "step", count)
    monkeypatch.setattr(experiment, "load", data)
    return taken


@pytest.fixture
def interrupt_at(monkeypatch: pytest.MonkeyPatch, steps: list[Run]) -> Callable[[int], None]:
    """Ctrl-C, once, in the place of the step after so many."""

    def interrupt(number: int) -> None:
        step = Trainer.step

        def interrupted(trainer: Trainer) -> None:
            if len(steps) == number:
                monkeypatch.setattr(Trainer, "step", step)
                raise KeyboardInterrupt
            step(trainer)

        monkeypatch.setattr(Trainer, "step", interrupted)

    return interrupt


@pytest.fixture
def command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, steps: list[Run]
) -> Callable[..., str]:
    """Runs one in an own folder, to an end that is good unless another is told; what it printed."""
    monkeypatch.chdir(tmp_path)

    def run_command(*arguments: object, ends: int = 0) -> str:
        status, printed = run(arguments, capsys, monkeypatch)
        assert status == ends, printed
        return printed

    return run_command
