"""Exact expectations where one of n parts is chosen and each has noise of its own: integrals over one draw."""

from __future__ import annotations

import math

import numpy as np
import torch
from attrs import frozen
from torch import Tensor

from structpred.noise import Noise

_REACH = 60  # standard deviations on either side; no noise of zero mean that has a variance of use lies beyond
_NODES = 16  # a piece, which is a standard deviation wide at most


def edges_of_support(noise: Noise) -> list[float]:
    """Where the density begins or ceases to be positive; none for noise on the whole line."""
    unit = math.sqrt(noise.variance)
    grid = unit * torch.linspace(-_REACH / 2, _REACH / 2, 100 * _REACH + 1, dtype=torch.float64)

    def positive(at: Tensor) -> Tensor:
        return ~noise.log_prob(at).isneginf()

    jumps = (positive(grid)[1:] != positive(grid)[:-1]).nonzero().flatten()
    low, high = grid[jumps], grid[jumps + 1]
    for _ in range(60):
        middle = (low + high) / 2
        same = positive(middle) == positive(low)
        low, high = torch.where(same, middle, low), torch.where(same, high, middle)
    return [float(edge) for edge in low]


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
        flat = scores.flatten().double()
        margins = (flat[:, None] - flat[None, :]) / self.sigma  # (n, n)
        x, weights = self._nodes(margins)  # (nodes,)
        below = self.noise.cdf(x[:, None, None] + margins)  # (nodes, n, n)
        others = below.masked_fill(torch.eye(len(flat), dtype=torch.bool), 1.0).prod(-1)
        density = (weights * self.noise.log_prob(x).exp())[:, None] * others  # (nodes, n)
        return density.sum(0), (x[:, None] * density).sum(0)

    def _nodes(self, margins: Tensor) -> tuple[Tensor, Tensor]:
        """Gauss-Legendre nodes in pieces, within each of which the integrand is smooth."""
        unit = math.sqrt(self.noise.variance)
        support = torch.tensor(edges_of_support(self.noise), dtype=torch.float64)
        kinks = (support[:, None, None] - margins).flatten()
        regular = unit * torch.arange(-_REACH, _REACH + 1, dtype=torch.float64)
        edges = torch.cat([regular, support, kinks]).unique()
        nodes, weights = (torch.from_numpy(array) for array in np.polynomial.legendre.leggauss(_NODES))
        half = edges.diff()[:, None] / 2
        centre = edges[:-1, None] + half
        return (centre + half * nodes).flatten(), (half * weights).flatten()
