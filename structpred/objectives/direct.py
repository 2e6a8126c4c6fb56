"""The perturbed direct loss: train through an argmax on the loss of the structure that it picks.

For one draw gamma of the noise, with ``s = scores + spread(scale * gamma)``,

    y      = argmax_y <s, y>
    y(eps) = argmax_y <s + eps * coefficients, y>                           the same gamma
    d E[loss(y)] / d s ~ (y(eps) - y) / eps                                 one-sided, bias O(eps)
                       ~ (y(eps) - y(-eps)) / (2 eps)                       central, bias O(eps^2)

(Cohen Indelman & Hazan 2021, Equations 14 to 17; the central form is not in the paper.) Both y are
constants to autograd. The gradients for the scores and for the scale follow from differentiating the
surrogate ``<s, (y(eps) - y) / eps>``, for a scale of any shape.
"""

from __future__ import annotations

from typing import Any

import torch
from attrs import frozen
from torch import Tensor, nn

from structpred._tensors import inner
from structpred._validation import validate_broadcast, validate_floating, validate_positive_int, validate_same_device
from structpred.epsilon import Epsilon, as_policy
from structpred.errors import InfeasibleError, argument_error
from structpred.loss import LinearLoss
from structpred.noise import Gumbel, Noise
from structpred.scale import validate_scale
from structpred.spaces.base import StructuredSpace


class _WithGradient(torch.autograd.Function):
    """The value, with the gradient of the surrogate ``<perturbed, gradient>`` added to its own.

    The surrogate's value is never needed, and would be NaN where ``-inf`` meets a gradient of 0.
    """

    @staticmethod
    def forward(ctx: Any, value: Tensor, perturbed: Tensor, gradient: Tensor) -> Tensor:
        ctx.save_for_backward(gradient)
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, Tensor, None]:
        (gradient,) = ctx.saved_tensors
        event_dims = gradient.ndim - upstream.ndim
        return upstream, upstream.reshape(upstream.shape + (1,) * event_dims) * gradient, None


@frozen(eq=False)
class Solution:
    """What one call of the objective solved. ``draws`` is ``num_samples``, or 1 without noise."""

    loss: Tensor
    """``(draws, *batch)``: the task loss of each prediction; its gradient is the direct gradient."""
    prediction: Tensor
    """``(draws, *batch, *shape)``: y, under noise."""
    augmented: Tensor
    """``(draws, *batch, *shape)``: y(eps), under the same noise."""
    gradient: Tensor
    """``(draws, *batch, *shape)``: the direct gradient of each draw's loss for its perturbed scores."""
    noise: Tensor | None
    """``(draws, *batch, *noise_shape)``: the draws before scaling; None without noise."""
    epsilon: Tensor
    """``(*batch)``: the epsilon used, after any growing."""

    @property
    def nonzero_fraction(self) -> Tensor:
        """0-dim: the fraction of examples with a non-zero gradient in at least one draw."""
        event_dims = self.gradient.ndim - self.loss.ndim
        return self.gradient.any(0).flatten(-event_dims).any(-1).to(self.loss.dtype).mean()


