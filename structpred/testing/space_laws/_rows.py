"""Examples of every kind, with the best value of each, of which batches are made that have them in any order.

Scores are multiples of 1/16 and at most 16 in size, or such numbers times a power of 2: exact in every dtype, as are
their sums. Values are those of the list of all structures, or else of the answers to the examples one by one.
"""

from __future__ import annotations

import enum
import functools
import math

import torch
from attrs import frozen
from torch import Tensor

from structpred.spaces.base import StructuredSpace
from structpred.testing.oracles import Same, can_list, structures_of, value
from structpred.testing.strategies import FINEST, HAIRS, LARGEST

COUNT = 61  # a prime, so that no chunk or period of a batch fits
_MOST_ENTRIES = 4_000_000  # of a batch
_PATTERNS = 6  # of signs
_APART = 997  # a prime, so that all indices of a dimension come, those of a long one far apart


class Rows(enum.Enum):
    """What the scores of a batch are like."""

    GENERIC = enum.auto()
    TIES = enum.auto()
    EQUAL = enum.auto()
    """All scores of an example are the same number."""
    LARGE = enum.auto()
    NEGATIVE = enum.auto()
    SHIFTED = enum.auto()
    """Those at one index of one dimension are far above or below the others."""
    ONE_FORBIDDEN = enum.auto()
    TWO_FORBIDDEN = enum.auto()
    MANY_FORBIDDEN = enum.auto()
    """Of the parts, those of one structure are left, and a tenth to six tenths of the others."""
    MIXED = enum.auto()
    """Examples of all kinds above."""
    FINE = enum.auto()
    """Near 1 and 2, in most examples with the signs of one of a few patterns, and with differences that the next
    coarser dtype does not resolve. In float64 some are of 2^-44, and some of 2^-17 beside 2^30."""


@frozen(eq=False)
class Bank:
    """``COUNT`` examples with their best values."""

    scores: Tensor
    """``(COUNT, *shape)``, float64."""
    best: Tensor
    """``(COUNT,)``"""


