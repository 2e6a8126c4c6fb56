"""A watch over gradients that stay zero although the loss could be lower."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from structpred.errors import ZeroGradientWarning

CALLS = 50


class ZeroGradientWatch:
    """Warns once, after ``CALLS`` calls in a row whose gradients were all zero while better structures exist.

    It looks only once in ``CALLS`` calls, so that a GPU need not be waited for in the others.
    """

    def __init__(self) -> None:
        self._calls = 0
        self._moved: Tensor | bool = False
        self._warned = False

    def __call__(self, gradient: Tensor, loss: Tensor, best: Callable[[], Tensor]) -> None:
        """Takes note of one call; ``best`` solves for the least loss of each example, where that is needed."""
        if self._warned or not loss.numel():
            return
        self._calls += 1
        least, largest = torch.aminmax(gradient)  # faster by far than any()
        self._moved = (least != 0) | (largest != 0) | self._moved
        if self._calls < CALLS:
            return
        moved, self._calls, self._moved = bool(self._moved), 0, False
        if moved:
            return
        with torch.no_grad():
            possible, value = best().mean(), loss.mean()
            rounding = 100 * torch.finfo(value.dtype).eps * (possible.abs() + value.abs())
            if value - possible <= rounding:
                return
        self._warned = True
        warnings.warn(
            f"the gradients of the last {CALLS} calls were all zero, at a mean loss of {value:.4g} where "
            f"{possible:.4g} is possible; take a larger step (epsilon, or the ratio of its policy), more noise "
            "(scale), more samples (num_samples), or GrowUntilNonzero(RelativeToNoise())",
            ZeroGradientWarning,
            stacklevel=2,
        )
