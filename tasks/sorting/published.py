"""How the authors' published code has its gradients, where that is not what the paper says.

- An epsilon that grew, as all gradients of a repetition were zero at a loss that was not, is where the next step
  starts. Nothing ends its growth.
- The scores of a further try are those of the try before it, with the new epsilon's loss on top: epsilons add up.
- The difference of y(eps) and y is not divided by epsilon.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from attrs import define
from torch import Tensor

import structpred as sp


@define(eq=False)
class AddedUp(sp.Epsilon):
    """The sum of the epsilons that were tried, the last of which is kept; each repetition has its own.

    Where y(eps) cannot change, the sum grows until scores cannot hold it, which the objective says.

    Args:
        initial: the first of them.
        factor: what one is times the one before.
    """

    initial: float
    factor: float
    _last: Tensor | None = None
    """``(runs)``: the last that each run tried."""

    def start(self, scores: Tensor, direction: Tensor, noise_std: Tensor | None, event_dims: int) -> Tensor:
        batch = direction.shape[: direction.ndim - event_dims]  # (runs, ...)
        if self._last is None:
            self._last = direction.new_full(batch[:1], self.initial)
        return _each(self._last, len(batch)).expand(batch)

    def grow(self, epsilon: Tensor, start: Tensor, difference: Tensor, loss: Callable[[], Tensor] | None) -> Tensor:
        assert self._last is not None
        stuck = ~difference.any(0).flatten(1).any(-1)  # (runs)
        if loss is not None:
            stuck &= loss().mean(0).flatten(1).mean(-1) > 0
        self._last = torch.where(stuck, self._last * self.factor, self._last)
        added = torch.where(stuck, self._last, 0.0)
        return epsilon + _each(added, epsilon.ndim)

    def keep(self, running: Tensor) -> None:
        """Forgets the runs that are not: ``(runs)``, bool."""
        if self._last is not None:
            self._last = self._last[running]


def _each(of_runs: Tensor, dims: int) -> Tensor:
    return of_runs.reshape(-1, *(1,) * (dims - 1))


def undivided(solution: sp.DirectSolution) -> Tensor:
    """Losses ``(samples, runs, sequences)`` times the size of the step, whose gradients are not divided by it."""
    return solution.loss * solution.epsilon.abs()
