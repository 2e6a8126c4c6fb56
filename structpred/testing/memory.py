"""What stays in memory."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor


@contextmanager
def forgetting_what_there_is() -> Iterator[None]:
    """Inside, the collector takes no note of what there was before: so it is quick, whatever that is."""
    was_frozen = gc.get_freeze_count() > 0
    gc.freeze()
    try:
        yield
    finally:
        if not was_frozen:
            gc.unfreeze()


def live_tensors() -> int:
    """How many tensors there are that Python's collector takes note of."""
    return sum(issubclass(type(it), Tensor) for it in gc.get_objects())
