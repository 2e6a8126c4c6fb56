"""What the laws compare with: values in float64, and the list of all structures."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from structpred.errors import ArgumentError, InfeasibleError, SpaceError, describe
from structpred.spaces._enumerable import listing_at_most
from structpred.spaces.base import StructuredSpace
from structpred.testing.clock import Clock
from structpred.testing.law import ViolationError, leaving_settings_alone

FEW_PARTS = 16
"""Of so many, all tensors of zeros and ones are tried."""
_TRIED_AT_ONCE = 1024
_MOST_SECONDS = 1.0
_MOST_STRUCTURES = 5_000
_MOST_ENTRIES = 500_000


class Same:
    """A key that is the object itself, whatever its equality and hash are worth."""

    def __init__(self, it: Any) -> None:
        self.it = it

    def __hash__(self) -> int:
        return id(self.it)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.it is other.it


@functools.lru_cache(maxsize=4)
def _listed(key: Same) -> Tensor | str:
    space: StructuredSpace = key.it
    try:
        with listing_at_most(_MOST_STRUCTURES, _MOST_ENTRIES):
            structures = space.enumerate()
    except NotImplementedError:
        return "the space does not enumerate"
    except ArgumentError as error:
        return f"{error}; check a smaller one too"
    if not isinstance(structures, Tensor) or tuple(structures.shape[1:]) != space.shape:
        came = describe(structures) if isinstance(structures, Tensor) else type(structures).__name__
        wanted = ", ".join(["count", *map(str, space.shape)])
        raise SpaceError(f"{type(space).__name__}.enumerate: expected a tensor of shape ({wanted}), got {came}")
    if len(structures) > _MOST_STRUCTURES or structures.numel() > _MOST_ENTRIES:
        return f"{len(structures)} structures are too many to try; check a smaller one too"
    return structures


@functools.lru_cache(maxsize=4)
def _accepted(key: Same) -> Tensor | None:
    """What ``contains`` accepts of all tensors of zeros and ones; None where they are too many to try."""
    space: StructuredSpace = key.it
    parts = math.prod(space.shape)
    if parts > FEW_PARTS:
        return None
    found, spent = list[Tensor](), Clock()
    for start in range(0, 2**parts, _TRIED_AT_ONCE):
        tried = zeros_and_ones(space, start, min(_TRIED_AT_ONCE, 2**parts))
        found.append(tried[space.contains(tried)])
        if spent() * 2**parts > _MOST_SECONDS * (start + len(tried)):
            return None
    accepted = torch.cat(found)
    return accepted if 0 < len(accepted) <= _MOST_STRUCTURES else None


def zeros_and_ones(space: StructuredSpace, start: int, count: int) -> Tensor:
    """The tensors of zeros and ones from number ``start`` on: ``(count, *shape)``, float32."""
    numbers = torch.arange(start, start + count)
    return (numbers[:, None] >> torch.arange(math.prod(space.shape)) & 1).float().reshape(-1, *space.shape)


def enumerable(space: StructuredSpace) -> str | None:
    """Why the space's own list is out of reach, or None."""
    listed = _listed(Same(space))
    return listed if isinstance(listed, str) else None


def listable(space: StructuredSpace) -> str | None:
    """Why there is no list of all structures, the space's own or what ``contains`` accepts of few parts, or None."""
    reason = enumerable(space)
    return None if reason is None or _accepted(Same(space)) is not None else reason


def can_list(space: StructuredSpace) -> bool:
    """Whether there is a list of all structures."""
    return listable(space) is None


def structures_of(space: StructuredSpace) -> Tensor:
    """Every structure, ``(count, *shape)``, for a space that is ``listable``."""
    listed = _listed(Same(space))
    if isinstance(listed, str):
        accepted = _accepted(Same(space))
        assert accepted is not None
        return accepted
    return listed


def answers_where_feasible(space: StructuredSpace, scores: Tensor) -> tuple[Tensor, Tensor]:
    """The scores of the examples that ``InfeasibleError`` does not name, and their answers: ``(n, *shape)`` each."""
    try:
        return scores, space.argmax(scores)
    except InfeasibleError as error:
        left = torch.ones(len(scores), dtype=torch.bool)
        left[[index for (index,) in error.examples]] = False
        return scores[left], space.argmax(scores[left])


def value(space: StructuredSpace, scores: Tensor, y: Tensor) -> Tensor:
    """``<scores, y>`` in float64, leading dimensions broadcast; ``-inf`` counts only where y uses it."""
    parts = torch.where(y != 0, scores.double() * y.double(), 0.0)
    return parts.flatten(-len(space.shape)).sum(-1)


def best_of(space: StructuredSpace, scores: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor]:
    """The largest value among ``(count, *shape)`` and who has it: ``(*batch, *shape) -> (*batch), (*batch)``."""
    among = scores.unsqueeze(-1 - len(space.shape))
    best, index = value(space, among, candidates).max(-1)
    return best, index


def slack(space: StructuredSpace, scores: Tensor, tolerance: float) -> Tensor:
    """How far two equal values may lie apart, per example: rounding, and what the solver is granted.

    Scores up to 2 in size sum exactly, so that rounding only matters for generic scores.
    """
    finer = torch.promote_types(scores.dtype, torch.float32)
    finite = scores.double().masked_fill(scores.isinf(), 0).flatten(-len(space.shape))
    largest = finite.abs().amax(-1)
    return (tolerance + torch.finfo(finer).eps * finite.shape[-1]) * largest


def expect_not_worse(
    space: StructuredSpace, scores: Tensor, y: Tensor, other: Tensor, tolerance: float, message: str, source: str
) -> None:
    """Raises ``ViolationError`` for the first example where ``other`` has a larger value than ``y``."""
    got, better = value(space, scores, y), value(space, scores, other)
    worse = ~(got >= better - slack(space, scores, tolerance))
    for index in first(worse):
        raise ViolationError(
            message,
            example=index,
            got=got[index].item(),
            answer=y[index],
            better=better[index].item(),
            **{source: other[index]},
        )


def expect_same_value(
    space: StructuredSpace, scores: Tensor, y: Tensor, other: Tensor, tolerance: float, message: str
) -> None:
    """Raises ``ViolationError`` for the first example where two answers to the same scores differ in value."""
    got, expected = value(space, scores, y), value(space, scores, other)
    differ = ~((got - expected).abs() <= slack(space, scores, tolerance))
    for index in first(differ):
        raise ViolationError(
            message,
            example=index,
            got=got[index].item(),
            answer=y[index],
            expected=expected[index].item(),
            other_answer=other[index],
        )


def expect_members(space: StructuredSpace, y: Tensor, message: str) -> None:
    """Raises ``ViolationError`` for the first example that is not in the space."""
    inside, batch = space.contains(y), y.shape[: y.ndim - len(space.shape)]
    if not isinstance(inside, Tensor) or inside.dtype != torch.bool or inside.shape != batch:
        raise ViolationError(
            "contains does not say for each example", got=inside, expected=f"bool, of shape {(*batch,)}"
        )
    for index in first(~inside):
        raise ViolationError(message, example=index, got=y[index], expected=f"a structure of {space!r}")


def first(wrong: Tensor) -> list[tuple[int, ...]]:
    """The index of the first true entry, if there is one; ``()`` for a tensor without dimensions."""
    return [tuple(index) for index in wrong.nonzero()[:1].tolist()]


@contextmanager
def threads(count: int) -> Iterator[None]:
    """So many threads inside; raises ``ViolationError`` where there are others at the end."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        with leaving_settings_alone():
            yield
    finally:
        torch.set_num_threads(before)
