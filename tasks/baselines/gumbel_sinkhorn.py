"""Gumbel-Sinkhorn: matchings relaxed to matrices that are nearly doubly stochastic.

    S_0 = exp(s / temperature),   S_l = columns(rows(S_(l-1))),   y = S_iterations

where ``rows`` divides each row by its sum, and ``columns`` each column (Mena et al. 2018, "Learning latent permutations
with Gumbel-Sinkhorn networks", Equation 1 and Section 3). All of it in logarithms, so that nothing overflows.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

import structpred as sp
from tasks.baselines.relaxation import Reduction, Relaxation


class GumbelSinkhorn(Relaxation):
    """The loss of a soft matching, whose columns sum to 1, and whose rows nearly do.

    Args:
        space: the matchings, of as many rows as columns.
        iterations: how often rows and columns are normalised; 20 in the paper's experiments.
        num_samples: draws an example, each of which is relaxed and charged by itself; 10 in the paper's comparison.
        temperature, noise, scale, reduction: as for every ``Relaxation``.

    >>> import torch
    >>> import structpred as sp
    >>> space, generator = sp.Matching(3), torch.Generator().manual_seed(0)
    >>> scores = torch.zeros(1, 3, 3, requires_grad=True)
    >>> loss = GumbelSinkhorn(space)(scores, space.hamming(torch.eye(3)[None]), generator=generator)
    >>> loss.backward()
    >>> scores.grad.diagonal(dim1=1, dim2=2).lt(0).all()  # the target's parts should score higher
    tensor(True)
    """

    iterations: int

    def __init__(
        self,
        space: sp.Matching,
        *,
        temperature: float = 1.0,
        iterations: int = 20,
        noise: sp.Noise | None = sp.Gumbel(),
        scale: Tensor | float = 1.0,
        num_samples: int = 10,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(
            space, temperature=temperature, noise=noise, scale=scale, num_samples=num_samples, reduction=reduction
        )
        self.iterations = iterations

    def relax(self, scores: Tensor) -> Tensor:
        logarithm = scores / self.temperature
        for _ in range(self.iterations):
            logarithm = logarithm.log_softmax(-1).log_softmax(-2)
        return logarithm.exp()


def _square(space: Any) -> Any:
    if not isinstance(space, sp.Matching) or space.rows != space.cols:
        wanted = "matchings of as many rows as columns"
        raise sp.ArgumentError(f"space: expected {wanted}, got {space!r}; write for example Matching(10)")
    return space


def _at_least_one(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise sp.ArgumentError(f"iterations: expected an integer of at least 1, got {value!r}; write for example 20")
    return value


GumbelSinkhorn.converters = Relaxation.converters | {"space": _square, "iterations": _at_least_one}
