"""What every relaxation is: the loss of a soft structure, differentiated as it stands.

    E[loss(relax((scores + spread(scale * noise)) / temperature))]

As the temperature tends to 0, the soft structure tends to ``argmax_y <scores + spread(scale * noise), y>``.
"""

from __future__ import annotations

import abc
import math
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor

import structpred as sp

Reduction = Literal["mean", "sum", "none"]


class Relaxation(sp.Objective, abc.ABC):
    """An objective whose ``prediction`` is a soft structure. A subclass defines ``relax``.

    After ``.eval()`` the structure is the space's own argmax of the scores, without noise.

    Args:
        space: the structures.
        temperature: what perturbed scores are divided by; positive.
        noise, scale, num_samples, reduction: as for every ``Objective``.

    Raises:
        ArgumentError: for a temperature that is not a positive finite number.
    """

    temperature: float

    def __init__(
        self,
        space: sp.StructuredSpace,
        *,
        temperature: float = 1.0,
        noise: sp.Noise | None = sp.Gumbel(),
        scale: Tensor | float = 1.0,
        num_samples: int = 1,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(space, noise=noise, scale=scale, num_samples=num_samples, reduction=reduction)
        self.temperature = temperature

    @abc.abstractmethod
    def relax(self, scores: Tensor) -> Tensor:
        """The soft structure of perturbed scores at the temperature: ``(*batch, *shape) -> (*batch, *shape)``.

        Args:
            scores: below infinity, and with a structure that has no part of ``-inf``.
        """

    def solve(
        self,
        scores: Tensor,
        supervision: sp.LinearLoss | Callable[[Tensor], Tensor],
        *,
        scale: Tensor | float | None = None,
        generator: torch.Generator | None = None,
    ) -> sp.Solution:
        """As ``Objective.solve``; the prediction is soft, and has no gradient.

        Args:
            scores: ``(*batch, *shape)``, floating point; ``-inf`` forbids a part.
            supervision: a ``LinearLoss``, or any function of soft structures that torch can differentiate,
                ``(samples, *batch, *shape) -> (samples, *batch)``.
            scale: sigma; the objective's own unless given.
            generator: draws the noise; on the scores' device.

        Raises:
            ArgumentError: for wrong shapes, dtypes or values, each named.
            InfeasibleError: where ``-inf`` leaves no structure.
        """
        scores = self._validate_scores(scores)
        if not self.training:
            y = self.space.argmax(scores)[None]
            return sp.Solution(supervision(y), y, None)
        if not torch.isfinite(scores.detach()).all():
            self.space.argmax(scores)  # for its errors: NaN, +inf, and -inf that leaves no structure
        perturbed = self._perturb(scores, scale, self.num_samples, generator)
        y = self.relax(perturbed.scores)  # (samples, *batch, *shape)
        return sp.Solution(supervision(y), y.detach(), perturbed.noise)


def _positive(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not (math.isfinite(value) and value > 0):
        raise sp.ArgumentError(f"temperature: expected a positive finite number, got {value!r}; write for example 1.0")
    return float(value)


Relaxation.converters = sp.Objective.converters | {"temperature": _positive}


def one_k(space: Any) -> Any:
    """A k-subset with one k, for every row of a batch the same; the converter of those that relax these."""
    if not isinstance(space, sp.KSubset) or not isinstance(space.k, int):
        raise sp.ArgumentError(f"space: expected k-subsets with one k, got {space!r}; write for example KSubset(10, 3)")
    return space
