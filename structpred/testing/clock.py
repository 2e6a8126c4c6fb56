"""How long a law has taken, on a machine that may have other things to do."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

_SCHEDULED = Path("/proc/self/schedstat")  # of Linux


class Clock:
    """The seconds spent: of the processor, so that a busy machine tries as much as an idle one, or a third of all.

    A solver in another process, or one that sleeps, takes none of this process's. Seconds for which this process was
    ready, and others ran, are not counted, where the system tells.
    """

    def __init__(self) -> None:
        self._waited, self._worked = self._own(), time.process_time()

    def __call__(self) -> float:
        return max(time.process_time() - self._worked, (self._own() - self._waited) / 3)

    def _own(self) -> float:
        try:
            _, queued, _ = _SCHEDULED.read_text().split()  # nanoseconds
        except (OSError, ValueError):
            queued = "0"
        return time.perf_counter() - int(queued) / 1e9


def quickest(call: Callable[[], object]) -> float:
    """The seconds that a call takes, the least of three: a first one may load a solver."""
    seconds = []
    for _ in range(3):
        spent = Clock()
        call()
        seconds.append(spent())
    return min(seconds)
