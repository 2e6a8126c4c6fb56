"""What every objective is: a module that returns a loss, differentiable in scores and scale."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any, ClassVar, Literal, get_args

import torch
from attrs import frozen
from torch import Tensor, nn

from structpred._eager import eager, refuse_transforms
from structpred._scale import validate_own_scale, validate_scale
from structpred._validation import validate_floating, validate_positive_int
from structpred.errors import argument_error
from structpred.noise import Gumbel, Noise
from structpred.perturbation import Perturbed, perturb
from structpred.spaces.base import StructuredSpace

Reduction = Literal["mean", "sum", "none"]


@frozen(eq=False, repr=False)
class Solution:
    """What one call of an objective solved. ``samples`` is ``num_samples``, or 1 without noise."""

    loss: Tensor
    """``(samples, *batch)``: what ``forward`` reduces, with its gradient."""
    prediction: Tensor
    """``(samples, *batch, *shape)``: y, under noise. A backward pass through it raises ``NoGradientError``."""
    noise: Tensor | None
    """``(samples, *batch, *noise_shape)``: the draws before scaling; None without noise."""

    def __repr__(self) -> str:
        samples, *batch = self.loss.shape
        mean = f"{self.loss.detach().mean():.4g}" if self.loss.numel() else "of nothing"
        return f"{type(self).__name__}(mean loss {mean}, samples={samples}, batch={tuple(batch)})"


class Objective(nn.Module, abc.ABC):
    """Scores, scale and supervision in, a number with gradients out. A subclass defines ``solve``.

    Every setting below may be assigned anew between calls, and is validated when it is. In training mode the scores
    are perturbed by noise; after ``.eval()`` the number is that of the structure that is deployed,
    ``space.argmax(scores)``, and has no gradient for scores and scale.

    Args:
        space: the structures.
        noise: the distribution of each variable's draw; None is no noise.
        scale: sigma, where a call does not bring its own: a positive number, or a tensor as for ``forward``, which
            becomes a parameter if it is one, and a buffer if not.
        num_samples: draws an example.
        reduction: of the losses of batch and samples, ``"mean"``, ``"sum"`` over the batch (of means over the
            samples), or ``"none"``: one loss an example.
    """

    _converters: ClassVar[dict[str, Callable[[Any], Any]]]

    space: StructuredSpace
    noise: Noise | None
    scale: Tensor | float
    num_samples: int
    reduction: Reduction

    def __init__(
        self,
        space: StructuredSpace,
        *,
        noise: Noise | None = Gumbel(),
        scale: Tensor | float = 1.0,
        num_samples: int = 1,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__()
        self.space = space
        self.noise = noise
        self.scale = scale
        self.num_samples = num_samples
        self.reduction = reduction

    def __setattr__(self, name: str, value: Any) -> None:
        convert = self._converters.get(name)
        if convert is not None:
            value = convert(value)
            for kind in (self.__dict__, self._modules, self._parameters, self._buffers):
                kind.pop(name, None)  # nn.Module refuses a number where a module or a parameter was
        if convert is not None and isinstance(value, Tensor) and not isinstance(value, nn.Parameter):
            self.register_buffer(name, value)
        else:
            super().__setattr__(name, value)

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
            supervision: what the objective learns from.
            scale: sigma; the objective's own unless given. A positive number, or a positive tensor of one element, or
                one with the dimensions of ``(*batch, *noise_shape)``, each full or 1.
            generator: draws the noise; on the scores' device.
        """

    def extra_repr(self) -> str:
        settings = (f"{name}={getattr(self, name)!r}" for name in self._converters if name not in self._modules)
        return ", ".join(settings)

    def _validate_scores(self, scores: Tensor) -> Tensor:
        """The scores in float32 or finer: half precision would make ties."""
        self.space.batch_shape("scores", validate_floating("scores", scores))
        refuse_transforms(scores)
        return scores.to(torch.promote_types(scores.dtype, torch.float32))

    def _perturb(self, scores: Tensor, scale: Tensor | float | None, generator: torch.Generator | None) -> Perturbed:
        if self.noise is None:
            if scale is not None:
                raise argument_error("scale", "none, as this objective has noise=None", scale, "write noise=Gumbel()")
            return perturb(self.space, scores, None, 1.0)
        batch = self.space.batch_shape("scores", scores)
        scale = validate_scale(self.scale if scale is None else scale, batch, self.space.noise_shape, scores)
        return perturb(self.space, scores, self.noise, scale, self.num_samples, generator)


def _space(value: object) -> StructuredSpace:
    if not isinstance(value, StructuredSpace):
        raise argument_error("space", "a StructuredSpace", value, "write for example Matching(10)")
    return value


def _noise(value: object) -> Noise | None:
    if value is not None and not isinstance(value, Noise):
        raise argument_error("noise", "a Noise, or None for no noise", value, "write for example Gumbel()")
    return value


def _reduction(value: object) -> object:
    if value not in get_args(Reduction):
        raise argument_error("reduction", '"mean", "sum" or "none"', value)
    return value


Objective._converters = {
    "space": _space,
    "noise": _noise,
    "scale": validate_own_scale,
    "num_samples": lambda value: validate_positive_int("num_samples", value),
    "reduction": _reduction,
}
