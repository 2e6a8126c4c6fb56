"""The identity layer: a solver whose backward pass hands dL/dy on to the scores.

    y        = argmax_y <P(scores), y>
    dL/dP   := dL/dy

with a projection P of the scores (Sahoo et al. 2023, "Backpropagation through combinatorial algorithms: identity with
projection works"). It has no second solve and no step.
"""

from __future__ import annotations

import enum
from typing import Any

import torch
from torch import Tensor

from structpred.errors import argument_error
from structpred.layers.base import Layer
from structpred.noise import Noise
from structpred.perturbation import Perturbed
from structpred.spaces.base import StructuredSpace


class Projection(enum.Enum):
    """What is made of an example's scores before they are perturbed and solved. Forbidden parts do not count."""

    NONE = enum.auto()
    MEAN = enum.auto()
    """They are moved to mean 0: for spaces whose structures all have the same number of parts."""
    NORM = enum.auto()
    """They are divided by their Euclidean norm."""
    STD = enum.auto()
    """Both: mean 0 and norm 1. Scores that are equal become 0."""

    def __repr__(self) -> str:  # code, as the repr of every other setting is
        return f"Projection.{self.name}"


class Identity(Layer):
    """A space's argmax, differentiable for any loss of the structure, without another solve.

    Args:
        projection: the projection P. NORM and STD keep scores from growing or shrinking without bound; noise
            keeps apart the scores of structures that win and of those that do not.
        noise: none unless given; in units of the projected scores.
        space, scale, num_samples: as for every ``Layer``.

    Raises:
        ArgumentError: for what is no projection, space or noise.

    >>> import structpred as sp
    >>> layer = sp.Identity(sp.OneHot(3), projection=sp.Projection.MEAN)
    >>> scores = torch.tensor([[1.0, 3.0, 0.0]], requires_grad=True)
    >>> layer(scores)[0, 1].backward()
    >>> scores.grad
    tensor([[-0.3333,  0.6667, -0.3333]])
    """

    projection: Projection

    def __init__(
        self,
        space: StructuredSpace,
        *,
        projection: Projection = Projection.NONE,
        noise: Noise | None = None,
        scale: Tensor | float = 1.0,
        num_samples: int | None = None,
    ) -> None:
        super().__init__(space, noise=noise, scale=scale, num_samples=num_samples)
        self.projection = projection

    def _validate_scores(self, scores: Tensor) -> Tensor:
        return _project(super()._validate_scores(scores), self.projection, len(self.space.shape))

    def _structures(self, scores: Tensor, perturbed: Perturbed) -> Tensor:
        y: Tensor = _StraightThrough.apply(perturbed.scores, self.space.argmax(perturbed.scores))
        return y


def _project(scores: Tensor, projection: Projection, event_dims: int) -> Tensor:
    if projection is Projection.NONE:
        return scores
    dims = tuple(range(-event_dims, 0))
    forbidden = scores.isneginf()
    finite = scores.masked_fill(forbidden, 0)
    if projection is not Projection.NORM:
        count = (~forbidden).sum(dims, keepdim=True).clamp(min=1)
        finite = (finite - finite.sum(dims, keepdim=True) / count).masked_fill(forbidden, 0)
    if projection is not Projection.MEAN:
        norm = finite.square().sum(dims, keepdim=True)
        # The inner where keeps the derivative of sqrt at 0, which is infinite, out of the gradient.
        finite = finite / torch.where(norm > 0, torch.where(norm > 0, norm, 1.0).sqrt(), 1.0)
    return finite.masked_fill(forbidden, -torch.inf)


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, scores: Tensor, y: Tensor) -> Tensor:
        ctx.save_for_backward(scores.isneginf())
        return y.view_as(y)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
        (forbidden,) = ctx.saved_tensors
        return upstream.masked_fill(forbidden, 0), None


def _projection(value: object) -> Projection:
    if not isinstance(value, Projection):
        raise argument_error("projection", "a Projection", value, "write for example Projection.STD")
    return value


Identity.converters = Layer.converters | {"projection": _projection}
