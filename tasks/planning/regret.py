"""What the plans cost that predicted costs lead to."""

from __future__ import annotations

import torch
from torch import Tensor

import structpred as sp
from tasks.planning.data import Rows


@torch.no_grad()
def normalised_regret(space: sp.StructuredSpace, predicted_costs: Tensor, rows: Rows) -> Tensor:
    """``sum_i (<c_i, y(c_hat_i)> - z_i) / sum_i |z_i|``, with z_i the least cost of row i, as PyEPO defines it.

    Args:
        space: the plans.
        predicted_costs: ``(seeds, rows, parts)``.
        rows: the true costs c_i and best plans.

    Returns:
        ``(seeds,)``, float64: 0 where every plan is a best one.
    """
    y = space.argmax(-predicted_costs)
    excess = (rows.costs.double() * (y - rows.solutions).double()).sum((-2, -1))
    return excess / (rows.costs.double() * rows.solutions.double()).sum(-1).abs().sum(-1)
