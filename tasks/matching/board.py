"""The graph of a board: cells in a square, edges between neighbours, and its perfect matchings as a space.

Cells are numbered row by row. Coloured like a chessboard, every edge joins a black and a white cell, so that a perfect
matching is one of black to white cells in which only neighbours meet. As a row has an even number of cells, the numbers
2 j and 2 j + 1 are a black and a white cell in some order: each is the j-th of its colour.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from attrs import Attribute, field, frozen
from torch import Tensor

import structpred as sp


def even(_: object, attribute: Attribute[Any], value: int) -> None:
    if value < 2 or value % 2:
        raise ValueError(
            f"{attribute.name}: expected an even integer of at least 2, got {value}; "
            "a board with an odd number of cells has no perfect matching, so write for example 4"
        )


@frozen(eq=False)
class Board:
    """A board of ``side * side`` cells."""

    side: int = field(validator=even)
    first: Tensor = field(init=False, repr=False)
    """``(edges,)``, int64: the left or upper cell of each edge, horizontal edges first."""
    second: Tensor = field(init=False, repr=False)
    """``(edges,)``, int64: the right or lower cell."""
    _part: Tensor = field(init=False, repr=False)
    """``(edges,)``, int64: the part of each edge in a flattened structure of the space."""

    def __attrs_post_init__(self) -> None:
        side = self.side
        cells = torch.arange(side * side).reshape(side, side)
        first = torch.cat([cells[:, :-1].flatten(), cells[:-1].flatten()])
        second = torch.cat([cells[:, 1:].flatten(), cells[1:].flatten()])
        black_first = (first // side + first % side) % 2 == 0
        black, white = torch.where(black_first, first, second), torch.where(black_first, second, first)
        object.__setattr__(self, "first", first)
        object.__setattr__(self, "second", second)
        object.__setattr__(self, "_part", black // 2 * (side * side // 2) + white // 2)

    @property
    def space(self) -> sp.Matching:
        """Matchings of the black cells, the rows, to the white cells; parts that are no edge are to be forbidden."""
        return sp.Matching(self.side * self.side // 2)

    def two_digit_numbers(self, digits: Tensor) -> Tensor:
        """What each edge's digits read: ``(*batch, cells) -> (*batch, edges)``."""
        return 10 * digits[..., self.first] + digits[..., self.second]

    def parts(self, edges: Tensor, fill: float) -> Tensor:
        """The numbers of edges laid on the parts of the space: ``(*batch, edges) -> (*batch, *shape)``.

        Args:
            edges: a number for each edge.
            fill: what the parts get that are no edge.
        """
        batch, shape = edges.shape[:-1], self.space.shape
        parts = edges.new_full((*batch, math.prod(shape)), fill)
        return parts.index_copy(-1, self._part, edges).reshape(*batch, *shape)

    def edges(self, y: Tensor) -> Tensor:
        """Those of a matching, or other numbers of the edges' parts: ``(*batch, *shape) -> (*batch, edges)``."""
        return y.flatten(-2)[..., self._part]

    def lightest(self, weights: Tensor) -> Tensor:
        """A perfect matching of least weight: ``(*batch, edges) -> (*batch, *shape)``, of zeros and ones."""
        return self.space.argmax(self.parts(-weights, -math.inf))
