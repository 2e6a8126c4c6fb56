"""NeuralSort: the k largest, as the first k rows of a relaxed sorting matrix.

    row_i = softmax(((n + 1 - 2 i) s - A 1) / temperature),   A_jl = |s_j - s_l|,   y = row_1 + ... + row_k

(Grover et al. 2019, "Stochastic optimization of sorting networks via continuous relaxations", Equation 5). Without
noise this is its deterministic form; with Gumbel noise on the scores its stochastic one, for which the order of the
noisy scores has the Plackett-Luce distribution (Section 5 there).

A is never built. With the scores in descending order, v_1 >= v_2 >= ..., and C_r = v_1 + ... + v_r, the exponent of the
element at r is, less what its row has in common,

    2 (r - i) v_r - C_(r-1) - C_r

which takes a sort in place of n^2 differences. Less the largest, scores near the top are small numbers, and so little
is lost to rounding where rows have their weight.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tasks.baselines.relaxation import Relaxation, one_k


class NeuralSort(Relaxation):
    """The loss of a soft k-subset, the sum of the first k rows of a relaxed sorting matrix: its weights sum to k.

    Args:
        space: the k-subsets.
        noise: None for the deterministic form, Gumbel noise for the stochastic one.
        temperature, scale, num_samples, reduction: as for every ``Relaxation``.

    >>> import structpred as sp
    >>> space = sp.KSubset(4, 2)
    >>> objective = NeuralSort(space, noise=None, temperature=0.1)
    >>> objective.rows(torch.tensor([1.0, 4.0, 2.0, 8.0])).round(decimals=2)
    tensor([[0., 0., 0., 1.],
            [0., 1., 0., 0.]])
    """

    def rows(self, scores: Tensor) -> Tensor:
        """The first k rows of the relaxed sorting matrix: ``(*batch, n) -> (*batch, k, n)``; each sums to 1."""
        rows, order = self._sorted_rows(scores)
        return torch.zeros_like(rows).scatter(-1, order[..., None, :].expand_as(rows), rows)

    def relax(self, scores: Tensor) -> Tensor:
        rows, order = self._sorted_rows(scores)
        return torch.zeros_like(scores).scatter(-1, order, rows.sum(-2))

    def _sorted_rows(self, scores: Tensor) -> tuple[Tensor, Tensor]:
        """The rows, with the largest score's weight first ``(*batch, k, n)``, and whose weights these are."""
        ranked, order = scores.sort(descending=True, stable=True)
        forbidden = ranked == -torch.inf
        ranked = (ranked - ranked[..., :1]).masked_fill(forbidden, 0.0)
        until = ranked.cumsum(-1)  # C_r, and less v_r C_(r-1)
        k: int = self.space.k  # type: ignore[attr-defined]
        place = torch.arange(scores.shape[-1], device=scores.device)
        ahead = place - place[:k, None]  # r - i: (k, n)
        exponents = 2 * ahead * ranked[..., None, :] - (2 * until - ranked)[..., None, :]
        exponents = exponents.masked_fill(forbidden[..., None, :], -torch.inf)
        return (exponents / self.temperature).softmax(-1), order


NeuralSort.converters = Relaxation.converters | {"space": one_k}
