"""The perturbed argmax: the mean structure under noise, and its exact derivative.

    y*      = E[argmax_y <scores + scale * noise, y>]
    dy*     = E[y(s) (d log q(s))^T]

(Berthet et al. 2020, "Learning with differentiable perturbed optimizers", Equation 2 and Proposition 3.1), each
estimated from the same draws. From each draw's <dL/dy, y> the mean of the other draws is taken away, which leaves the
expectation as it is and lessens the variance.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from structpred._tensors import inner
from structpred.gradient import refusing_gradient
from structpred.layers.base import Layer
from structpred.noise import Gumbel, Noise
from structpred.perturbation import Perturbed
from structpred.score_function import (
    log_density,
    others_mean,
    validate_density,
    validate_several,
    validate_variables_are_parts,
)
from structpred.spaces.base import StructuredSpace


class PerturbedArgmax(Layer):
    """The mean of a space's noisy argmax: a point between its structures, differentiable for any loss of it.

    After ``.eval()`` it returns the structure ``space.argmax(scores)``, without gradient.

    Args:
        num_samples: draws an example, at least 2; the mean is over them.
        noise: with a density that is known and positive everywhere.
        space, scale: as for every ``Layer``; each part has a noise variable of its own.

    Raises:
        ArgumentError: for less than two samples, other noise, and spaces whose noise is shared by parts.

    >>> import structpred as sp
    >>> layer = sp.PerturbedArgmax(sp.OneHot(2), num_samples=10_000)
    >>> scores = torch.tensor([[1.0, 0.0]], requires_grad=True)
    >>> y = layer(scores, generator=torch.Generator().manual_seed(0))
    >>> torch.allclose(y, scores.softmax(-1), atol=0.02)
    True
    >>> (gradient,) = torch.autograd.grad(y[0, 0], scores)
    >>> gradient.round(decimals=1)  # p (1 - p)
    tensor([[ 0.2000, -0.2000]])
    """

    noise: Noise
    num_samples: int

    def __init__(
        self,
        space: StructuredSpace,
        *,
        noise: Noise = Gumbel(),
        scale: Tensor | float = 1.0,
        num_samples: int = 10,
    ) -> None:
        super().__init__(space, noise=noise, scale=scale, num_samples=num_samples)

    def _structures(self, scores: Tensor, perturbed: Perturbed) -> Tensor:
        y = self.space.argmax(perturbed.scores)
        if perturbed.noise is None:
            return refusing_gradient(y, scores)
        mean: Tensor = _Mean.apply(log_density(self.space, self.noise, perturbed, scores), y)
        return mean

    def _laid_out(self, y: Tensor) -> Tensor:
        return y[0]


class _Mean(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, log: Tensor, y: Tensor) -> Tensor:
        ctx.save_for_backward(y)
        ctx.event_dims = y.ndim - log.ndim
        return y.mean(0, keepdim=True)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
        (y,) = ctx.saved_tensors
        worth = inner(upstream, y, ctx.event_dims)  # (samples, *batch)
        return (worth - others_mean(worth)) / len(y), None


PerturbedArgmax.converters = Layer.converters | {
    "noise": validate_density,
    "space": lambda value: validate_variables_are_parts(Layer.converters["space"](value)),
    "num_samples": validate_several,
}
