"""One thread and no network, and what the tests of the commands share."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.knn import session
from tasks.knn.config import Run
from tasks.knn.train import Trainer
from tests.tasks.knn.tiny import data, run


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        pytest.fail("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """The run of each step that is taken, three of which are an epoch of the tiny images that commands then get."""
    taken, step = [], Trainer.step

    def count(trainer: Trainer) -> None:
        step(trainer)
        taken.append(trainer.run)

    monkeypatch.setattr(Trainer, "step", count)
    monkeypatch.setattr(session, "load", data)
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
