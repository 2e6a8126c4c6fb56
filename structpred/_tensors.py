"""Small tensor functions that more than one module needs."""

from __future__ import annotations

from torch import Tensor


def inner(a: Tensor, b: Tensor, event_dims: int) -> Tensor:
    """``<a, b>`` over the last ``event_dims`` dimensions: ``(*batch, *shape) x 2 -> (*batch)``."""
    return (a * b).flatten(-event_dims).sum(-1)
