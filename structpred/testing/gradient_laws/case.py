"""The inputs of one call of an objective or a layer, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import torch
from attrs import frozen
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from torch import Tensor

from structpred.loss import LinearLoss
from structpred.testing import strategies

if TYPE_CHECKING:
    from structpred.testing.gradient_laws.subject import Subject

BATCH = (2,)
"""A power of 2, by which a mean is divided without rounding."""


@frozen(eq=False)
class Case:
    """What one call is given."""

    scores: Tensor
    """``(2, *shape)``, float64."""
    scale: Tensor
    """0-dim, one an example, or one a variable."""
    loss: LinearLoss
    """The supervision of an objective; its coefficients make the loss that follows a layer."""
    num_samples: int | None
    """None is one draw without a dimension of samples, as layers have it."""
    epsilon: float
    """The step, for laws that set it."""
    seed: int
    """Of the noise."""

    def downstream(self, y: Tensor) -> Tensor:
        """A loss of the structures that is not linear: ``(*samples, *batch, *shape) -> (*samples, *batch)``."""
        dims = self.scores.ndim - len(BATCH)
        return (self.loss.coefficients * y.exp()).flatten(-dims).sum(-1)

    def of_one(self) -> Case:
        """The first example alone, in a batch of one."""
        scale = self.scale[:1] if self.scale.ndim else self.scale
        return attrs.evolve(self, scores=self.scores[:1], scale=scale, loss=self.loss[:1])

    def generic_scores(self) -> Tensor:
        """The scores moved by random numbers, so that no two structures are tied."""
        return self.scores + self.direction(self.scores, 1)

    def direction(self, like: Tensor, which: int = 0) -> Tensor:
        """A random direction, of the shape and dtype of a tensor."""
        return torch.randn(like.shape, generator=torch.Generator().manual_seed(self.seed + which), dtype=like.dtype)


def cases(subject: Subject) -> SearchStrategy[Case]:
    """Calls of a subject; simpler ones have ties and one sample."""
    space = subject.space
    shape = (*BATCH, *space.shape)
    return st.builds(
        Case,
        scores=strategies.integers(shape) | strategies.directions(shape, simple=True),
        scale=strategies.scales(space, batch=BATCH),
        loss=strategies.losses(space, batch=BATCH),
        num_samples=st.sampled_from(subject.sample_counts),
        epsilon=st.sampled_from([-1.0, 1.0, -5.0, 0.3]),
        seed=strategies.seeds(),
    )


@frozen(eq=False)
class Call:
    """What one call returned, and its backward pass."""

    noise: Tensor
    """``(samples, *batch, *noise_shape)``: what was drawn; zeros without noise."""
    value: Tensor
    """0-dim: what an objective returns, or the sum of the loss that follows a layer."""
    for_scores: Tensor
    for_scale: Tensor
    y: Tensor | None
    """What a layer returns; None for an objective."""
    arrived: Tensor | None
    """dL/dy, the gradient that reached the layer."""
