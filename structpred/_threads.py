"""Threads over the examples of a batch, for solvers that release Python's lock."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

_CHUNKS_PER_THREAD = 4
_inside = threading.local()


def map_chunks(function: Callable[[Tensor], Tensor], batch: Tensor) -> Tensor:
    """``function(batch)``, computed in threads on contiguous chunks; batch: (n, ...), n >= 1.

    As many threads as ``torch.get_num_threads()`` says at this moment, and a few chunks for each, since
    some examples are harder than others. Within a worker there is no further splitting: it would
    wait for the very pool it runs in.
    """
    threads = min(torch.get_num_threads(), len(batch))
    if threads == 1 or getattr(_inside, "worker", False):
        return function(batch)
    chunks = batch.tensor_split(min(_CHUNKS_PER_THREAD * threads, len(batch)))
    return torch.cat(list(_pool(threads).map(function, chunks)))


@functools.lru_cache(maxsize=4)
def _pool(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, thread_name_prefix="structpred", initializer=_mark_worker)


def _mark_worker() -> None:
    _inside.worker = True


# A forked child (a DataLoader worker, say) inherits the pools but not their threads.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)