def most_rows(space: StructuredSpace) -> int:
    """How many examples a batch may have, so that it fills no memory."""
    return max(7, _MOST_ENTRIES // max(1, math.prod(space.shape)))


def bank(space: StructuredSpace, rows: Rows, seed: int, dtype: torch.dtype = torch.float64) -> Bank:
    """The examples of one kind, for scores of a dtype; the same ones again for the same space."""
    return _bank(Same(space), rows, seed, dtype if rows is Rows.FINE else torch.float64)


@functools.lru_cache(maxsize=4 * len(Rows))
def _bank(key: Same, rows: Rows, seed: int, dtype: torch.dtype) -> Bank:
    space: StructuredSpace = key.it
    if rows is Rows.MIXED:
        kinds = [it for it in Rows if it not in (Rows.MIXED, Rows.FINE)]
        banks = [_bank(key, it, seed, dtype) for it in kinds]
        which = [(row * 3) % len(kinds) for row in range(COUNT)]
        picked = [(banks[it].scores[row], banks[it].best[row]) for row, it in enumerate(which)]
        return Bank(*(torch.stack(column) for column in zip(*picked, strict=True)))
    generator = torch.Generator().manual_seed(1000 * seed + rows.value)
    scores = _scores(space, rows, generator, dtype)
    return Bank(scores, _best(space, scores))


def _scores(space: StructuredSpace, rows: Rows, generator: torch.Generator, dtype: torch.dtype) -> Tensor:
    shape = (COUNT, *space.shape)

    def integers(low: int, high: int, size: tuple[int, ...] = shape) -> Tensor:
        return torch.randint(low, high + 1, size, generator=generator).double()

    if rows is Rows.FINE:
        fine = integers(1, 2) + HAIRS[dtype] * integers(-2, 2)
        if dtype == torch.float64:
            fine[::2] = 1 + FINEST * integers(-2, 2)[::2]
            fine[1::4] = _beside_a_large_one(1 + 2.0**-17 * integers(-2, 2)[1::4], generator)
        # Where signs are mixed, sums near 0 decide; and some examples have the same signs, and differ in the least.
        signs = 1 - 2.0 * integers(0, 1, (_PATTERNS, *space.shape))
        signs[0].view(-1)[::2], signs[0].view(-1)[1::2] = 1.0, -1.0
        for start, pattern in enumerate(signs):
            fine[start :: _PATTERNS + 1] *= pattern
        return fine
    if rows is Rows.TIES:
        return integers(-2, 2).where(torch.rand(shape, generator=generator) < 0.8, -0.0)
    if rows is Rows.EQUAL:
        values = torch.tensor([0.0, 1.0, -1.0, 0.5, -8.0, 8.0, -0.0625, 16.0, -16.0, 2.0, -3.0], dtype=torch.float64)
        return values[torch.arange(COUNT) % len(values)].reshape(COUNT, *(1,) * len(space.shape)).expand(shape).clone()
    scores = integers(-64, 64) / 16
    if rows is Rows.LARGE:
        return scores * 512
    if rows is Rows.NEGATIVE:
        return -scores.abs() - 1
    if rows is Rows.GENERIC:
        return _with_one_raised(scores, generator)
    if rows is Rows.SHIFTED:
        scores = integers(-2, 2)  # which with 64 beside them are exact in eight bits
        for row, example in enumerate(scores):
            dim = row % len(space.shape)
            if space.shape[dim]:
                index = row // len(space.shape) * _APART % space.shape[dim]
                example.select(dim, index).add_(64.0 if row % 3 else -64.0)
        return scores
    few = torch.arange(COUNT) % 4 != 3
    scores[few] = integers(-1, 1)[few]  # where a part of score 0 might pass for none
    kept = structures(space, COUNT, generator) != 0
    if rows is Rows.MANY_FORBIDDEN:
        share = torch.linspace(0.1, 0.6, COUNT)[torch.randperm(COUNT, generator=generator)]
        kept |= torch.rand(shape, generator=generator) < share.reshape(COUNT, *(1,) * len(space.shape))
        return scores.masked_fill(~kept, -math.inf)
    # Of the parts that can be spared, those that the best structure uses come first.
    wanted = torch.stack([space.argmax(example) for example in scores]).double()
    order = (wanted + torch.rand(shape, generator=generator)).masked_fill(kept, -1).flatten(1)
    count = min(1 if rows is Rows.ONE_FORBIDDEN else 2, order.shape[1])
    worth, parts = order.topk(count, -1)
    forbidden = torch.zeros_like(order).scatter_(1, parts, (worth >= 0).double()) != 0
    return scores.masked_fill(forbidden.reshape(shape), -math.inf)


def _with_one_raised(scores: Tensor, generator: torch.Generator) -> Tensor:
    """With one score of every third example above the others: of many parts, ties are left to the first ones."""
    flat = scores.flatten(1)
    if flat.shape[1]:
        part = torch.randint(flat.shape[1], (len(flat), 1), generator=generator)
        flat = flat.scatter_add(1, part, 8.0 * (torch.arange(len(flat)) % 3 == 0).double()[:, None])
    return flat.reshape(scores.shape)


def _beside_a_large_one(scores: Tensor, generator: torch.Generator) -> Tensor:
    """With one score of each example far above or below the others."""
    flat = scores.flatten(1)
    part = torch.randint(flat.shape[1], (len(flat), 1), generator=generator)
    far = LARGEST * (1 - 2.0 * torch.randint(0, 2, (len(flat), 1), generator=generator).double())
    return flat.scatter(1, part, far).reshape(scores.shape)


def structures(space: StructuredSpace, count: int, generator: torch.Generator) -> Tensor:
    """Some structures, ``(count, *shape)`` in float64: from the list, or answers to random scores, one by one."""
    if can_list(space):
        listed = structures_of(space)
        return listed[torch.randint(len(listed), (count,), generator=generator)].double()
    return torch.stack(
        [
            space.argmax(torch.randn(space.shape, generator=generator, dtype=torch.float64)).double()
            for _ in range(count)
        ]
    )


def _best(space: StructuredSpace, scores: Tensor) -> Tensor:
    if not can_list(space):
        return value(space, scores, torch.stack([space.argmax(example) for example in scores]))
    listed = structures_of(space).double().flatten(1)
    forbidden = scores.isneginf()
    values = scores.masked_fill(forbidden, 0).flatten(1) @ listed.mT  # (COUNT, structures)
    uses = forbidden.double().flatten(1) @ listed.mT > 0
    return values.masked_fill(uses, -math.inf).amax(1)
