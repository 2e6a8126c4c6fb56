"""Which structures there are: contains and enumerate."""

from __future__ import annotations

import itertools
import math

import torch
from hypothesis import strategies as st
from torch import Tensor

from structpred.spaces.base import StructuredSpace
from structpred.testing import strategies
from structpred.testing._examples import per_example
from structpred.testing.law import ViolationError, law
from structpred.testing.oracles import enumerable, first, structures_of

_FEW_PARTS = 12


@law(needs=enumerable)
def enumerate_lists_each_structure_once(space: StructuredSpace) -> None:
    """enumerate lists structures of the space, at least one, and none of them twice."""
    listed = structures_of(space)
    if not len(listed):
        raise ViolationError("no structure is listed", got=0, expected="at least 1")
    for index in first(~space.contains(listed)):
        raise ViolationError("a structure listed is not in the space", got=listed[index])
    unique, counts = listed.unique(dim=0, return_counts=True)
    for index in first(counts > 1):
        raise ViolationError(f"a structure is listed {int(counts[index])} times", got=unique[index])


@law(scores=per_example(strategies.scores, moderate=True), needs=enumerable, examples=5)
def enumerate_is_complete(space: StructuredSpace, scores: Tensor) -> None:
    """Answers are in the list, and what is in the space near a structure of the list is in the list too."""
    listed = _keys(structures_of(space))
    y = space.argmax(scores)
    for answer, key in zip(y, _keys_in_order(y), strict=True):
        if key not in listed:
            raise ViolationError("an answer is not in the list", got=answer)
    near = _everything(space) if math.prod(space.shape) <= _FEW_PARTS else _neighbours(y)
    inside = near[space.contains(near)]
    for structure, key in zip(inside, _keys_in_order(inside), strict=True):
        if key not in listed:
            raise ViolationError("contains accepts a structure that is not in the list", got=structure)


def _keys_in_order(y: Tensor) -> list[bytes]:
    return [row.tobytes() for row in y.flatten(1).double().cpu().numpy()]


def _keys(y: Tensor) -> set[bytes]:
    return set(_keys_in_order(y + 0.0))  # -0.0 is 0


def _everything(space: StructuredSpace) -> Tensor:
    parts = math.prod(space.shape)
    binary = torch.tensor(list(itertools.product([0.0, 1.0], repeat=parts)))
    return binary.reshape(-1, *space.shape)


def _neighbours(y: Tensor) -> Tensor:
    """What differs from the structures in one part, or in two of the first sixteen."""
    parts = y[0].numel()
    pairs = [(part,) for part in range(parts)] + list(itertools.combinations(range(min(parts, 16)), 2))
    flips = torch.zeros(len(pairs), parts, dtype=y.dtype)
    for flip, pair in zip(flips, pairs, strict=True):
        flip[list(pair)] = 1
    return (y.flatten(1)[:, None] - flips).abs().reshape(-1, *y.shape[1:])


@law(
    target=per_example(strategies.targets),
    bad=lambda space: st.sampled_from([0.5, 2.0, -1.0, math.nan, math.inf]),
    part=lambda space: st.integers(0, math.prod(space.shape) - 1),
)
def members_are_zeros_and_ones(space: StructuredSpace, target: Tensor, bad: float, part: int) -> None:
    """A structure with one entry that is neither 0 nor 1 is not in the space."""
    spoilt = target.clone(memory_format=torch.contiguous_format)  # else flatten may be a copy, and nothing spoilt
    spoilt.flatten(1)[:, part] = bad
    for index in first(space.contains(spoilt)):
        raise ViolationError("contains accepts an entry other than 0 and 1", got=spoilt[index])


@law(target=per_example(strategies.targets))
def contains_reads_any_dtype_and_batch(space: StructuredSpace, target: Tensor) -> None:
    """contains takes structures of any dtype, in any batch, and tells the examples of a batch apart."""
    for dtype in (torch.bool, torch.uint8, torch.int64, torch.float16, torch.float32):
        inside = space.contains(target.to(dtype))
        if inside.dtype != torch.bool or inside.shape != target.shape[:1] or not inside.all():
            raise ViolationError(
                f"structures of dtype {dtype} are not all found inside", got=inside, expected=[True] * len(target)
            )
    mixed = target.clone()[None].expand(2, *target.shape).clone()
    mixed[1, 0] = 2
    expected = torch.ones(2, len(target), dtype=torch.bool)
    expected[1, 0] = False
    if not torch.equal(space.contains(mixed), expected):
        raise ViolationError(
            "one structure of a batch was spoilt, contains finds others", got=space.contains(mixed), expected=expected
        )
    if space.contains(target[0]).shape != ():
        raise ViolationError("without batch dimensions, contains returns another shape", got=space.contains(target[0]))
