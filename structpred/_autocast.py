"""What is computed in full within ``torch.autocast``, as are losses in torch itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def without_autocast(device: torch.device) -> Iterator[None]:
    """Products have the dtype of their factors inside: in half precision a solver's sums would be tied."""
    if not torch.is_autocast_enabled(device.type):
        yield
        return
    with torch.autocast(device.type, enabled=False):
        yield
