"""The loss of a predicted sorting: linear functions of the matching, and the error of what a soft matching sorts.

y[e, p] = 1 puts element e at position p; x are the elements, sorted(x) what each position should hold.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

import structpred as sp
from tasks.sorting.config import Decomposition


def linear_loss(decomposition: Decomposition, elements: Tensor) -> sp.LinearLoss:
    """The loss of sorting ``elements``, (*batch, d), for predictions (*batch, d, d).

    - SQUARED: ``sum_p (sorted(x)_p - sum_e x_e y_ep)^2``, exactly: a matching puts one element at each
      position, so the coefficient of (e, p) is ``(sorted(x)_p - x_e)^2``.
    - PAPER: ``sum_e x_e^2 + sum_ep x_e^2 (1 - 2 t_ep) y_ep`` with the target t (Section 5.1 and Equation
      19). It drops the cross terms of the square: where element b stands in the place of a, it charges
      a^2 + b^2, not (a - b)^2.
    - PUBLISHED: the same with ``x_p^2`` in the place of ``x_e^2``, as the authors' published code has it: x in the
      order in which it came, so that a position is charged by a number that has nothing to do with it.
    - HAMMING: the number of wrong entries of y, twice the number of elements out of place.
    """
    if decomposition is Decomposition.SQUARED:
        return sp.LinearLoss.squared_error(elements, elements.sort(-1).values)
    target = sorting(elements)
    if decomposition in (Decomposition.PAPER, Decomposition.PUBLISHED):
        of_positions = decomposition is Decomposition.PUBLISHED
        squares = elements.square()[..., None, :] if of_positions else elements.square()[..., None]
        coefficients = squares * (1 - 2 * target)
        best = (coefficients * target).flatten(-2).sum(-1)  # summed as the objective does: the sorting loses exactly 0
        return sp.LinearLoss(coefficients, -best, event_dims=2)
    return sp.LinearLoss.hamming(target, event_dims=2)


def reconstruction_error(elements: Tensor) -> Callable[[Tensor], Tensor]:
    """The mean over positions of ``(sorted(x)_p - sum_e x_e y_ep)^2``, for y that may be soft: (..., d, d) -> (...).

    Linear in matchings, where it is ``SQUARED`` divided by d; not in what lies between them.
    """
    wanted = elements.sort(-1).values
    return lambda y: ((elements[..., None, :] @ y).squeeze(-2) - wanted).square().mean(-1)


def sorting(elements: Tensor) -> Tensor:
    """The matching that sorts in ascending order: ``(*batch, d) -> (*batch, d, d)``."""
    positions = elements.argsort(dim=-1, stable=True).argsort(dim=-1)  # where each element belongs
    return torch.nn.functional.one_hot(positions, elements.shape[-1]).to(elements.dtype)
