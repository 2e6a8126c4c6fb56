"""The score-function estimate (REINFORCE) of the gradient of the expected task loss.

    gradient = mean_k (loss(y_k) - mean of the other draws' losses) * d log q(s_k)

with the score function of ``structpred.score_function`` and the leave-one-out baseline (Williams 1992; Kool, van Hoof &
Welling 2019). Unbiased, for any loss of the prediction, at one solve a draw; its variance is large.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from structpred._eager import eager
from structpred._tensors import inner
from structpred._validation import validate_floating
from structpred.errors import argument_error
from structpred.gradient import refusing_gradient
from structpred.loss import LinearLoss
from structpred.noise import Gumbel, Noise
from structpred.objectives._supervision import coefficients_of
from structpred.objectives.base import Objective, Reduction, Solution
from structpred.score_function import (
    log_density,
    others_mean,
    validate_density,
    validate_several,
    validate_variables_are_parts,
)
from structpred.spaces.base import StructuredSpace


class ScoreFunctionLoss(Objective):
    """Mean task loss of a space's noisy argmax, with score-function gradients for scores and noise scale.

    It learns from a ``LinearLoss``, or from a function of the structures, ``(samples, *batch, *shape) ->
    (samples, *batch)``, which need not be linear or differentiable.

    Args:
        num_samples: draws an example, at least 2.
        noise: with a density that is known and positive everywhere.
        space, scale, reduction: as for every ``Objective``; each part has a noise variable of its own.

    Raises:
        ArgumentError: for less than two samples, other noise, and spaces whose noise is shared by parts.

    >>> import structpred as sp
    >>> scores = torch.zeros(1, 3, requires_grad=True)
    >>> space, generator = sp.OneHot(3), torch.Generator().manual_seed(0)
    >>> objective = sp.ScoreFunctionLoss(space, num_samples=10_000)
    >>> objective(scores, space.hamming(torch.tensor([[1, 0, 0]])), generator=generator).backward()
    >>> scores.grad.mul(9).round()  # the softmax's gradient: -4/9, 2/9, 2/9
    tensor([[-4.,  2.,  2.]])
    """

    noise: Noise

    def __init__(
        self,
        space: StructuredSpace,
        *,
        noise: Noise = Gumbel(),
        scale: Tensor | float = 1.0,
        num_samples: int = 10,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(space, noise=noise, scale=scale, num_samples=num_samples, reduction=reduction)

    @eager
    def solve(
        self,
        scores: Tensor,
        supervision: LinearLoss | Callable[[Tensor], Tensor],
        *,
        scale: Tensor | float | None = None,
        generator: torch.Generator | None = None,
    ) -> Solution:
        scores = self._validate_scores(scores)
        loss_of = self._loss(supervision, scores)
        perturbed = self._perturb(scores, scale, self.num_samples, generator)
        y = self.space.argmax(perturbed.scores)  # (samples, *batch, *shape)
        loss = loss_of(y)
        if perturbed.noise is not None:
            log = log_density(self.space, self.noise, perturbed, scores)
            loss = loss + (loss - others_mean(loss)).detach() * (log - log.detach())
        return Solution(loss, refusing_gradient(y, scores), perturbed.noise)

    def _loss(self, supervision: LinearLoss | Callable[[Tensor], Tensor], scores: Tensor) -> Callable[[Tensor], Tensor]:
        dims = len(self.space.shape)
        if isinstance(supervision, LinearLoss) or not callable(supervision):
            coefficients = coefficients_of(self.space, supervision, scores)
            return lambda y: supervision.constant + inner(coefficients, y, dims)

        def loss_of(y: Tensor) -> Tensor:
            loss = validate_floating("loss(y)", supervision(y))
            if loss.shape != y.shape[: y.ndim - dims]:
                wanted = f"one number a structure, of shape {tuple(y.shape[: y.ndim - dims])}"
                raise argument_error("loss(y)", wanted, loss)
            return loss

        return loss_of


ScoreFunctionLoss.converters = Objective.converters | {
    "noise": validate_density,
    "space": lambda value: validate_variables_are_parts(Objective.converters["space"](value)),
    "num_samples": validate_several,
}
