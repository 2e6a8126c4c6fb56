"""Small tensor functions that more than one module needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def inner(a: Tensor, b: Tensor, event_dims: int) -> Tensor:
    """``<a, b>`` over the last ``event_dims`` dimensions: ``(*batch, *shape) x 2 -> (*batch)``."""
    return (a * b).flatten(-event_dims).sum(-1)


def on_parts(per_example: Tensor, event_dims: int) -> Tensor:
    """Appends dimensions of size 1, so that a number per example broadcasts against the example's parts."""
    return per_example.reshape(per_example.shape + (1,) * event_dims)


def corner(shape: Sequence[int], *before: Any) -> tuple[Any, ...]:
    """The index of the first entries, so many in each of the last dimensions, after an index of those before them."""
    return (*before, *map(slice, shape))


def new_sums(scores: Tensor, *shape: int) -> Tensor:
    """Zeros to which many of the scores are added: float64, or float32 on a device that has nothing finer (MPS).

    In float32 a sum of ten thousand scores near 1000 resolves differences of 1 only.
    """
    return scores.new_zeros(shape, dtype=torch.float32 if scores.device.type == "mps" else torch.float64)
