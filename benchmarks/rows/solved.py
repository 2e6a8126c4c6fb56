"""What one step of the direct loss solves, to give it to a bare solver too."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

import structpred as sp
from benchmarks.row import Quality


def solved_scores(
    objective: sp.PerturbedDirectLoss,
    solution: sp.DirectSolution,
    scores: Tensor,
    scale: Tensor | float,
    loss: sp.LinearLoss,
) -> Tensor:
    """``(2 or 3, samples, *batch, *shape)``: plain, with the loss, and where there is a margin, the third."""
    noise, coefficients = solution.noise, loss.coefficients
    assert noise is not None
    step = solution.epsilon.reshape(*solution.epsilon.shape, *(1,) * (coefficients.ndim - solution.epsilon.ndim))
    with torch.no_grad():
        plain = scores + scale * noise
        margin = objective.epsilon.margin
        third = [plain - margin * step * coefficients] if margin else []
        return torch.stack([plain, plain + step * coefficients, *third])


def quality_of(solution: sp.DirectSolution, solved: Tensor, bare: Callable[[np.ndarray], Tensor]) -> Quality:
    """The values of both recorded structures, y and y(eps), and of the bare solver's."""
    ours = torch.stack([solution.prediction, solution.augmented]).flatten(0, solution.loss.ndim)
    both = solved[:2].flatten(0, solution.loss.ndim)
    return Quality.of_structures(both, ours, bare(both.double().numpy()))


def matchings(matrices: np.ndarray) -> Tensor:
    """One call of scipy's a matrix."""
    y = torch.zeros(matrices.shape)
    for answer, columns in zip(y, columns_of(matrices), strict=True):
        answer[torch.arange(len(columns)), torch.as_tensor(columns)] = 1
    return y


def columns_of(matrices: Sequence[np.ndarray] | np.ndarray) -> list[np.ndarray]:
    """For each row of each matrix its column."""
    return [linear_sum_assignment(matrix, maximize=True)[1] for matrix in matrices]
