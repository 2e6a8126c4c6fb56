"""Implicit maximum likelihood: a sample of structures whose backward pass compares two distributions.

    y        = argmax_y <scores + scale * noise, y>
    dL/ds   := (y(eps) - y) / eps,    y(eps) = argmax_y <scores + scale * noise + eps * dL/dy, y>

under the same noise (Niepert, Minervini & Franceschi 2021, "Implicit MLE", Algorithm 1, with lambda = -eps and the
gradient divided by lambda, so that it keeps its size when lambda changes).
"""

from __future__ import annotations

from torch import Tensor

from structpred.epsilon import Epsilon, RelativeToNoise
from structpred.layers._direct import DirectLayer
from structpred.noise import Gumbel, Noise
from structpred.spaces.base import StructuredSpace


class ImplicitMLE(DirectLayer):
    """Structures drawn by perturb-and-MAP, differentiable for any loss of them, at one solve more a backward pass.

    Args:
        epsilon: the signed step, a number (minus the lambda of the paper) or a policy. The default measures it in units
            of dL/dy and of the noise; ``AdaptiveEpsilon()`` is the step of Minervini et al. 2023.
        noise: ``SumOfGamma(k)`` for structures of k parts is the paper's.
        space, scale, num_samples: as for every ``Layer``.

    Raises:
        ArgumentError: for an epsilon of 0, or a space or noise that is none.

    >>> import torch
    >>> import structpred as sp
    >>> layer = sp.ImplicitMLE(sp.KSubset(4, 2), noise=sp.SumOfGamma(2), num_samples=3)
    >>> layer(torch.zeros(5, 4)).shape
    torch.Size([3, 5, 4])
    """

    def __init__(
        self,
        space: StructuredSpace,
        *,
        epsilon: Epsilon | float = RelativeToNoise(-8.0, margin=0.0),
        noise: Noise | None = Gumbel(),
        scale: Tensor | float = 1.0,
        num_samples: int | None = None,
    ) -> None:
        super().__init__(space, epsilon=epsilon, noise=noise, scale=scale, num_samples=num_samples)
