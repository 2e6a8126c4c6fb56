"""What a space is made with: spaces that differ in one field are other spaces, with answers of their own."""

from __future__ import annotations

import contextlib
import math
import pickle
import sys

import attrs
import numpy as np
import torch
from torch import Tensor

from structpred.spaces.base import StructuredSpace
from structpred.testing.clock import Clock
from structpred.testing.law import ViolationError, law
from structpred.testing.oracles import (
    best_of,
    can_list,
    expect_same_value,
    slack,
    structures_of,
    value,
    zeros_and_ones,
)
from structpred.testing.process import answers_in_new_processes
from structpred.testing.space_laws._rows import Rows, bank
from structpred.testing.space_laws.grid import made_anew
from structpred.testing.space_laws.variants import fields_of, others, with_field

_MOST_SECONDS, _MOST_SECONDS_FOR_CALLS = 2.0, 1.0
_MOST_ASKED, _MOST_OF_A_FIELD = 20, 5
_FEW, _MANY = 7, 30
_FEW_PARTS = 10


@law()
def equality_sees_every_field(space: StructuredSpace) -> None:
    """A space with another value in one field, which has other structures, is not equal, and neither is its repr."""
    spent = Clock()
    for name, own in fields_of(space).items():
        for other in others(own):
            changed = with_field(space, name, other)
            if changed is None or difference(changed, space) is None:
                continue
            if changed == space:
                message = f"spaces that differ in {name} are equal"
                raise ViolationError(message, got=other, expected=own)
            if spent() > _MOST_SECONDS:
                break  # of this field


@law()
def spaces_of_a_class_are_apart(space: StructuredSpace, *, seed: int = 0, tolerance: float = 0.0) -> None:
    """Another space of class and shape, with another value in one field, has its own answers, and leaves this one's.

    Also where it is gone, and a space like this one is made in its place. Where its answers are wrong, or its class or
    module keeps tables, they are asked for again in a new process.
    """
    scores = _scores(space, seed)
    y = space.argmax(scores)
    many = _scores(space, seed, _MANY)  # few structures may be gone
    spent, asked, keeps_tables = Clock(), list[_Asked](), _keeps_tables(type(space))
    for name, other in ((name, other) for name, own in fields_of(space).items() for other in others(own)):
        if spent() > _MOST_SECONDS_FOR_CALLS:
            break
        shown = _called(with_field(space, name, other), space.shape, seed)
        for it in (made_anew(space), space) if shown else ():
            message = f"after a call of {shown}, which has another {name}, the answer has another value"
            expect_same_value(space, scores, it.argmax(scores), y, tolerance, message)
        changed = with_field(space, name, other) if shown else None
        if changed is None or len(asked) == _MOST_ASKED:
            continue
        of_a_name = sum(again.name == name for again in asked)
        if of_a_name >= _MOST_OF_A_FIELD and shown != repr(space):  # tables may be by a name that two have
            continue
        if keeps_tables or _is_wrong_here(changed, scores, tolerance):
            with contextlib.suppress(Exception):  # a field that was only changed here may make no space at all
                pickle.dumps(changed)
                asked.append(_Asked(changed, name, changed.argmax(many)))
    alone = answers_in_new_processes([it.space for it in asked], [many] * len(asked))
    for again, there in zip(asked, alone, strict=False):
        # Ties broken at random have equal values; not so in a space whose fields do not fit one another.
        if isinstance(there, tuple) and torch.equal(*(value(again.space, many, y) for y in there)):
            message = f"after a call of {space!r}, an answer of one that has another {again.name} has another value"
            expect_same_value(again.space, many, again.answers, there[0], tolerance, message)


@attrs.frozen
class _Asked:
    """What is asked for again where it is the only space that was called."""

    space: StructuredSpace
    name: str
    """Of the field that is another one."""
    answers: Tensor


def _called(space: StructuredSpace | None, shape: tuple[int, ...], seed: int) -> str | None:
    """The space as text once it was called, and None where it cannot be; nothing keeps it then.

    One of another shape is not called: of twice as many parts there may be far too many structures.
    """
    try:
        if space is not None and space.shape == shape:
            space.argmax(_scores(space, seed))
            return repr(space)
    except Exception:  # a field that was only changed here may make no space at all
        pass
    return None


def _is_wrong(space: StructuredSpace, scores: Tensor, y: Tensor, tolerance: float) -> bool:
    """Whether answers are not the best of all structures, or none; False where there is no list."""
    every = _all(space)
    if not len(every):
        return False
    best, _ = best_of(space, scores, every)
    wrong = ~space.contains(y) | (value(space, scores, y) < best - slack(space, scores, tolerance))
    return bool(wrong.any())


def _all(space: StructuredSpace) -> Tensor:
    """What ``contains`` accepts, where parts are few: the space's own list may be of the table that is wrong."""
    parts = math.prod(space.shape)
    if parts <= _FEW_PARTS:
        every = zeros_and_ones(space, 0, 2**parts)
        return every[space.contains(every)].double()
    if not can_list(space):
        return torch.empty(0)
    every = structures_of(space).double()
    return every[space.contains(every)]


def _is_wrong_here(space: StructuredSpace, scores: Tensor, tolerance: float) -> bool:
    """Whether answers are wrong in this process, in which other spaces were called."""
    try:
        return _is_wrong(space, scores, space.argmax(scores), tolerance)
    except Exception:  # a field that was only changed here may make no space at all
        return False


def _keeps_tables(cls: type) -> bool:
    """Whether a class or its module keeps results of calls, or tensors, for all its spaces."""
    found = [it for name, it in vars(sys.modules[cls.__module__]).items() if not name.startswith("__")]
    found += [it for parent in cls.__mro__ for name, it in vars(parent).items() if not name.startswith("__")]
    for it in tuple(found):
        found += [*(getattr(it, "__defaults__", None) or ()), *(getattr(it, "__kwdefaults__", None) or {}).values()]
    return any(
        (hasattr(it, "cache_info") and it.cache_info().currsize)
        or (
            isinstance(it, dict) and any(isinstance(value, Tensor | np.ndarray | list | tuple) for value in it.values())
        )
        for it in found
    )


def _scores(space: StructuredSpace, seed: int, count: int = _FEW) -> Tensor:
    return torch.randn(count, *space.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def difference(one: StructuredSpace, other: StructuredSpace) -> str | None:
    """What of two spaces differs, as far as a few calls tell; None for what cannot be called."""
    try:
        for what in ("shape", "noise_shape"):
            if getattr(one, what) != getattr(other, what):
                return what
        for rows in (Rows.GENERIC, Rows.NEGATIVE, Rows.MANY_FORBIDDEN):
            scores = bank(other, rows, 0).scores
            y = other.argmax(scores)
            if not one.contains(y).all():
                return "contains"
            if not torch.equal(one.score(scores, one.argmax(scores)), other.score(scores, y)):
                return "argmax"
        noise = torch.randn(other.noise_shape, generator=torch.Generator().manual_seed(0))
        return None if torch.equal(one.spread(noise), other.spread(noise)) else "spread"
    except Exception:  # a field that was only changed here may make no space at all
        return None