class PerturbedDirectLoss(nn.Module):
    """Mean task loss of a space's noisy argmax, with direct gradients for scores and noise scale.

    Args:
        space: the structures.
        epsilon: the signed step of the loss perturbation, a number or a policy such as
            ``GrowUntilNonzero``; may be assigned anew between calls. Negative moves towards better
            structures, as in the paper.
        noise: the distribution of each variable's draw.
        num_samples: draws an example.
        central: differences on both sides of 0, for one more solver call.

    Raises:
        ArgumentError: for an epsilon of 0, less than one sample, or a space or noise that is none.

    >>> import structpred as sp
    >>> _ = torch.manual_seed(0)
    >>> space = sp.Matching(3)
    >>> objective = sp.PerturbedDirectLoss(space, epsilon=-1.0, num_samples=5)
    >>> scores = torch.zeros(2, 3, 3, requires_grad=True)
    >>> target = torch.eye(3).expand(2, 3, 3)
    >>> loss = objective(scores, 1.0, space.hamming(target))
    >>> loss.backward()
    >>> scores.grad.diagonal(dim1=1, dim2=2).le(0).all()  # the target's parts should score higher
    tensor(True)
    """

    def __init__(
        self,
        space: StructuredSpace,
        *,
        epsilon: Epsilon | float,
        noise: Noise = Gumbel(),
        num_samples: int = 1,
        central: bool = False,
    ) -> None:
        super().__init__()
        if not isinstance(space, StructuredSpace):
            raise argument_error("space", "a StructuredSpace", space, "write for example Matching(10)")
        if not isinstance(noise, Noise):
            raise argument_error("noise", "a Noise", noise, "write for example Gumbel()")
        self.space = space
        self.epsilon = epsilon
        self.noise = noise
        self.num_samples = validate_positive_int("num_samples", num_samples)
        self.central = bool(central)

    @property
    def epsilon(self) -> Epsilon:
        """The policy; assign a number or another policy to change it."""
        return self._epsilon

    @epsilon.setter
    def epsilon(self, epsilon: Epsilon | float) -> None:
        self._epsilon = as_policy(epsilon)

    def forward(
        self,
        scores: Tensor,
        scale: Tensor | float | None,
        loss: LinearLoss,
        *,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """The mean task loss over batch and draws, 0-dim. Arguments and errors are those of ``solve``.

        Raises:
            ArgumentError: also for a batch without examples, which has no mean.
        """
        solution = self.solve(scores, scale, loss, generator=generator)
        if not solution.loss.numel():
            raise argument_error("scores", "at least one example", scores)
        return solution.loss.mean()

    def solve(
        self,
        scores: Tensor,
        scale: Tensor | float | None,
        loss: LinearLoss,
        *,
        generator: torch.Generator | None = None,
    ) -> Solution:
        """Solves plainly and with the loss added, and returns what ``forward`` reduces.

        Args:
            scores: ``(*batch, *shape)``; ``-inf`` forbids a part.
            scale: sigma. None is no noise (classical direct loss minimization); a positive number; or a
                positive tensor of the dimensions of ``(*batch, *noise_shape)``, each full or 1.
            loss: coefficients that broadcast to the shape of ``scores``.
            generator: draws the noise; on the scores' device.

        Raises:
            ArgumentError: for wrong shapes, dtypes, devices or values, each named.
            InfeasibleError: where ``-inf`` leaves no structure.
        """
        batch = self.space.batch_shape("scores", validate_floating("scores", scores))
        scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
        coefficients = self._validate_loss(loss, scores, batch)  # broadcasts to (*batch, *shape)
        perturbed, noise = self._perturb(scores, scale, batch, generator)  # (draws, *batch, *shape)

        signs = (0, 1, -1) if self.central else (0, 1)
        epsilon = self.epsilon.start(scores.detach(), coefficients.expand_as(scores), self._event_dims)
        solved = self._argmax(perturbed, coefficients, epsilon, signs)  # (signs, draws, *batch, *shape)
        prediction, augmented, reference = solved[0], solved[1], solved[-1 if self.central else 0]
        value = loss.constant + inner(coefficients, prediction, self._event_dims)  # (draws, *batch)

        while True:
            difference = augmented - reference
            grown = self.epsilon.grow(epsilon, difference, value.detach())
            if grown is None:
                break
            again, epsilon = grown != epsilon, grown
            solved[1:, :, again] = self._argmax(
                perturbed[:, again], coefficients.expand_as(scores)[again], epsilon[again], signs[1:]
            )

        step = self._on_parts(2 * epsilon if self.central else epsilon)
        gradient = difference.div_(step)  # (draws, *batch, *shape)
        return Solution(
            loss=_WithGradient.apply(value, perturbed, gradient),
            prediction=prediction,
            augmented=augmented,
            gradient=gradient,
            noise=noise,
            epsilon=epsilon,
        )

    def extra_repr(self) -> str:
        settings = [f"{self.space!r}", f"epsilon={self.epsilon!r}", f"noise={self.noise!r}"]
        return ", ".join([*settings, f"num_samples={self.num_samples}", f"central={self.central}"])

    @property
    def _event_dims(self) -> int:
        return len(self.space.shape)

    def _validate_loss(self, loss: LinearLoss, scores: Tensor, batch: tuple[int, ...]) -> Tensor:
        """The loss's coefficients, in the scores' dtype, once they and the constant are known to fit."""
        if not isinstance(loss, LinearLoss):
            raise argument_error("loss", "a LinearLoss", loss, "write for example space.hamming(target)")
        validate_same_device("loss.coefficients", loss.coefficients, scores)
        self.space.batch_shape("loss.coefficients", loss.coefficients)
        validate_broadcast("loss.coefficients", loss.coefficients, tuple(scores.shape), "the scores have it")
        if isinstance(loss.constant, Tensor):
            validate_same_device("loss.constant", loss.constant, scores)
            validate_broadcast("loss.constant", loss.constant, batch, "the scores have it")
        return loss.coefficients.to(scores.dtype)

    def _perturb(
        self,
        scores: Tensor,
        scale: Tensor | float | None,
        batch: tuple[int, ...],
        generator: torch.Generator | None,
    ) -> tuple[Tensor, Tensor | None]:
        """Equation 14: the perturbed scores ``(draws, *batch, *shape)`` and the noise in them."""
        if scale is None:
            return scores[None], None
        noise_shape = self.space.noise_shape
        scale = validate_scale(scale, batch, noise_shape, scores)
        noise = self.noise.sample(
            (self.num_samples, *batch, *noise_shape), dtype=scores.dtype, device=scores.device, generator=generator
        )
        return scores + self.space.spread(scale * noise), noise

    @torch.no_grad()
    def _argmax(self, perturbed: Tensor, coefficients: Tensor, epsilon: Tensor, signs: tuple[int, ...]) -> Tensor:
        """The structures for ``perturbed + sign * epsilon * coefficients``, all in one solver call.

        ``(draws, *batch, *shape), (*batch, *shape), (*batch) -> (signs, draws, *batch, *shape)``
        """
        shift = self._on_parts(epsilon) * coefficients
        try:
            return self.space.argmax(perturbed + torch.stack([sign * shift for sign in signs])[:, None])
        except InfeasibleError as error:  # name examples of the user's batch, without signs and draws
            raise InfeasibleError(sorted({index[2:] for index in error.examples})) from None

    def _on_parts(self, per_example: Tensor) -> Tensor:
        return per_example.reshape(per_example.shape + (1,) * self._event_dims)
