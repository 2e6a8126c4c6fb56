"""What the tests of every experiment share."""

import resource
import signal
from collections.abc import Iterator

import pytest


@pytest.fixture
def small_disk(request: pytest.FixtureRequest) -> Iterator[None]:
    """No file may grow beyond 200 bytes, or as many as asked; a write finds out as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (getattr(request, "param", 200), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, ignored)
