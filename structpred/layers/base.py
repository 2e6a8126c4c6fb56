"""What every layer is: a module that returns structures, differentiable for any loss of them."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from structpred._eager import eager
from structpred._settings import PerturbedModule
from structpred._validation import validate_positive_int
from structpred.layers._unused import UnusedWatch
from structpred.noise import Noise
from structpred.perturbation import Perturbed
from structpred.spaces.base import StructuredSpace


class Layer(PerturbedModule, abc.ABC):
    """Scores in, structures out, with gradients for scores and scale. A subclass defines ``_structures``.

    Every setting below may be assigned anew between calls, and is validated when it is. In training mode the scores
    are perturbed by noise; after ``.eval()`` the structures are those that are deployed, ``space.argmax(scores)``.

    Gradients do not depend on the unit of what follows: twice the loss has twice the gradient, and the mean over a
    batch of n has the gradient of the sum divided by n.

    Args:
        space: the structures.
        noise: the distribution of each variable's draw; None is no noise.
        scale: sigma, where a call does not bring its own: a positive number, or a tensor as for ``forward``, which
            becomes a parameter if it is one, and a buffer if not.
        num_samples: draws an example, which become the first dimension of the structures; None is one draw without
            that dimension.
    """

    num_samples: int | None

    def __init__(
        self,
        space: StructuredSpace,
        *,
        noise: Noise | None,
        scale: Tensor | float = 1.0,
        num_samples: int | None = None,
    ) -> None:
        super().__init__(space, noise, scale)
        self.num_samples = num_samples
        self._watch = UnusedWatch(type(self).__name__)

    @eager
    def forward(
        self, scores: Tensor, *, scale: Tensor | float | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """The structures, of the scores' dtype and device.

        Args:
            scores: ``(*batch, *shape)``, floating point; ``-inf`` forbids a part.
            scale: sigma; the layer's own unless given. A positive number, or a positive tensor of one element, or
                one with the dimensions of ``(*batch, *noise_shape)``, each full or 1.
            generator: draws the noise; on the scores' device.

        Returns:
            ``(*batch, *shape)``, or ``(num_samples, *batch, *shape)`` where the layer has a number of samples (1
            without noise).

        Raises:
            ArgumentError: for wrong shapes, dtypes, devices or values, each named.
            InfeasibleError: where ``-inf`` leaves no structure.
        """
        given, scores = scores, self._validate_scores(scores)
        y = self._structures(scores, self._perturb(scores, scale, self.num_samples or 1, generator))
        if self.training and y.requires_grad:
            y = self._watch(y)
        return self._laid_out(y).to(given.dtype)

    if TYPE_CHECKING:
        __call__ = forward  # torch's own returns Any

    @abc.abstractmethod
    def _structures(self, scores: Tensor, perturbed: Perturbed) -> Tensor:
        """The structures of perturbed scores, ``(samples, *batch, *shape)``, with the gradient that the layer has."""

    def _laid_out(self, y: Tensor) -> Tensor:
        """What ``forward`` returns of ``(samples, *batch, *shape)``."""
        return y[0] if self.num_samples is None else y


Layer.converters = PerturbedModule.converters | {
    "num_samples": lambda value: None if value is None else validate_positive_int("num_samples", value)
}
