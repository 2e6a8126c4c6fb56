"""A watch over layers whose structures no loss is a differentiable function of."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor

from structpred.errors import ZeroGradientWarning

CALLS = 50


class UnusedWatch:
    """Warns once, where ``CALLS`` calls in a row were followed by no backward pass with a gradient other than 0.

    It looks only once in ``CALLS`` calls, so that a GPU need not be waited for in the others.
    """

    def __init__(self, layer: str) -> None:
        self._layer = layer
        self._calls = 0
        self._used: Tensor | bool = False
        self._warned = False

    def __call__(self, y: Tensor) -> Tensor:
        """Takes note of one call, and returns y, which takes note of its backward pass."""
        if self._warned:
            return y
        self._calls += 1
        if self._calls > CALLS:
            used, self._calls, self._used = bool(self._used), 1, False
            if not used:
                self._warned = True
                warnings.warn(
                    f"no gradient reached the structures of the last {CALLS} calls of {self._layer}; compute the loss "
                    "from them by differentiable functions (not argmax, ==, .long() or .detach()), or write .eval() or "
                    "torch.no_grad() where nothing is trained",
                    ZeroGradientWarning,
                    stacklevel=2,
                )
        result: Tensor = _Noting.apply(y, self)
        return result

    def note(self, upstream: Tensor) -> None:
        least, largest = torch.aminmax(upstream) if upstream.numel() else (upstream.sum(), upstream.sum())
        self._used = (least != 0) | (largest != 0) | self._used


class _Noting(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, y: Tensor, watch: UnusedWatch) -> Tensor:
        ctx.watch = watch
        return y.view_as(y)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
        ctx.watch.note(upstream)
        return upstream, None
