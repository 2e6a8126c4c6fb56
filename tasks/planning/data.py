"""The benchmarks of predict-then-optimise that PyEPO generates (Tang & Khalil 2024), after Elmachtoub & Grigas (2022).

Features are standard normal, and costs a polynomial of them, which no linear model fits where the degree is above 1:

    cost_j = (((B x)_j / sqrt(p) + 3)^degree + 1) / 3.5^degree * u_j

with x of p features; B, of one row a part, of zeros and ones with probability 1/2, drawn once for all instances of a
data seed; and u_j uniform in 1 - noise_width to 1 + noise_width.

Numbers are drawn from ``numpy.random.RandomState(seed)`` in PyEPO's order (weights of a knapsack, B, x, u), so that a
data seed means the instances that PyEPO makes of it, up to rounding. Its grid orders the edges differently; the costs
of each edge are laid where ``DagPath.grid`` has it.
"""

from __future__ import annotations

import abc
import math
import numbers
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from attrs import Attribute, field, frozen
from scipy.optimize import LinearConstraint
from torch import Tensor

import structpred as sp
from tasks.common.settings import at_least_one

Floats = npt.NDArray[np.float64]
Edge = tuple[Hashable, Hashable]

_CAPACITY = 2000  # of each resource; weights and capacity in hundredths
_WEIGHTS = range(300, 800)


@frozen(eq=False)
class Rows:
    """Instances, as many of each seed."""

    features: Tensor
    """``(seeds, rows, features)``"""
    costs: Tensor
    """``(seeds, rows, parts)``: what each part truly costs, to be minimised; negative for what is worth something."""
    solutions: Tensor
    """``(seeds, rows, parts)``: a structure of least cost."""

    @property
    def optima(self) -> Tensor:
        """``(seeds, rows)``: the least cost."""
        return (self.costs * self.solutions).sum(-1)

    def in_units_of_the_costs(self) -> Rows:
        """Costs divided by their mean size, that of each seed, so that their unit does not matter."""
        return Rows(self.features, self.costs / self.costs.abs().mean((1, 2), keepdim=True), self.solutions)

    def repeated(self, times: int) -> Rows:
        """Each seed's rows several times, one after the other: ``(seeds * times, ...)``."""
        return Rows(*(it.repeat_interleave(times, 0) for it in (self.features, self.costs, self.solutions)))

    def take(self, index: Tensor) -> Rows:
        """Other rows of each seed: ``index`` of shape ``(seeds, taken)``."""
        seed = torch.arange(len(index))[:, None]
        return Rows(self.features[seed, index], self.costs[seed, index], self.solutions[seed, index])


@frozen(eq=False)
class Instances:
    """The instances of some data seeds that share a space."""

    seeds: tuple[int, ...]
    space: sp.StructuredSpace
    train: Rows
    test: Rows

    def repeated(self, times: int) -> Instances:
        """Each seed several times, one after the other, to be trained in several ways at once."""
        seeds = tuple(seed for seed in self.seeds for _ in range(times))
        return Instances(seeds, self.space, self.train.repeated(times), self.test.repeated(times))


def _at_most_all_of_it(_: object, attribute: Attribute[Any], width: float) -> None:
    if not 0 <= width <= 1:
        raise ValueError(f"{attribute.name}: expected a number from 0 to 1, got {width}")


