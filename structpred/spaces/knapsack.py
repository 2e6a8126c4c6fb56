"""Sets of items within a capacity: budgets, selection of projects, packing."""

from __future__ import annotations

import numbers
from collections.abc import Iterable
from typing import ClassVar

import numpy as np
import torch
from attrs import field, frozen
from torch import Tensor

from structpred._validation import validate_nonnegative_int
from structpred.errors import Words, argument_error
from structpred.spaces._decision_diagram import DecisionDiagram
from structpred.spaces._enumerable import validate_enumerable
from structpred.spaces._placement import SolverPlacement
from structpred.spaces.base import StructuredSpace

_MOST_WEIGHT = 2**62  # any sum of two is an int64


def _read_weights(weights: object) -> tuple[int, ...]:
    """As a tuple of Python's integers, so that the space is a value."""
    if isinstance(weights, Tensor | np.ndarray):
        weights = weights.tolist()
    if not isinstance(weights, Iterable) or isinstance(weights, str | bytes | dict):
        raise argument_error("weights", "a sequence of integers, one an item", weights)
    weights = tuple(weights)
    if not weights:
        raise argument_error("weights", "at least one integer", weights)
    read = tuple(_read_weight(weight) for weight in weights)
    if sum(read) > _MOST_WEIGHT:
        raise argument_error("weights", "integers whose sum is at most 2**62", sum(read), "write them in larger units")
    return read


def _read_weight(weight: object) -> int:
    if isinstance(weight, Iterable) and not isinstance(weight, str | Tensor):
        instead = "several resources need an IntegerProgram, whose LinearConstraint takes a matrix of weights"
        raise argument_error("weights", "one dimension, an integer an item", Words("a matrix"), instead)
    if isinstance(weight, numbers.Real) and not isinstance(weight, numbers.Integral):
        instead = "multiply weights and capacity by a common factor, and round: 100 for prices in cents, say"
        raise argument_error("weights", "integers of at least 0", weight, instead)
    return validate_nonnegative_int("weights", weight)


def _read_capacity(capacity: object) -> int:
    if isinstance(capacity, numbers.Real) and not isinstance(capacity, numbers.Integral):
        instead = "round it down; if the weights are fractions, multiply both by a common factor first"
        raise argument_error("capacity", "an integer of at least 0", capacity, instead)
    return validate_nonnegative_int("capacity", capacity)


@frozen
class Knapsack(StructuredSpace):
    """Sets of items whose weights sum to at most the capacity; scores may have any sign.

    Parts are the items: y has shape ``(items,)``. The empty set is a structure, so that no scores are infeasible.
    Solved by dynamic programming over the capacities that tell sets apart, batched in torch on the scores' device,
    with sums in float64. How long that takes depends on the number of different sums that the weights have within the
    capacity, and not on the scores; large units make it small.

    Several resources, each with weights and a capacity, need an ``IntegerProgram``.

    Args:
        weights: an integer of at least 0 for each item: a sequence, or an array or tensor of one dimension.
        capacity: an integer of at least 0.

    Raises:
        ArgumentError: for weights or a capacity that are not integers of at least 0, no weights, weights of two
            dimensions, and weights that have too many different sums (tens of millions) within the capacity.

    >>> space = Knapsack([3, 4, 5], capacity=8)
    >>> space
    Knapsack(weights=(3, 4, 5), capacity=8)
    >>> space.argmax(torch.tensor([[1.0, 2.0, 2.5], [1.0, 4.0, 2.5], [-1.0, -1.0, -1.0]]))
    tensor([[1., 0., 1.],
            [1., 1., 0.],
            [0., 0., 0.]])
    """

    weights: tuple[int, ...] = field(converter=_read_weights)
    capacity: int = field(converter=_read_capacity)
    _diagram: DecisionDiagram = field(init=False, eq=False, repr=False)

    placement: ClassVar[SolverPlacement] = SolverPlacement.ON_DEVICE

    @_diagram.default
    def _prepare(self) -> DecisionDiagram:
        return DecisionDiagram.over(self.weights, self.capacity)

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.weights),)

    def _argmax(self, scores: Tensor) -> Tensor:
        return self._diagram.argmax(scores)

    def contains(self, y: Tensor) -> Tensor:
        self.batch_shape("y", y)
        used = y == 1
        weight = (used * torch.tensor(self.weights, device=y.device)).sum(-1)  # int64, exact
        return (used | (y == 0)).all(-1) & (weight <= self._reachable_capacity)

    def enumerate(self) -> Tensor:
        validate_enumerable(self, self._diagram.count())
        y, used = torch.zeros(1, *self.shape), torch.zeros(1, dtype=torch.int64)
        for item, weight in enumerate(self.weights):
            fits = used <= self._reachable_capacity - weight
            more = y[fits]
            more[:, item] = 1
            y, used = torch.cat([y, more]), torch.cat([used, used[fits] + weight])
        return y

    @property
    def _reachable_capacity(self) -> int:
        """The capacity, or the sum of all weights if that is less, so that it is an int64."""
        return min(self.capacity, sum(self.weights))
