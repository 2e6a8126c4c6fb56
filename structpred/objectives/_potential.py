"""Objectives that are a potential: convex in the scores, zero where the target wins, with an exact gradient.

    loss     = max_y <a s + m, y> - <a s + m, target>,    s = scores + spread(scale * noise)
    gradient = a (y - target),                            y the maximizer

with a factor a and a margin m, the coefficients of a loss.
"""

from __future__ import annotations

import abc
from typing import ClassVar

import torch
from attrs import frozen
from torch import Tensor

from structpred._eager import eager
from structpred._tensors import inner
from structpred.errors import ArgumentError, Words, argument_error, name_examples
from structpred.gradient import refusing_gradient, with_gradient
from structpred.loss import LinearLoss
from structpred.noise import Noise
from structpred.objectives._supervision import coefficients_of, target_of
from structpred.objectives.base import Objective, Reduction, Solution
from structpred.spaces.base import StructuredSpace


@frozen(eq=False, repr=False)
class PotentialSolution(Solution):
    """What one call of an objective that is a potential solved."""

    target: Tensor
    """``(*batch, *shape)``: the structure to learn."""


class Potential(Objective, abc.ABC):
    """A subclass says by what the scores are multiplied, and whether the loss is a margin."""

    factor: ClassVar[float] = 1.0
    margin: ClassVar[bool] = False

    def __init__(
        self,
        space: StructuredSpace,
        *,
        noise: Noise | None = None,
        scale: Tensor | float = 1.0,
        num_samples: int = 1,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(space, noise=noise, scale=scale, num_samples=num_samples, reduction=reduction)

    @eager
    def solve(
        self,
        scores: Tensor,
        supervision: LinearLoss | Tensor,
        *,
        scale: Tensor | float | None = None,
        generator: torch.Generator | None = None,
    ) -> PotentialSolution:
        scores, dims = self._validate_scores(scores), len(self.space.shape)
        margin = coefficients_of(self.space, supervision, scores) if self.margin else None  # (*batch, *shape)
        target = target_of(self.space, supervision, scores)
        perturbed = self._perturb(scores, scale, self.num_samples, generator)
        # NaN, which the solver's own validation finds, where the target needs a forbidden part.
        augmented = self.factor * perturbed.scores.detach() + 0 * (scores.detach() * target).where(target != 0, 0)
        if margin is not None:
            augmented = augmented + margin.detach()
        try:
            y = self.space.argmax(augmented)  # (samples, *batch, *shape)
        except ArgumentError as error:
            _explain(scores, target, dims)
            raise error
        difference = y - target
        # The difference is 0 where a score is -inf.
        value = self.factor * inner(perturbed.scores.detach().where(difference != 0, 0), difference, dims)
        if margin is not None:
            value = value + inner(margin, difference, dims)
        value = with_gradient(value, perturbed.scores, self.factor * difference)
        return PotentialSolution(value, refusing_gradient(y, scores), perturbed.noise, target)


def _explain(scores: Tensor, target: Tensor, event_dims: int) -> None:
    """Raises the ``ArgumentError`` that names the examples whose target is forbidden."""
    forbidden = (scores.isneginf() & (target != 0)).flatten(-event_dims).any(-1)  # (*batch)
    if forbidden.any():
        found = Words(f"-inf in {name_examples([tuple(index) for index in forbidden.nonzero().tolist()])}")
        instead = "allow those parts, or take another target"
        raise argument_error("scores", "finite scores of the target's parts", found, instead)