@frozen(kw_only=True)
class Problem(abc.ABC):
    """What is drawn from a data seed."""

    degree: int = field(default=4, validator=at_least_one)
    """Of the polynomial."""
    noise_width: float = field(default=0.5, validator=_at_most_all_of_it)
    """How far the noise moves a cost from the polynomial's, relative to it."""
    features: int = field(default=5, validator=at_least_one)
    """p, the number of features."""
    train_rows: int = field(default=1000, validator=at_least_one)
    """Instances to train on."""
    test_rows: int = field(default=1000, validator=at_least_one)
    """Further instances, to be judged by."""

    @abc.abstractmethod
    def draw(self, seeds: Sequence[int]) -> list[Instances]:
        """The instances of each seed, those that share a space together; numbers in torch's default dtype.

        Args:
            seeds: at least one, from 0 to 2**32 - 1.

        Raises:
            ValueError: for others.
        """

    def _draw_rows(self, random: np.random.RandomState, parts: int) -> tuple[Floats, Floats]:
        """Features (rows, features) and costs (rows, parts), the training rows first."""
        count = self.train_rows + self.test_rows
        mixing = random.binomial(1, 0.5, (parts, self.features))
        x = random.normal(0, 1, (count, self.features))
        noise = random.uniform(1 - self.noise_width, 1 + self.noise_width, (count, parts))
        polynomial = (x @ mixing.T / math.sqrt(self.features) + 3) ** self.degree + 1
        return x, polynomial / 3.5**self.degree * noise

    def _solve(
        self, seeds: Sequence[int], space: sp.StructuredSpace, features: Sequence[Floats], costs: Sequence[Floats]
    ) -> Instances:
        x, c = (torch.as_tensor(np.stack(drawn), dtype=torch.get_default_dtype()) for drawn in (features, costs))
        y = space.argmax(-c)
        train, test = (
            Rows(x[:, rows], c[:, rows], y[:, rows]) for rows in (slice(self.train_rows), slice(self.train_rows, None))
        )
        return Instances(tuple(seeds), space, train, test)


@frozen(kw_only=True)
class ShortestPaths(Problem):
    """Paths through a grid, to the right and down, from one corner to the other. All seeds share the space."""

    height: int = field(default=5, validator=at_least_one)
    width: int = field(default=5, validator=at_least_one)

    def draw(self, seeds: Sequence[int]) -> list[Instances]:
        space = sp.DagPath.grid(self.height, self.width)
        place = {edge: index for index, edge in enumerate(_edges_row_by_row(self.height, self.width))}
        columns = [place[edge] for edge in space.graph.edges]
        drawn = [self._draw_rows(random, len(columns)) for random in _random_states(seeds)]
        return [self._solve(seeds, space, [x for x, _ in drawn], [costs[:, columns] for _, costs in drawn])]


@frozen(kw_only=True)
class Knapsacks(Problem):
    """Sets of items within a capacity for each resource. Each seed has its own weights, and so its own space.

    An item is worth ``ceil(5 * cost)``, with the cost above; its cost here is that number, negative. Weights are 3.00
    to 7.99, and capacities 20, in hundredths.
    """

    items: int = field(default=32, validator=at_least_one)
    resources: int = field(default=1, validator=at_least_one)
    """More than one need an integer program, which takes a hundred times as long."""

    def draw(self, seeds: Sequence[int]) -> list[Instances]:
        return [self._draw_one(seed, random) for seed, random in zip(seeds, _random_states(seeds), strict=True)]

    def _draw_one(self, seed: int, random: np.random.RandomState) -> Instances:
        space = knapsack(random.choice(_WEIGHTS, size=(self.resources, self.items)))
        x, costs = self._draw_rows(random, self.items)
        return self._solve([seed], space, [x], [-np.ceil(5 * costs)])


def knapsack(weights: npt.NDArray[np.int64]) -> sp.StructuredSpace:
    """The sets of items that fit, of weights ``(resources, items)``."""
    if len(weights) == 1:
        return sp.Knapsack(weights[0], _CAPACITY)
    return sp.IntegerProgram(weights.shape[1], LinearConstraint(weights.astype(float), ub=float(_CAPACITY)))


def _edges_row_by_row(height: int, width: int) -> list[Edge]:
    """PyEPO's order: of each row of cells those to the right, and then those to the row below."""
    edges: list[Edge] = []
    for row in range(height):
        edges += [((row, col), (row, col + 1)) for col in range(width - 1)]
        if row + 1 < height:
            edges += [((row, col), (row + 1, col)) for col in range(width)]
    return edges


def _random_states(seeds: Sequence[int]) -> list[np.random.RandomState]:
    valid = [isinstance(seed, numbers.Integral) and 0 <= seed < 2**32 for seed in seeds]
    if not seeds or not all(valid):
        raise ValueError(f"seeds: expected one or more integers from 0 to 2**32 - 1, got {list(seeds)}")
    return [np.random.RandomState(seed) for seed in seeds]
