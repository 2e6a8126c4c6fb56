"""Derivatives along a line of functions that are convex and piecewise linear, by finite differences that are exact."""

from __future__ import annotations

from collections.abc import Callable

import torch
from hypothesis import reject
from torch import Tensor

from structpred.testing.law import ViolationError

TOLERANCE = 1e-6


def slope(function: Callable[[float], Tensor]) -> Tensor:
    """The derivative at 0, entry by entry; exact where no kink is near."""
    centre = function(0.0)
    for step in (1e-5, 1e-6, 1e-7):
        right, left = (function(step) - centre) / step, (centre - function(-step)) / step
        if torch.allclose(right, left, rtol=0, atol=TOLERANCE / 10):
            return (right + left) / 2
    reject()  # a kink within 1e-7 of this input
    raise AssertionError("unreachable")


def expect_near(got: Tensor, expected: Tensor, message: str) -> None:
    """Raises ``ViolationError`` unless two numbers agree to 1e-6."""
    if not (got - expected).abs() <= TOLERANCE * (1 + expected.abs()):
        raise ViolationError(message, got=got.item(), expected=expected.item())
