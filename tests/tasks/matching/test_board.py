"""The graph of a board against plain loops, and its lightest matchings against all perfect matchings."""

from __future__ import annotations

import pytest
import torch

from tasks.matching.board import Board
from tests.tasks.matching.tiny import perfect_matchings


@pytest.mark.parametrize("side", [2, 4, 6])
def test_edges_join_neighbours_and_read_from_left_to_right_and_from_top_to_bottom(side: int) -> None:
    board = Board(side)
    digits = torch.randint(10, (side, side), generator=torch.Generator().manual_seed(side))
    expected = {}
    for row in range(side):
        for column in range(side):
            for below, right in ((0, 1), (1, 0)):
                if row + below < side and column + right < side:
                    ends = (side * row + column, side * (row + below) + column + right)
                    expected[ends] = 10 * digits[row, column].item() + digits[row + below, column + right].item()
    read = board.two_digit_numbers(digits.flatten()[None])[0].tolist()
    edges = list(zip(board.first.tolist(), board.second.tolist(), strict=True))
    assert dict(zip(edges, read, strict=True)) == expected
    assert len(edges) == len(expected) == 2 * side * (side - 1)


def test_each_edge_is_a_part_of_its_black_and_its_white_cell() -> None:
    """In the order of their colours, row by row; the other parts are filled."""
    board = Board(4)
    parts = board.parts(torch.arange(1.0, 25.0), 0.0)
    black = [cell for cell in range(16) if (cell // 4 + cell % 4) % 2 == 0]
    white = [cell for cell in range(16) if cell not in black]
    for row, one in enumerate(black):
        for column, other in enumerate(white):
            ends = (board.first == min(one, other)) & (board.second == max(one, other))
            assert parts[row, column] == (ends.nonzero().item() + 1 if ends.any() else 0)
    assert torch.equal(board.edges(parts), torch.arange(1.0, 25.0))


@pytest.mark.parametrize(("side", "count"), [(2, 2), (4, 36)])
def test_the_lightest_matching_is_the_lightest_of_all(side: int, count: int) -> None:
    board = Board(side)
    every = perfect_matchings(board)
    assert len(every) == count
    weights = torch.rand(20, 2 * side * (side - 1), generator=torch.Generator().manual_seed(0)) - 0.5
    for weight, y in zip(weights, board.lightest(weights), strict=True):
        best = min(every, key=lambda edges: weight[list(edges)].sum().item())
        assert board.edges(y).nonzero().flatten().tolist() == sorted(best)


@pytest.mark.parametrize("side", [-2, 0, 1, 3])
def test_a_board_without_perfect_matchings_is_refused(side: int) -> None:
    with pytest.raises(ValueError, match=f"side: expected an even integer of at least 2, got {side}; .* write"):
        Board(side)
