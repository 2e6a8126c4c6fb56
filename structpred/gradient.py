"""A value that carries a given gradient, and structures that refuse to carry one.

    d value / d scores := gradient

The surrogate ``<scores, gradient>`` has this gradient too, but its value is never needed, and would be NaN where a
score of ``-inf`` meets a gradient of 0.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from structpred._tensors import on_parts
from structpred.errors import NoGradientError


def with_gradient(value: Tensor, scores: Tensor, gradient: Tensor) -> Tensor:
    """The value, whose derivative for the scores is the given gradient, added to what it has of its own.

    Args:
        value: ``(*batch)``.
        scores: ``(*batch, *shape)``, where the gradient goes.
        gradient: ``(*batch, *shape)``, a constant to autograd.
    """
    result: Tensor = _WithGradient.apply(value, scores, gradient)
    return result


def refusing_gradient(y: Tensor, scores: Tensor) -> Tensor:
    """The structures y of the scores, unchanged; a backward pass through them raises ``NoGradientError``.

    A structure is piecewise constant in its scores. Without the refusal a loss computed from it would leave the
    network untrained, in silence wherever other terms of the loss have gradients.
    """
    if not (torch.is_grad_enabled() and scores.requires_grad):
        return y
    result: Tensor = _RefusingGradient.apply(y, scores)
    return result


class _WithGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor, scores: Tensor, gradient: Tensor) -> Tensor:
        ctx.save_for_backward(gradient)
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, Tensor, None]:
        (gradient,) = ctx.saved_tensors
        return upstream, on_parts(upstream, gradient.ndim - upstream.ndim) * gradient, None


class _RefusingGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, y: Tensor, scores: Tensor) -> Tensor:
        return y.view_as(y)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[None, None]:
        raise NoGradientError(
            "a structure carries no gradient: expected a backward pass through the loss that the objective returns, "
            "got one through prediction or augmented; write solution.loss, or detach the structure"
        )
