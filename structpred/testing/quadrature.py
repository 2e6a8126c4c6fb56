"""Exact expectations where one of n parts is chosen and each has noise of its own: integrals over one draw."""

from __future__ import annotations

import itertools

import numpy as np
import torch
from attrs import frozen
from torch import Tensor

from structpred.noise import Noise


@frozen
class OneHotExpectation:
    """Expectations under ``argmax_i scores_i + sigma * gamma_i``, for independent gamma with a known density.

    ``P[i] = int p(x) prod_{j != i} F(x + (scores_i - scores_j) / sigma) dx``, and ``E[gamma_i; i]`` likewise.
    """

    noise: Noise
    sigma: float

    def direct_gradient(self, scores: Tensor, costs: Tensor, low: float, high: float) -> tuple[Tensor, Tensor]:
        """The mean direct gradient for scores, of their shape, and for sigma, 0-dim, between two steps."""
        at_high, at_low = (self._chosen(scores + step * costs) for step in (high, low))
        for_scores, for_sigma = ((a - b) / (high - low) for a, b in zip(at_high, at_low, strict=True))
        return for_scores.reshape(scores.shape), for_sigma.sum()

    def _chosen(self, scores: Tensor) -> tuple[Tensor, Tensor]:
        """The probability that i is chosen, and the mean of gamma_i where it is: two tensors of n entries."""
        from scipy.integrate import quad_vec

        flat = scores.flatten().double()
        margins = (flat[:, None] - flat[None, :]) / self.sigma  # (n, n)

        def integrand(x: float) -> np.ndarray:
            at = torch.tensor(x, dtype=torch.float64)
            below = self.noise.cdf(at + margins).fill_diagonal_(1).prod(1)
            density = self.noise.log_prob(at).exp() * below
            return torch.stack([density, x * density]).numpy()

        # In pieces, since noise of bounded support has a density with edges, there and a margin away from there.
        edges = sorted({-60.0, 60.0, *(e + float(m) for e in (-1.0, 1.0) for m in (0.0, *margins.unique()))})
        total = sum(
            quad_vec(integrand, start, end, epsabs=1e-9, epsrel=1e-9)[0] for start, end in itertools.pairwise(edges)
        )
        chosen, weighted = torch.from_numpy(np.asarray(total))
        return chosen, weighted
