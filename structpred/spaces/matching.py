"""Bipartite matchings: permutations, assignments, sorting."""

from __future__ import annotations

import itertools
import math

import numpy as np
import torch
from attrs import Factory, field, frozen
from torch import Tensor

from structpred._validation import positive_int
from structpred.spaces._enumerable import validate_enumerable
from structpred.spaces.base import StructuredSpace


@frozen
class Matching(StructuredSpace):
    """Matchings of rows to columns that use every row or every column, whichever are fewer.

    y has shape ``(rows, cols)``; with ``rows == cols`` it is a permutation matrix. Solved exactly by
    ``scipy.optimize.linear_sum_assignment`` in float64, in threads (it lets them run).

    >>> Matching(2).argmax(torch.tensor([[1.0, 3.0], [2.0, 2.5]]))
    tensor([[0., 1.],
            [1., 0.]])
    """

    rows: int = field(validator=positive_int)
    cols: int = field(default=Factory(lambda self: self.rows, takes_self=True), validator=positive_int)

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.rows, self.cols)

    def _argmax(self, scores: Tensor) -> Tensor:
        # The solver names one column for each row, so rows must be the fewer. For as many rows as columns
        # the transpose is solved too: networks that score each row alone give every column an offset of
        # its own, over which rows contend; as offsets of rows they cost nothing (docs/speed.md has both times).
        # By numpy: for small matchings torch's calls would take longer than the solver's.
        y = np.zeros(scores.shape, dtype=np.bool_)
        each = scores.numpy()
        if self.rows >= self.cols:
            np.put_along_axis(y, _match_every_row(each.swapaxes(1, 2))[:, None], True, axis=-2)
        else:
            np.put_along_axis(y, _match_every_row(each)[..., None], True, axis=-1)
        return torch.from_numpy(y)

    def contains(self, y: Tensor) -> Tensor:
        self.batch_shape("y", y)
        used = y == 1
        in_rows, in_cols = used.sum(-1), used.sum(-2)
        binary = (used | (y == 0)).flatten(-2).all(-1)
        apart = (in_rows <= 1).all(-1) & (in_cols <= 1).all(-1)
        return binary & apart & (in_rows.sum(-1) == min(self.shape))

    def enumerate(self) -> Tensor:
        few, many = sorted(self.shape)
        validate_enumerable(self, math.perm(many, few))
        chosen = torch.tensor(list(itertools.permutations(range(many), few)))  # (count, few)
        y = torch.zeros(len(chosen), few, many).scatter_(-1, chosen[..., None], 1)
        return y if self.rows <= self.cols else y.mT


def _match_every_row(scores: np.ndarray) -> np.ndarray:
    """The column of each row in the best matchings, for rows <= cols: ``(n, rows, cols) -> (n, rows)``."""
    # Imported here, because scipy.optimize would make importing structpred slower by much.
    from scipy.optimize import linear_sum_assignment

    columns = np.empty(scores.shape[:2], dtype=np.int64)
    costs = np.empty(scores.shape[1:])  # one for all: large new arrays cost a thread more than the solver's call
    for example, matrix in zip(columns, scores, strict=True):
        np.negative(matrix, out=costs)  # of the layout that the solver takes without a copy
        try:
            example[:] = linear_sum_assignment(costs)[1]
        except ValueError:  # infeasible: any matching does, the base class sees that it is forbidden
            example[:] = np.arange(len(example))
    return columns
