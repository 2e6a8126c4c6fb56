"""What every objective is: a module that returns a loss, differentiable in scores and scale."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any, Literal, get_args

import torch
from attrs import frozen
from torch import Tensor

from structpred._eager import eager
from structpred._settings import PerturbedModule
from structpred._validation import validate_positive_int
from structpred.adaptive_scale import AdaptiveScale
from structpred.errors import argument_error
from structpred.noise import Gumbel, Noise
from structpred.spaces.base import StructuredSpace

Reduction = Literal["mean", "sum", "none"]


@frozen(eq=False)
class Solution:
    """What one call of an objective solved. ``samples`` is ``num_samples``, or 1 without noise."""

    loss: Tensor
    """``(samples, *batch)``: what ``forward`` reduces, with its gradient."""
    prediction: Tensor
    """``(samples, *batch, *shape)``: what was solved for. A backward pass through it raises ``NoGradientError``."""
    noise: Tensor | None
    """``(samples, *batch, *noise_shape)``: the draws before scaling; None without noise."""

    def __repr__(self) -> str:
        samples, *batch = self.loss.shape
        mean = f"{self.loss.detach().mean():.4g}" if self.loss.numel() else "of nothing"
        return f"{type(self).__name__}(mean loss {mean}, samples={samples}, batch={tuple(batch)})"


class Objective(PerturbedModule, abc.ABC):
    """Scores, scale and supervision in, a number with gradients out. A subclass defines ``solve``.

    Every setting below may be assigned anew between calls, and is validated when it is. In training mode the scores
    are perturbed by noise; after ``.eval()`` they are not, and the number is that of the scores as they are.

    Args:
        space: the structures.
        noise: the distribution of each variable's draw; None is no noise.
        scale: sigma, where a call does not bring its own: a positive number, or a tensor as for ``forward``, which
            becomes a parameter if it is one, and a buffer if not.
        num_samples: draws an example.
        reduction: of the losses of batch and samples, ``"mean"``, ``"sum"`` over the batch (of means over the
            samples), or ``"none"``: one loss an example.
    """

    num_samples: int
    reduction: Reduction

    def __init__(
        self,
        space: StructuredSpace,
        *,
        noise: Noise | None = Gumbel(),
        scale: Tensor | float | AdaptiveScale = 1.0,
        num_samples: int = 1,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(space, noise, scale)
        self.num_samples = num_samples
        self.reduction = reduction

    @eager
    def forward(
        self,
        scores: Tensor,
        supervision: Any,
        *,
        scale: Tensor | float | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """The reduced loss: 0-dim, or ``(*batch)`` for ``reduction="none"``. Arguments and errors are ``solve``'s.

        Raises:
            ArgumentError: also for the mean of a batch without examples.
        """
        loss = self.solve(scores, supervision, scale=scale, generator=generator).loss
        if self.reduction == "mean":
            if not loss.numel():
                raise argument_error("scores", "at least one example", scores, 'write reduction="sum" or "none"')
            return loss.mean()
        return loss.mean(0) if self.reduction == "none" else loss.mean(0).sum()

    if TYPE_CHECKING:
        __call__ = forward  # torch's own returns Any

    @abc.abstractmethod
    def solve(
        self,
        scores: Tensor,
        supervision: Any,
        *,
        scale: Tensor | float | None = None,
        generator: torch.Generator | None = None,
    ) -> Solution:
        """Solves, and returns what ``forward`` reduces.

        Args:
            scores: ``(*batch, *shape)``, floating point; ``-inf`` forbids a part.
            supervision: what the objective learns from: a ``LinearLoss``, or for some a structure.
            scale: sigma; the objective's own unless given. A positive number, or a positive tensor of one element, or
                one with the dimensions of ``(*batch, *noise_shape)``, each full or 1.
            generator: draws the noise; on the scores' device.

        Raises:
            ArgumentError: for wrong shapes, dtypes, devices or values, each named.
            InfeasibleError: where ``-inf`` leaves no structure.
        """


def _reduction(value: object) -> object:
    if value not in get_args(Reduction):
        raise argument_error("reduction", '"mean", "sum" or "none"', value)
    return value


Objective.converters = PerturbedModule.converters | {
    "num_samples": lambda value: validate_positive_int("num_samples", value),
    "reduction": _reduction,
}
