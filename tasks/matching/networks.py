"""From the images of a grid to the weights of its edges."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tasks.common.seeds import seeded
from tasks.matching.board import Board
from tasks.matching.config import EdgeWeights
from tasks.matching.data import Grids

_FEATURES = 32


class WeightNetwork(nn.Module):
    """The predicted weight of each edge: grids -> ``(grids, edges)``.

    A digit's image is seen by itself, and once, however often a batch has it.
    """

    def __init__(self, board: Board, edge_weights: EdgeWeights, seed: int) -> None:
        super().__init__()
        with seeded(seed):
            known = edge_weights is EdgeWeights.KNOWN
            self.digit = _digit_network(1 if known else _FEATURES)
            self.edge: nn.Module = _Read(board) if known else _Pairs(board)

    def forward(self, grids: Grids) -> Tensor:
        distinct, place = grids.index.unique(return_inverse=True)
        features = self.digit(_standardised(grids.digits.pixels[distinct]))
        weights: Tensor = self.edge(features[place])
        return weights


def _digit_network(outputs: int) -> nn.Sequential:
    """``(n, 1, 28, 28) -> (n, outputs)``; on half the resolution, at which digits can still be read."""
    return nn.Sequential(
        nn.AvgPool2d(2),
        *(nn.Conv2d(1, 20, 5), nn.MaxPool2d(2), nn.ReLU()),
        *(nn.Conv2d(20, 40, 3), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(360, outputs)),
    ).to(memory_format=torch.channels_last)  # twice as fast on a CPU


def _standardised(pixels: Tensor) -> Tensor:
    """Of about zero mean and unit variance, in MNIST: ``(n, 28, 28)`` uint8 -> ``(n, 1, 28, 28)``."""
    return (pixels[:, None].float() - 33) / 79


class _Read(nn.Module):
    """The numbers of two digits read as one: ``(grids, cells, 1) -> (grids, edges)``, in tens."""

    def __init__(self, board: Board) -> None:
        super().__init__()
        self._board = board

    def forward(self, values: Tensor) -> Tensor:
        return self._board.two_digit_numbers(values.squeeze(-1)) / 10


class _Pairs(nn.Module):
    """A network on the features of both digits: ``(grids, cells, features) -> (grids, edges)``."""

    def __init__(self, board: Board, hidden: int = _FEATURES) -> None:
        super().__init__()
        self._board = board
        self.first = nn.Linear(_FEATURES, hidden)
        self.second = nn.Linear(_FEATURES, hidden, bias=False)
        self.weight = nn.Linear(hidden, 1)

    def forward(self, features: Tensor) -> Tensor:
        features = features.relu()
        both = self.first(features)[:, self._board.first] + self.second(features)[:, self._board.second]
        weights: Tensor = self.weight(both.relu()).squeeze(-1)
        return weights
