"""Processes that take one item each at a time, as a backend of joblib.

joblib's own backends do not outlive a worker: with loky all that is under way is lost with it, with Dask joblib waits
for ever for what Dask gave up, and Ray's has no results as they finish. So ``joblib.Parallel`` gets a backend of
futures here, which each kind of pool makes in its own way.
"""

from __future__ import annotations

import abc
import contextlib
import logging
import os
import queue
import signal
import threading
import traceback
import warnings
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import BrokenExecutor, Future
from typing import Any, ClassVar

import joblib
import torch
from attrs import frozen
from joblib.externals.loky import ProcessPoolExecutor
from joblib.parallel import ParallelBackendBase

import structpred as sp

Call = Callable[[], Any]

_ONE_AT_A_TIME = threading.Lock()


@frozen(eq=False)
class Outcome:
    """What came of an item."""

    number: int | None
    """Which one; None if its process died, as nobody knows then."""
    answer: Any = None
    error: Exception | None = None
    """What the work raised."""
    died_of: str = ""


def _outcome(work: Callable[[Any], Any], number: int, item: Any) -> Outcome:
    """In the worker: one item at a time, even in one with several threads, as torch's generator is the process's."""
    with _ONE_AT_A_TIME:
        torch.set_num_threads(1)
        try:
            return Outcome(number, work(item))
        except Exception as error:
            error.add_note(f"in a worker process:\n{traceback.format_exc()}")
            return Outcome(number, error=error)


class Pool(contextlib.AbstractContextManager["Pool"]):
    """Processes that are ready for work within a ``with`` block, and leave it undone after that."""

    tries_again_itself = False
    """Whether an item whose process dies was tried again before its death is told."""

    def __init__(self, workers: int, deaths: tuple[type[Exception], ...]) -> None:
        self.workers, self._deaths = workers, deaths

    @abc.abstractmethod
    def submit(self, call: Call) -> Future[Any]:
        """Has a process call it; no more than ``workers`` are asked at a time."""

    def outcomes(self, work: Callable[[Any], Any], items: Mapping[int, Any]) -> Generator[Outcome]:
        """What comes of the items by their number, as they finish."""
        parallel = joblib.Parallel(
            backend=_Backend(self),
            n_jobs=self.workers,
            pre_dispatch=self.workers,
            batch_size=1,
            return_as="generator_unordered",
        )
        outcomes = parallel(joblib.delayed(_outcome)(work, number, item) for number, item in list(items.items()))
        try:
            yield from (outcome for outcome in outcomes)  # not from itself, which would close it before ``finally``
        finally:
            with warnings.catch_warnings():  # of work under way that is given up, which one who stops knows
                warnings.simplefilter("ignore", UserWarning)
                outcomes.close()

    def result(self, future: Future[Any]) -> Any:
        try:
            return future.result()
        except self._deaths as error:
            return [Outcome(None, died_of=_first_line(error))]


class _Backend(ParallelBackendBase):  # type: ignore[misc]
    supports_retrieve_callback = True

    def __init__(self, pool: Pool) -> None:
        super().__init__(nesting_level=0)
        self._pool = pool

    def effective_n_jobs(self, n_jobs: int) -> int:
        return max(2, n_jobs)  # joblib does the work of one worker in this process

    def submit(self, func: Call, callback: Callable[[Future[Any]], None]) -> Future[Any]:
        future = self._pool.submit(func)
        future.add_done_callback(callback)
        return future

    def retrieve_result_callback(self, out: Future[Any]) -> Any:
        return self._pool.result(out)


class LokyPool(Pool):
    """Processes of this machine, each an executor of its own, so that one that dies takes no other with it."""

    _ENVIRONMENT: ClassVar = dict.fromkeys(ParallelBackendBase.MAX_NUM_THREADS_VARS, "1")

    def __init__(self, workers: int) -> None:
        super().__init__(workers, (BrokenExecutor,))
        self._free: queue.SimpleQueue[ProcessPoolExecutor] = queue.SimpleQueue()
        self._executors: set[ProcessPoolExecutor] = set()
        for _ in range(workers):
            self._add()

    def _add(self) -> None:
        # Its process starts with the first call. Ctrl-C is left to this one, which ends the others.
        ignored = (signal.SIGINT, signal.SIG_IGN)
        executor = ProcessPoolExecutor(1, env=self._ENVIRONMENT, initializer=signal.signal, initargs=ignored)
        self._executors.add(executor)
        self._free.put(executor)

    def submit(self, call: Call) -> Future[Any]:
        executor = self._free.get_nowait()
        future: Future[Any] = executor.submit(call)
        future.add_done_callback(lambda done: self._release(executor, done))  # before joblib asks for the next
        return future

    def _release(self, executor: ProcessPoolExecutor, done: Future[Any]) -> None:
        if done.cancelled() or not isinstance(done.exception(), BrokenExecutor):
            self._free.put(executor)
        else:
            self._executors.discard(executor)
            self._add()

    def __exit__(self, *_: object) -> None:
        for executor in self._executors:
            executor.shutdown(kill_workers=True)


class DaskPool(Pool):
    """Workers of a Dask cluster, which itself tries again, as often as ``distributed.scheduler.allowed-failures``."""

    tries_again_itself = True

    def __init__(self, workers: int, address: str | None) -> None:
        import dask
        from distributed import Client
        from distributed.scheduler import KilledWorker

        super().__init__(workers, (KilledWorker,))
        address = address or dask.config.get("scheduler-address", None)
        if address is None:
            raise sp.ArgumentError(
                "address: expected a Dask scheduler's, got none; write for example --address tcp://host:8786"
            )
        try:
            self._client = Client(address, set_as_default=False)
            self._client.wait_for_workers(1, timeout=30)
        except (OSError, ValueError) as error:
            raise _no_cluster(address, error) from error
        self._executor = self._client.get_executor(pure=False)

    def submit(self, call: Call) -> Future[Any]:
        future: Future[Any] = self._executor.submit(call)
        return future

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown(wait=False)
        self._client.close()


class RayPool(Pool):
    """Processes of a Ray cluster, a CPU each."""

    def __init__(self, workers: int, address: str | None) -> None:
        import ray
        from ray.exceptions import NodeDiedError, OutOfMemoryError, WorkerCrashedError

        super().__init__(workers, (WorkerCrashedError, NodeDiedError, OutOfMemoryError))
        address = address or os.environ.get("RAY_ADDRESS", "auto")
        try:
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise _no_cluster(address, error) from error
        self._ray, self._remote = ray, ray.remote(num_cpus=1, max_retries=0)(_call)

    def submit(self, call: Call) -> Future[Any]:
        future: Future[Any] = self._remote.remote(call).future()
        return future

    def __exit__(self, *_: object) -> None:
        self._ray.shutdown()


def _call(call: Call) -> Any:
    return call()


def _no_cluster(address: str, error: Exception) -> sp.ArgumentError:
    return sp.ArgumentError(
        f"address: expected a cluster with workers at {address!r}, found none ({_first_line(error)}); start one, or "
        "name another with --address"
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
