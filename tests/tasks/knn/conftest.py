"""One thread and no network; small sets in the place of the true ones, and what the tests of the commands share."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest
import torch
import torchvision
from small_sets import CIFAR_PARTS, PICKLES, Trust, md5
from tiny_knn import data, run

from tasks.knn import data as data_module
from tasks.knn import session
from tasks.knn.config import Run
from tasks.knn.train import Trainer


@pytest.fixture
def trust(monkeypatch: pytest.MonkeyPatch) -> Trust:
    """Takes what lies in a root for the true sets."""

    def known(source: data_module._Source, root: Path) -> data_module._Source:
        folder = root / source.folder
        if not folder.is_dir():
            return source
        return attrs.evolve(source, checksums={name: md5(folder / name) for name in source.checksums})

    def take(root: Path) -> None:
        for dataset, sources in data_module._SOURCES.items():
            monkeypatch.setitem(data_module._SOURCES, dataset, tuple(known(source, root) for source in sources))
        folder, cifar = root / PICKLES.folder, torchvision.datasets.CIFAR10
        if folder.is_dir():  # torchvision looks at checksums too
            monkeypatch.setattr(cifar, "train_list", [[name, md5(folder / name)] for name in CIFAR_PARTS])
            monkeypatch.setattr(cifar, "test_list", [["test_batch", md5(folder / "test_batch")]])
            monkeypatch.setattr(cifar, "meta", {**cifar.meta, "md5": md5(folder / "batches.meta")})

    return take


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        pytest.fail("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


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
