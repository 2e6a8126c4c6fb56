"""The perturbed direct loss: train through an argmax on the loss of the structure that it picks.

    E[loss(y)],  y = argmax_y <scores + spread(scale * noise), y>

with the direct gradient of ``structpred.difference``, along the coefficients of the loss (Cohen Indelman & Hazan 2021,
Equations 14 to 17). By the chain rule it reaches the scores and the scale, of any shape.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from attrs import frozen
from torch import Tensor

from structpred._eager import eager
from structpred._scale import validate_own_scale
from structpred._tensors import inner
from structpred.adaptive_scale import AdaptiveScale
from structpred.difference import Difference, direct_difference
from structpred.epsilon import Epsilon, GrowUntilNonzero, RelativeToNoise, as_policy
from structpred.errors import argument_error
from structpred.gradient import refusing_gradient, with_gradient
from structpred.loss import LinearLoss
from structpred.noise import Gumbel, Noise
from structpred.objectives._supervision import coefficients_of
from structpred.objectives._zero_gradients import ZeroGradientWatch
from structpred.objectives.base import Objective, Reduction, Solution
from structpred.spaces.base import StructuredSpace


def _own_scale(value: Tensor | float | AdaptiveScale) -> Tensor | float | AdaptiveScale:
    return value if isinstance(value, AdaptiveScale) else validate_own_scale(value)


def _in_units_of_the_noise(epsilon: Epsilon) -> bool:
    return isinstance(epsilon.initial if isinstance(epsilon, GrowUntilNonzero) else epsilon, RelativeToNoise)


@frozen(eq=False, repr=False)
class DirectSolution(Solution):
    """What one call of ``PerturbedDirectLoss`` solved."""

    augmented: Tensor
    """``(samples, *batch, *shape)``: y(eps), under the same noise. It refuses a backward pass, as y does."""
    gradient: Tensor
    """``(samples, *batch, *shape)``: the direct gradient of each sample's loss for its perturbed scores."""
    epsilon: Tensor
    """``(*batch)``: the step taken, after any growing; 0 after ``.eval()``."""

    @property
    def nonzero_fraction(self) -> Tensor:
        """0-dim: the fraction of examples with a non-zero gradient in at least one sample."""
        event_dims = self.gradient.ndim - self.loss.ndim
        return self.gradient.any(0).flatten(-event_dims).any(-1).to(self.loss.dtype).mean()


class PerturbedDirectLoss(Objective):
    """Mean task loss of a space's noisy argmax, with direct gradients for scores and noise scale.

    Args:
        space: the structures.
        epsilon: the signed step of the loss perturbation, a number or a policy. Negative moves towards better
            structures, as in the paper. None measures it in units of the noise and of the loss, ``RelativeToNoise()``,
            and needs no tuning; without noise it is ``RelativeToNoise(-8.0, margin=0.0)``, in units of the spread of
            the scores.
        scale: sigma, where a call does not bring its own: an ``AdaptiveScale``, which the objective moves in training
            mode; or a number or a tensor as for every ``Objective``. None is ``AdaptiveScale()`` if the step is in
            units of the noise, and 1 if not.
        noise, num_samples, reduction: as for every ``Objective``.

    Raises:
        ArgumentError: for an epsilon of 0, less than one sample, or a space or noise that is none; in a call, for an
            ``AdaptiveScale`` with a step that is not in units of the noise.

    >>> import structpred as sp
    >>> _ = torch.manual_seed(0)
    >>> space = sp.Matching(3)
    >>> objective = sp.PerturbedDirectLoss(space, num_samples=5)
    >>> scores = torch.zeros(2, 3, 3, requires_grad=True)
    >>> target = torch.eye(3).expand(2, 3, 3)
    >>> loss = objective(scores, space.hamming(target))
    >>> loss.backward()
    >>> scores.grad.diagonal(dim1=1, dim2=2).le(0).all()  # the target's parts should score higher
    tensor(True)
    """

    converters: ClassVar = Objective.converters | {"epsilon": as_policy, "scale": _own_scale}

    epsilon: Epsilon

    def __init__(
        self,
        space: StructuredSpace,
        *,
        epsilon: Epsilon | float | None = None,
        noise: Noise | None = Gumbel(),
        scale: Tensor | float | AdaptiveScale | None = None,
        num_samples: int = 1,
        reduction: Reduction = "mean",
    ) -> None:
        if epsilon is None:
            epsilon = RelativeToNoise() if noise is not None else RelativeToNoise(-8.0, margin=0.0)
        if scale is None:
            adapts = noise is not None and _in_units_of_the_noise(as_policy(epsilon))
            scale = AdaptiveScale() if adapts else 1.0
        super().__init__(space, noise=noise, scale=scale, num_samples=num_samples, reduction=reduction)
        self.epsilon = as_policy(epsilon)
        self._watch = ZeroGradientWatch()

    @eager
    def solve(
        self,
        scores: Tensor,
        supervision: LinearLoss,
        *,
        scale: Tensor | float | None = None,
        generator: torch.Generator | None = None,
    ) -> DirectSolution:
        scores = self._validate_scores(scores)
        coefficients = coefficients_of(self.space, supervision, scores)  # (*batch, *shape)
        event_dims = len(self.space.shape)

        def loss(y: Tensor) -> Tensor:
            return supervision.constant + inner(coefficients, y, event_dims)

        if not self.training:
            y = self.space.argmax(scores)[None]
            nothing = Difference(y, y, torch.zeros_like(y), y.new_zeros(scores.shape[: scores.ndim - event_dims]))
            return self._solution(loss(y), scores[None], nothing, None)
        adaptive = self._adaptive_scale() if scale is None else None
        perturbed = self._perturb(scores, scale, self.num_samples, generator)
        found = direct_difference(self.space, perturbed, coefficients, self.epsilon, loss=loss)
        if adaptive:
            adaptive.update(perturbed.unperturbed, found.gradient, event_dims)
        value = loss(found.prediction)  # (samples, *batch)
        self._watch(found.gradient, value, lambda: loss(self.space.argmax(coefficients.neg())))
        return self._solution(with_gradient(value, perturbed.scores, found.gradient), scores, found, perturbed.noise)

    def _adaptive_scale(self) -> AdaptiveScale | None:
        """The objective's own scale, if there is noise and it adapts."""
        if self.noise is None or not isinstance(self.scale, AdaptiveScale):
            return None
        if not _in_units_of_the_noise(self.epsilon):
            wanted = "a step in units of the noise, where the scale is an AdaptiveScale"
            raise argument_error("epsilon", wanted, self.epsilon, "write RelativeToNoise(), or scale=1.0")
        return self.scale

    def _solution(self, value: Tensor, scores: Tensor, found: Difference, noise: Tensor | None) -> DirectSolution:
        y, augmented = (refusing_gradient(y, scores) for y in (found.prediction, found.augmented))
        return DirectSolution(value, y, noise, augmented, found.gradient, found.epsilon)
