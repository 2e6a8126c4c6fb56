"""Digits of a few kinds that any network can tell apart, and a training of milliseconds on them."""

from __future__ import annotations

import torch

from tasks.matching.board import Board
from tasks.matching.config import Method, Run, Training
from tasks.matching.data import Data, Digits, split

TINY = Training(epochs=3, grids=200, batch_size=20, rate=1e-2)


def digits(count: int, seed: int) -> Digits:
    """Faint noise, with a bright band that is the lower, the larger the digit."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(10, (count,), generator=generator)
    pixels = torch.randint(60, (count, 28, 28), generator=generator, dtype=torch.uint8)
    for image, label in zip(pixels, labels.tolist(), strict=True):
        image[2 * label + 2 : 2 * label + 8] += 150
    return Digits(pixels, labels)


def data(*_: object) -> Data:
    """In the place of ``load``."""
    return split(digits(120, seed=0), digits(60, seed=1), held_out=40)


def run_of(method: Method, training: Training = TINY, k: int = 2, seed: int = 5) -> Run:
    return Run(training, k, method, seed)


def perfect_matchings(board: Board) -> list[tuple[int, ...]]:
    """Every perfect matching, as edges."""
    ends = list(zip(board.first.tolist(), board.second.tolist(), strict=True))
    return _extended((), frozenset(range(board.side**2)), ends)


def _extended(chosen: tuple[int, ...], free: frozenset[int], ends: list[tuple[int, int]]) -> list[tuple[int, ...]]:
    """``chosen`` with an edge for the first free cell, in every way, and so on."""
    if not free:
        return [chosen]
    fitting = [edge for edge, both in enumerate(ends) if min(free) in both and free.issuperset(both)]
    return [whole for edge in fitting for whole in _extended((*chosen, edge), free - set(ends[edge]), ends)]
