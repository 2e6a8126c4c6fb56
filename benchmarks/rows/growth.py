"""How a step of the direct loss grows, against the bare solver on the very same scores, in one thread.

The step is noise, all argmaxes, the loss, and the way back to the scores, which are given: there are no networks.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

import structpred as sp
from benchmarks.row import Case, Group, Quality, Row
from benchmarks.rows.solved import columns_of, matchings, quality_of, solved_scores

PARTS = 800


class _Step:
    """Scores drawn once, and the noise of a seed that each call starts from."""

    def __init__(self, space: sp.StructuredSpace, batch: int, draws: int) -> None:
        self._objective = sp.PerturbedDirectLoss(space, num_samples=draws)
        self._scores = torch.randn(batch, *space.shape, requires_grad=True)
        self._loss = space.hamming(space.argmax(torch.randn(batch, *space.shape)))
        self._generator = torch.Generator()

    def solve(self) -> sp.DirectSolution:
        self._generator.manual_seed(0)
        return self._objective.solve(self._scores, self._loss, scale=1.0, generator=self._generator)

    def __call__(self) -> None:
        self._scores.grad = None
        self.solve().loss.mean().backward()

    def solved(self) -> Tensor:
        return solved_scores(self._objective, self.solve(), self._scores, 1.0, self._loss)


def _matchings(length: int, batch: int, draws: int) -> Case:
    step = _Step(sp.Matching(length), batch, draws)
    matrices = step.solved().flatten(0, -3).double().numpy()
    return Case(step, partial(columns_of, matrices), lambda: quality_of(step.solve(), step.solved(), matchings))


def _subsets(size: int, batch: int) -> Case:
    step = _Step(sp.KSubset(PARTS, size), batch, draws=1)
    scores = step.solved().flatten(0, -2)

    def bare(scores: np.ndarray) -> Tensor:
        given = torch.from_numpy(scores)
        return torch.zeros_like(given).scatter_(-1, given.topk(size).indices, 1.0)

    def quality() -> Quality:
        return quality_of(step.solve(), step.solved(), bare)

    return Case(step, lambda: scores.topk(size), quality)


def _row(group: Group, name: str, reference: str, make: Callable[[], Case], size: int) -> Row:
    return Row(group, name, reference, make, size=size)


ROWS = [
    *(
        _row(Group.WITH_D, f"`Matching({d})` x 10, 5 draws", "bare calls", partial(_matchings, d, 10, 5), d)
        for d in (5, 10, 20, 40, 80, 160)
    ),
    *(
        _row(Group.WITH_K, f"`KSubset({PARTS}, {k})` x 100, 1 draw", "`torch.topk`", partial(_subsets, k, 100), k)
        for k in (1, 4, 16, 64, 256)
    ),
    *(
        _row(Group.WITH_BATCH, f"`Matching(20)` x {n}, 1 draw", "bare calls", partial(_matchings, 20, n, 1), n)
        for n in (1, 4, 16, 64, 256, 1024)
    ),
    *(
        _row(
            Group.WITH_DRAWS,
            f"`Matching(20)` x 10, {n} draw{'s' * (n > 1)}",
            "bare calls",
            partial(_matchings, 20, 10, n),
            n,
        )
        for n in (1, 4, 16, 64, 256)
    ),
]
