"""Work that ends the process which does it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import attrs
import torch


@attrs.frozen
class Task:
    """A number to square."""

    number: int
    deaths: Path | None = None
    """A folder in which each death leaves a file."""
    times: int = 0
    """How many processes die of it."""
    meets: Path | None = None
    """A folder where two wait for one another, so that two processes have them."""
    raises: bool = False


def square(task: Task) -> tuple[int, int, int]:
    """The square, the process and its threads."""
    if task.deaths is not None and len(list(task.deaths.glob(f"{task.number}-*"))) < task.times:
        (task.deaths / f"{task.number}-{os.getpid()}").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if task.meets is not None:
        (task.meets / str(task.number)).touch()
        deadline = time.monotonic() + 60
        while len(list(task.meets.iterdir())) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
    if task.raises:
        raise ValueError(f"number: expected another, got {task.number}")
    return task.number**2, os.getpid(), torch.get_num_threads()
