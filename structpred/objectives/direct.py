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
from structpred._tensors import inner
from structpred._validation import validate_broadcast, validate_same_device
from structpred.difference import Difference, direct_difference
from structpred.epsilon import Epsilon, RelativeToNoise, as_policy
from structpred.errors import argument_error
from structpred.gradient import refusing_gradient, with_gradient
from structpred.loss import LinearLoss
from structpred.noise import Gumbel, Noise
from structpred.objectives._zero_gradients import ZeroGradientWatch
from structpred.objectives.base import Objective, Reduction, Solution
from structpred.spaces.base import StructuredSpace


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
        epsilon: the signed step of the loss perturbation, a number or a policy. The default measures it in units of
            the noise and of the loss, and needs no tuning. Negative moves towards better structures, as in the paper.
        central: differences on both sides of 0, for one more solver call.
        noise, scale, num_samples, reduction: as for every ``Objective``.

    Raises:
        ArgumentError: for an epsilon of 0, less than one sample, or a space or noise that is none.

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

    _converters: ClassVar = Objective._converters | {"epsilon": as_policy, "central": bool}

    epsilon: Epsilon
    central: bool

    def __init__(
        self,
        space: StructuredSpace,
        *,
        epsilon: Epsilon | float = RelativeToNoise(),
        noise: Noise | None = Gumbel(),
        scale: Tensor | float = 1.0,
        num_samples: int = 1,
        central: bool = False,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(space, noise=noise, scale=scale, num_samples=num_samples, reduction=reduction)
        self.epsilon = as_policy(epsilon)
        self.central = central
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
        """Solves plainly and with the loss added, and returns what ``forward`` reduces.

        Args:
            scores: ``(*batch, *shape)``, floating point; ``-inf`` forbids a part.
            supervision: the loss; its coefficients broadcast to the shape of ``scores``.
            scale: sigma; the objective's own unless given. A positive number, or a positive tensor of one element, or
                one with the dimensions of ``(*batch, *noise_shape)``, each full or 1.
            generator: draws the noise; on the scores' device.

        Raises:
            ArgumentError: for wrong shapes, dtypes, devices or values, each named.
            InfeasibleError: where ``-inf`` leaves no structure.
        """
        scores = self._validate_scores(scores)
        coefficients = self._validate_loss(supervision, scores)  # (*batch, *shape)
        event_dims = len(self.space.shape)

        def loss(y: Tensor) -> Tensor:
            return supervision.constant + inner(coefficients, y, event_dims)

        if not self.training:
            y = self.space.argmax(scores)[None]
            nothing = Difference(y, y, torch.zeros_like(y), y.new_zeros(scores.shape[: scores.ndim - event_dims]))
            return self._solution(loss(y), scores[None], nothing, None)
        perturbed = self._perturb(scores, scale, generator)
        found = direct_difference(self.space, perturbed, coefficients, self.epsilon, central=self.central, loss=loss)
        value = loss(found.prediction)  # (samples, *batch)
        self._watch(found.gradient, value, lambda: loss(self.space.argmax(coefficients.neg())))
        return self._solution(with_gradient(value, perturbed.scores, found.gradient), scores, found, perturbed.noise)

    def _solution(self, value: Tensor, scores: Tensor, found: Difference, noise: Tensor | None) -> DirectSolution:
        y, augmented = (refusing_gradient(y, scores) for y in (found.prediction, found.augmented))
        return DirectSolution(value, y, noise, augmented, found.gradient, found.epsilon)

    def _validate_loss(self, loss: LinearLoss, scores: Tensor) -> Tensor:
        """The loss's coefficients, in the scores' dtype and shape, once they and the constant are known to fit."""
        if not isinstance(loss, LinearLoss):
            raise argument_error("loss", "a LinearLoss", loss, "write for example space.hamming(target)")
        batch = self.space.batch_shape("scores", scores)
        validate_same_device("loss.coefficients", loss.coefficients, scores)
        self.space.batch_shape("loss.coefficients", loss.coefficients)
        validate_broadcast("loss.coefficients", loss.coefficients, tuple(scores.shape), "the scores have it")
        if isinstance(loss.constant, Tensor):
            validate_same_device("loss.constant", loss.constant, scores)
            validate_broadcast("loss.constant", loss.constant, batch, "the scores have it")
        return loss.coefficients.to(scores.dtype).expand_as(scores)
