"""What a space is made with: spaces that differ in one field are other spaces, with answers of their own."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import datetime
import enum
import itertools
import math
import pickle
import sys
from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePath
from typing import Any

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
from structpred.testing.process import answers_in_a_new_process
from structpred.testing.space_laws._rows import Rows, bank
from structpred.testing.space_laws.grid import cached_properties, made_anew

_MOST_SECONDS = 2.0
_MOST_PROCESSES = 4  # one or two for each field
_MOST_ENTRIES = 5
_FEW, _MANY = 7, 30
_FEW_PARTS = 10


@law()
def equality_sees_every_field(space: StructuredSpace) -> None:
    """A space with another value in one field, which has other structures, is not equal, and neither is its repr."""
    spent = Clock()
    for name, own in fields_of(space).items():
        for other in _others(own):
            changed = _with(space, name, other)
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
    spent, asked, keeps_tables = Clock(), set[tuple[str, bool]](), _keeps_tables(type(space))
    for name, other in ((name, other) for name, own in fields_of(space).items() for other in _others(own)):
        if spent() > _MOST_SECONDS + len(asked):  # a second for each process
            return
        shown = _called(_with(space, name, other), space.shape, seed)
        for it in (made_anew(space), space) if shown else ():
            message = f"after a call of {shown}, which has another {name}, the answer has another value"
            expect_same_value(space, scores, it.argmax(scores), y, tolerance, message)
        changed = _with(space, name, other) if shown else None
        kind = name, shown == repr(space)  # tables may be by a name that two have
        if changed is None or kind in asked or len(asked) == _MOST_PROCESSES:
            continue
        if keeps_tables or _is_wrong_here(changed, scores, tolerance):
            asked.add(kind)
            many = _scores(space, seed, _MANY)  # few structures may be gone
            here, alone = _answers_in_both(changed, many)
            message = f"after a call of {space!r}, an answer of {shown}, which has another {name}, has another value"
            expect_same_value(changed, many, here, alone, tolerance, message)


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


def _answers_in_both(space: StructuredSpace, scores: Tensor) -> tuple[Tensor, Tensor]:
    """The answers here, and those of a process in which no other space was called; the former twice if there are none.

    Those of a space whose fields do not fit one another are wrong there too.
    """
    here = space.argmax(scores)
    try:
        alone = answers_in_a_new_process(space, scores)
    except Exception:  # it does not pickle, say
        alone = None
    return here, here if alone is None else alone


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


def fields_of(space: Any) -> dict[str, Any]:
    """What the space was made with; without attrs, its attributes but for those that calls make."""
    if attrs.has(type(space)):
        return {it.name: getattr(space, it.name) for it in attrs.fields(type(space)) if it.init}
    if not hasattr(space, "__dict__"):
        return {}
    try:
        kept = vars(pickle.loads(pickle.dumps(space)))
    except Exception:  # of which another law tells
        kept = vars(space)
    cached = cached_properties(type(space))
    return {name: value for name, value in vars(space).items() if name in kept and name not in cached}


def _with(space: Any, name: str, value: Any) -> StructuredSpace | None:
    """The space with another value in a field, where it takes that."""
    try:
        if attrs.has(type(space)):
            made: StructuredSpace = attrs.evolve(space, **{name.lstrip("_"): value})
            return made
        changed: StructuredSpace = copy.deepcopy(space)
        setattr(changed, name, value)
    except Exception:  # refused, in whatever way
        return None
    return changed


def _others(value: Any) -> Iterator[Any]:
    """Other values of the same kind."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, enum.Enum):
        yield from (it for it in type(value) if it is not value)
    elif value is None:
        yield from (0, 1, 2)
    elif isinstance(value, str):
        yield value + "_"
    elif isinstance(value, int | float):
        yield from (value + 1, value - 1, 2 * value)
        if isinstance(value, float):
            yield from (math.nextafter(value, -math.inf), math.nextafter(value, math.inf), 0.99 * value, 1.01 * value)
    elif isinstance(value, np.integer):
        for other in _others(int(value)):
            with contextlib.suppress(OverflowError):
                yield type(value)(other)
    elif isinstance(value, datetime.date | datetime.timedelta):
        for step in (datetime.timedelta(days=1), datetime.timedelta(hours=1)):
            yield from (value + step, value - step)
    elif isinstance(value, complex | Decimal | Fraction):
        yield from (value + 1, value - 1, 2 * value)
    elif isinstance(value, bytes):
        yield value + b"_"
    elif isinstance(value, PurePath):
        yield value / "_"
    elif isinstance(value, range):
        yield from (range(value.start, value.stop + value.step, value.step), value[1:], value[::-1])
    elif callable(getattr(value, "remove_edge", None)):  # a graph of networkx
        for edge in list(value.edges)[:_MOST_ENTRIES]:
            changed = copy.deepcopy(value)
            changed.remove_edge(*edge)
            yield changed
            for one, other in itertools.permutations(list(value.nodes)[:_MOST_ENTRIES], 2):
                if not value.has_edge(one, other):  # as many edges as before
                    moved = copy.deepcopy(changed)
                    moved.add_edge(one, other)
                    yield moved
                    break
        for (a, b), (c, d) in itertools.combinations(list(value.edges)[:_MOST_ENTRIES], 2):
            if len({a, b, c, d}) == 4 and not value.has_edge(a, d) and not value.has_edge(c, b):
                crossed = copy.deepcopy(value)  # every node has as many edges as before
                crossed.remove_edges_from([(a, b), (c, d)])
                crossed.add_edges_from([(a, d), (c, b)])
                yield crossed
    elif dataclasses.is_dataclass(value) and not isinstance(value, type | StructuredSpace):
        for it in dataclasses.fields(value):
            for other in _others(getattr(value, it.name)):
                with contextlib.suppress(Exception):  # refused, in whatever way
                    yield dataclasses.replace(value, **{it.name: other})
    elif isinstance(value, StructuredSpace) or attrs.has(type(value)):
        for name, inner in fields_of(value).items():
            for other in _others(inner):
                changed = _with(value, name, other)
                if changed is not None:
                    yield changed
    elif isinstance(value, Tensor | np.ndarray):
        if value.dtype in (torch.bool, np.bool_):
            yield ~value
        else:
            nothing = copy.deepcopy(value)
            nothing[...] = 0  # inf times 0 is NaN
            yield from (value + 1, nothing, -value)
        if value.ndim and len(value) > 1:
            yield value[:1]  # which broadcasts against the others
        for index in range(min(len(value), _MOST_ENTRIES) if value.ndim == 1 else 0):
            for other in _others(value[index].item()):
                entries = copy.deepcopy(value)
                entries[index] = other
                yield entries
    elif isinstance(value, set | frozenset):
        for entry in value:
            others = value - {entry}
            yield others
            yield from (others | {other} for other in _others(entry) if other not in value)
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield from ({**value, key: other} for other in _others(entry))
    elif isinstance(value, tuple | list) and value:
        yield value[::-1]
        yield type(value)([*value[1:], *value[:1]])
        yield value[:-1]
        yield from map(type(value), _with_ends_exchanged(value))
        for index, entry in enumerate(value):
            for other in _others(entry):
                yield type(value)([*value[:index], other, *value[index + 1 :]])


