"""Threads over the examples of a batch, for solvers that release Python's lock."""

from __future__ import annotations

import contextlib
import functools
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait

import torch
from torch import Tensor

_CHUNKS_PER_THREAD = 4
_SECONDS_BETWEEN_LOOKS = 0.2
_SECONDS_TO_END = 1.0
_inside = threading.local()
_seconds_to_wake_threads = 1e-3


def map_chunks(
    function: Callable[[Tensor], Tensor], batch: Tensor, interrupt: Callable[[], None] | None = None
) -> Tensor:
    """``function(batch)``, computed in threads on contiguous chunks; batch: (n, ...), n >= 1.

    As many threads as ``torch.get_num_threads()`` says at this moment, and a few chunks for each, since
    some examples are harder than others. Within a worker there is no further splitting: it would
    wait for the very pool it runs in.

    Ctrl-C, as any error, ends the call within a second or so: what has not begun is canceled, and what does not end
    meanwhile is left to itself.

    Args:
        function: computes one chunk.
        batch: what is split.
        interrupt: ends the chunks that run, if it can, and makes those that it cannot end stop soon. Give it
            where one example can take long: then even one thread is a worker's, because Python
            handles Ctrl-C in the calling thread, and only between two steps of Python.
    """
    threads = min(torch.get_num_threads(), len(batch))
    if getattr(_inside, "worker", False) or (threads == 1 and interrupt is None):
        return function(batch)
    chunks = batch.tensor_split(1 if threads == 1 else min(_CHUNKS_PER_THREAD * threads, len(batch)))
    pool, futures = _pool(threads), list[Future[Tensor]]()
    try:
        for chunk in chunks:
            futures.append(pool.submit(function, chunk))
        return torch.cat([_result(future) for future in futures])
    except BaseException:
        _pool.cache_clear()  # the next call must not wait for a worker that is still busy
        begun = [future for future in futures if not future.cancel()]
        if interrupt is not None:
            interrupt()
        # A process that ends while a thread returns from a solver crashes: what can end should have.
        wait(begun, _SECONDS_TO_END)
        raise


@contextlib.contextmanager
def threads_for_all() -> Iterator[None]:
    """Within it, ``fill_rows`` wakes threads however quick the solver is, so that a test sees what they do."""
    global _seconds_to_wake_threads
    before, _seconds_to_wake_threads = _seconds_to_wake_threads, 0.0
    try:
        yield
    finally:
        _seconds_to_wake_threads = before


def fill_rows(solve: Callable[[slice], Tensor], answers: Tensor) -> None:
    """Writes ``solve(rows)`` into the rows of ``answers``, ``(n, ...)`` n >= 1: in threads, where that is worth it.

    To wake the threads takes as long as to solve a hundred small problems. So the calling thread solves a few rows
    first, and goes on alone if the rest will take it no longer than that.
    """

    def fill(rows: slice) -> None:
        # By numpy, because torch would start a team of threads of its own inside each worker.
        answers.numpy()[rows] = solve(rows).detach().numpy()

    def fill_chunk(chunk: Tensor) -> Tensor:
        fill(slice(int(chunk[0]), int(chunk[-1]) + 1))
        return chunk

    done = _fill_alone(fill, len(answers))
    if done < len(answers):
        map_chunks(fill_chunk, torch.arange(done, len(answers)))


def _fill_alone(fill: Callable[[slice], None], count: int) -> int:
    """Fills a few rows, or all where that takes no longer than to wake threads; returns how many."""
    if torch.get_num_threads() == 1:
        fill(slice(count))
        return count
    one = _seconds(fill, 0, 1)  # most of it the call's, for small problems
    few = min(count - 1, int(_seconds_to_wake_threads / 2 / max(one, 1e-9)))
    if few < 2:
        return 1
    each = (_seconds(fill, 1, 1 + few) - one) / (few - 1)
    if each * (count - 1 - few) >= _seconds_to_wake_threads:
        return 1 + few
    if 1 + few < count:
        fill(slice(1 + few, count))
    return count


def _seconds(fill: Callable[[slice], None], start: int, stop: int) -> float:
    started = time.perf_counter()
    fill(slice(start, stop))
    return time.perf_counter() - started


def _result(future: Future[Tensor]) -> Tensor:
    while not future.done():  # no single long wait: not every platform ends one for Ctrl-C
        with contextlib.suppress(TimeoutError):
            return future.result(_SECONDS_BETWEEN_LOOKS)
    return future.result()


class _Pool:
    """Daemon threads that run what is submitted, until the pool is garbage.

    A ``ThreadPoolExecutor`` waits at the end of the process for its threads, and so for a solver that Ctrl-C
    could not end.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        for i in range(threads):
            threading.Thread(target=_work, args=(self._tasks,), name=f"structpred_{i}", daemon=True).start()

    def submit(self, function: Callable[[Tensor], Tensor], chunk: Tensor) -> Future[Tensor]:
        future = Future[Tensor]()
        self._tasks.put(functools.partial(_run, future, function, chunk))
        return future

    def __del__(self) -> None:
        for _ in range(self._threads):
            self._tasks.put(None)


def _work(tasks: queue.SimpleQueue[Callable[[], None] | None]) -> None:
    _inside.worker = True
    while (task := tasks.get()) is not None:
        task()
        del task  # or it would keep its chunk and its result until the next one


def _run(future: Future[Tensor], function: Callable[[Tensor], Tensor], chunk: Tensor) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = function(chunk)
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)


@functools.lru_cache(maxsize=4)
def _pool(threads: int) -> _Pool:
    return _Pool(threads)


# A forked child (a DataLoader worker, say) inherits the pools but not their threads.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)
