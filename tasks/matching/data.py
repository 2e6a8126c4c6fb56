"""Grids of digits: MNIST's images, which grids share, and for each grid the numbers of its images and its matching."""

from __future__ import annotations

from pathlib import Path

import torch
from attrs import frozen
from torch import Tensor
from torchvision.datasets import MNIST

import structpred as sp
from tasks.matching.board import Board

_HELD_OUT = 5000
_SOLVED_AT_ONCE = 500  # grids, so that the parts of all of them are never in memory


@frozen(eq=False)
class Digits:
    """Images with the digits that they show."""

    pixels: Tensor
    """``(n, 28, 28)``, uint8."""
    labels: Tensor
    """``(n,)``, int64."""

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: Tensor | slice) -> Digits:
        return Digits(self.pixels[index], self.labels[index])


@frozen(eq=False)
class Data:
    """MNIST, with 5,000 of its training images, the same in every run, held out."""

    train: Digits
    held_out: Digits
    test: Digits

    def pool(self, count: int | None) -> Digits:
        """The images to draw training grids from: the first ones, in an order that was drawn at random, or all.

        Raises:
            ArgumentError: if there are not so many.
        """
        if count is not None and count > len(self.train):
            raise sp.ArgumentError(f"digits: expected at most {len(self.train)}, the training images, got {count}")
        return self.train[:count]


def load(root: Path) -> Data:
    """Reads MNIST from a root laid out as torchvision lays it out.

    Raises:
        ArgumentError: if it is not there, or damaged.
    """
    try:
        train, test = (MNIST(root, train=train) for train in (True, False))
    except (RuntimeError, OSError, ValueError, AssertionError) as error:  # all that torchvision raises for such files
        reason = " ".join(str(error).split()) or "a damaged file"
        raise sp.ArgumentError(
            f"data_dir: expected MNIST in {str(root / 'MNIST' / 'raw')!r}, which cannot be read ({reason}); "
            "name a root that has it with --data-dir, or fetch it there by "
            f"torchvision.datasets.MNIST({str(root)!r}, download=True)"
        ) from error
    return split(Digits(train.data, train.targets), Digits(test.data, test.targets), _HELD_OUT)


def split(train: Digits, test: Digits, held_out: int) -> Data:
    """Holds out some training images, drawn at random with a fixed seed."""
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))
    return Data(train[order[held_out:]], train[order[:held_out]], test)


@frozen(eq=False)
class Truth:
    """What is known of a batch of grids."""

    matching: Tensor
    """``(grids, *shape)``, zeros and ones: a perfect matching of least weight."""
    weights: Tensor
    """``(grids, *shape)``: the two-digit numbers; 0 for parts that are no edge."""


@frozen(eq=False)
class Grids:
    """Grids of a board, each cell with one of the digits."""

    board: Board
    digits: Digits
    index: Tensor
    """``(grids, cells)``, int64: which of the digits."""
    white: Tensor
    """``(grids, cells // 2)``, int64: the white cell of each black one, in a perfect matching of least weight."""

    @classmethod
    def draw(cls, board: Board, digits: Digits, count: int, seed: int) -> Grids:
        """Grids of digits drawn independently, with replacement."""
        generator = torch.Generator().manual_seed(seed)
        index = torch.randint(len(digits), (count, board.side**2), generator=generator)
        weights = board.two_digit_numbers(digits.labels[index]).float()
        white = [board.lightest(some).argmax(-1) for some in weights.split(_SOLVED_AT_ONCE)]
        return cls(board, digits, index, torch.cat(white))

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, grids: Tensor | slice) -> Grids:
        return Grids(self.board, self.digits, self.index[grids], self.white[grids])

    @property
    def truth(self) -> Truth:
        """In floating point; of all the grids, so take a batch first."""
        matching = torch.nn.functional.one_hot(self.white, self.white.shape[-1])
        weights = self.board.two_digit_numbers(self.digits.labels[self.index]).float()
        return Truth(matching.float(), self.board.parts(weights, 0.0))