def _with_ends_exchanged(value: Sequence[Any]) -> Iterator[list[Any]]:
    """Sequences of pairs, say, of which two have exchanged their last entries, or one its last for the first of other.

    Edges of which every node has as many as before.
    """
    for (i, one), (j, other) in itertools.combinations(enumerate(value[:_MOST_ENTRIES]), 2):
        if not (isinstance(one, tuple | list) and type(one) is type(other) and len(one) == len(other) > 1):
            return
        for ends in ((-1, -1), (-1, 0)):
            changed, entries = list(value), [list(one), list(other)]
            entries[0][ends[0]], entries[1][ends[1]] = other[ends[1]], one[ends[0]]
            changed[i], changed[j] = map(type(one), entries)
            yield changed


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


def sets_of_words(value: Any) -> Iterator[set[str] | frozenset[str]]:
    """The sets of words in it, of which the next process may have another order."""
    if isinstance(value, set | frozenset):
        if all(isinstance(it, str) for it in value):
            yield value
    elif isinstance(value, dict):
        yield from itertools.chain.from_iterable(map(sets_of_words, value.values()))
    elif isinstance(value, list | tuple):
        yield from itertools.chain.from_iterable(map(sets_of_words, value))


def has_words(value: Any) -> bool:
    """Whether a hash of it may be another one in the next process."""
    if isinstance(value, dict):
        return any(map(has_words, value.values())) or any(map(has_words, value))
    if isinstance(value, list | tuple | set | frozenset):
        return any(map(has_words, value))
    return isinstance(value, str | bytes)
