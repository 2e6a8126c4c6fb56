"""What the tests of every experiment share."""

import contextlib
import resource
import signal
import sys
from collections.abc import Callable, Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """These networks are too small to share out."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def small_disk() -> Callable[..., contextlib.AbstractContextManager[None]]:
    """Within ``with small_disk():`` no file may grow beyond 200 bytes; a write finds out as it does on a full disk.

    Not for the whole test: pytest's own output may go to a file.
    """

    @contextlib.contextmanager
    def limited(size: int = 200) -> Iterator[None]:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, ignored)

    return limited


class _NotInstalled:
    """Finds a package as missing, before anything else looks for it."""

    def __init__(self, package: str) -> None:
        self.package = package

    def find_spec(self, name: str, *_: object) -> None:
        if name.partition(".")[0] == self.package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Takes a package away, and all modules of the tasks, so that they look for it again."""

    def take_away(package: str) -> None:
        for name in list(sys.modules):
            if name.partition(".")[0] in ("tasks", package):
                monkeypatch.delitem(sys.modules, name)
        monkeypatch.setattr(sys, "meta_path", [_NotInstalled(package), *sys.meta_path])

    return take_away
