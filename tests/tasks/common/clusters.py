"""Clusters of real processes on this machine, for a ``with`` block."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import attrs

ROOT = Path(__file__).parents[3]


@attrs.frozen
class Cluster:
    """A scheduler and two workers."""

    address: str
    workers: list[int]
    """Their process ids."""

    def kill_a_worker(self) -> None:
        os.kill(self.workers[0], signal.SIGKILL)


@contextlib.contextmanager
def dask_cluster(folder: Path, *, nannies: bool) -> Iterator[Cluster]:
    """Two workers, which come back after death if they have nannies."""
    file = folder / "scheduler.json"
    where = ["--scheduler-file", str(file), "--no-dashboard"]
    scheduler = ["scheduler", "--host", "127.0.0.1", "--port", "0", *where]
    worker = ["worker", "--nthreads", "1", "--local-directory", str(folder), *where]
    worker += ["--nanny" if nannies else "--no-nanny"]
    with contextlib.ExitStack() as stack:
        starting = stack.enter_context(_process([sys.executable, "-m", "dask", *scheduler], folder / "scheduler.log"))
        workers = [
            stack.enter_context(_process([sys.executable, "-m", "dask", *worker], folder / f"worker-{number}.log"))
            for number in range(2)
        ]
        yield Cluster(json.loads(_awaited(file, starting))["address"], [worker.pid for worker in workers])


@contextlib.contextmanager
def ray_cluster(folder: Path) -> Iterator[str]:
    """The address of one with two CPUs."""
    ray = [str(Path(sys.executable).with_name("ray")), "start", "--head", "--block", "--num-cpus", "2", "--port", "0"]
    ray += ["--include-dashboard", "false", "--disable-usage-stats", "--object-store-memory", "100000000"]
    with (
        tempfile.TemporaryDirectory(prefix="ray") as short,  # the path of a socket has at most 107 bytes
        _process([*ray, "--temp-dir", short], folder / "ray.log") as starting,
    ):
        yield _awaited(Path(short) / "ray_current_cluster", starting).strip()


@contextlib.contextmanager
def _process(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    path = os.pathsep.join([str(ROOT), str(Path(__file__).parent)])
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, env=os.environ | {"PYTHONPATH": path}, stdout=file, stderr=subprocess.STDOUT, cwd=ROOT
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def _awaited(file: Path, starting: subprocess.Popen[bytes]) -> str:
    """What a process that starts writes."""
    deadline = time.monotonic() + 120
    while not (file.exists() and file.read_text()):
        assert starting.poll() is None, f"{starting.args} ended"
        assert time.monotonic() < deadline, f"{file} did not come"
        time.sleep(0.05)
    return file.read_text()
