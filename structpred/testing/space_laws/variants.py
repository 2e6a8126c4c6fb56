"""Other values of the same kind, of what a space may be made with: a number a little off, a list in another order."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import datetime
import enum
import functools
import itertools
import math
import pickle
from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePath
from types import ModuleType
from typing import Any

import attrs
import numpy as np
import torch
from torch import Tensor

from structpred.spaces.base import StructuredSpace
from structpred.testing.space_laws.grid import cached_properties

_MOST_ENTRIES = 5
_being_changed: set[int] = set()  # objects, which may hold one another


def others(value: Any) -> Iterator[Any]:
    """Other values of the same kind; none for what is not known, or cannot be changed."""
    if isinstance(value, enum.Enum):  # which may be numbers or words, too
        yield from (it for it in type(value) if it is not value)
    else:
        yield from _others(value)


@functools.singledispatch
def _others(value: Any) -> Iterator[Any]:
    if callable(getattr(value, "remove_edge", None)):
        yield from _graphs(value)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for it in dataclasses.fields(value):
            for other in others(getattr(value, it.name)):
                with contextlib.suppress(Exception):  # refused, in whatever way
                    yield dataclasses.replace(value, **{it.name: other})
    elif attrs.has(type(value)) or (_is_plain(value) and not any(map(_holds_plain, vars(value).values()))):
        yield from _with_another_field(value)


@_others.register
def _(value: StructuredSpace) -> Iterator[Any]:
    yield from _with_another_field(value)


@_others.register
def _(value: bool) -> Iterator[Any]:
    yield not value


@_others.register
def _(value: None) -> Iterator[Any]:
    yield from (0, 1, 2)


@_others.register
def _(value: str) -> Iterator[Any]:
    yield value + "_"


@_others.register
def _(value: bytes) -> Iterator[Any]:
    yield value + b"_"


@_others.register(int)
@_others.register(complex)
@_others.register(Decimal)
@_others.register(Fraction)
def _(value: Any) -> Iterator[Any]:
    yield from (it for it in (value + 1, value - 1, 2 * value) if it != value)


@_others.register
def _(value: float) -> Iterator[Any]:
    near = math.nextafter(value, -math.inf), math.nextafter(value, math.inf), 0.99 * value, 1.01 * value
    yield from (it for it in (value + 1, value - 1, 2 * value, *near) if it != value)


@_others.register
def _(value: np.integer) -> Iterator[Any]:
    for other in others(int(value)):
        with contextlib.suppress(OverflowError):
            yield type(value)(other)


@_others.register(datetime.date)
@_others.register(datetime.timedelta)
def _(value: Any) -> Iterator[Any]:
    for step in (datetime.timedelta(days=1), datetime.timedelta(hours=1)):
        yield from (value + step, value - step)


@_others.register
def _(value: PurePath) -> Iterator[Any]:
    yield value / "_"


@_others.register
def _(value: range) -> Iterator[Any]:
    yield from (range(value.start, value.stop + value.step, value.step), value[1:], value[::-1])


@_others.register(Tensor)
@_others.register(np.ndarray)
def _(value: Any) -> Iterator[Any]:
    if value.dtype in (torch.bool, np.bool_):
        yield ~value
    else:
        nothing = copy.deepcopy(value)
        nothing[...] = 0  # inf times 0 is NaN
        yield from (value + 1, nothing, -value)
    if not value.ndim:
        return
    if len(value) > 1:
        yield value[:1]  # which broadcasts against the others
        yield value.flip(0) if isinstance(value, Tensor) else value[::-1].copy()
    every = list(np.ndindex(*value.shape))
    for index in every[:: max(1, len(every) // _MOST_ENTRIES)]:
        for other in others(value[index].item()):
            with contextlib.suppress(Exception):  # beyond the dtype
                entries = copy.deepcopy(value)
                entries[index] = other
                yield entries


@_others.register(set)
@_others.register(frozenset)
def _(value: Any) -> Iterator[Any]:
    for entry in value:
        rest = value - {entry}
        yield rest
        yield from (rest | {other} for other in others(entry) if other not in value)


@_others.register
def _(value: dict) -> Iterator[Any]:  # type: ignore[type-arg]
    for key, entry in value.items():
        rest = {name: it for name, it in value.items() if name != key}
        yield from ({**value, key: other} for other in others(entry))
        yield rest
        yield from ({**rest, other: entry} for other in others(key) if other not in value)


@_others.register(tuple)
@_others.register(list)
def _(value: Any) -> Iterator[Any]:
    if hasattr(value, "_replace"):  # a named tuple
        for name in value._fields:
            yield from (value._replace(**{name: other}) for other in others(getattr(value, name)))
    elif value:
        in_other_orders = (value[::-1], type(value)([*value[1:], *value[:1]]))
        exchanged = map(type(value), _with_ends_exchanged(value))
        yield from (it for it in itertools.chain(in_other_orders, exchanged) if not _reads_alike(it, value))
        yield value[:-1]
        for index, entry in enumerate(value):
            for other in others(entry):
                yield type(value)([*value[:index], other, *value[index + 1 :]])


def _reads_alike(one: object, other: object) -> bool:
    """Whether nothing has changed, as far as all of it is shown."""
    try:
        return repr(one) == repr(other) and "..." not in repr(one)
    except Exception:  # of objects that hold one another, say
        return False


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
            changed[i], changed[j] = (_made_like(one, it) for it in entries)
            yield changed


def _made_like(one: Any, entries: list[Any]) -> Any:
    return one._make(entries) if hasattr(one, "_make") else type(one)(entries)


def _graphs(value: Any) -> Iterator[Any]:
    """Graphs of networkx without an edge, with another one in its place, and with two that are crossed."""
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


def _is_plain(value: object) -> bool:
    """Whether it is an object of a class of the user's own, of which nothing but its attributes is known."""
    known = _others.dispatch(type(value)) is not _others.dispatch(object) or attrs.has(type(value))
    no_value = isinstance(value, type | ModuleType) or callable(value) or not hasattr(value, "__dict__")
    return not (known or no_value or dataclasses.is_dataclass(value))


def leaves(value: Any) -> Iterator[Any]:
    """What is in it, and no container of Python's; of dictionaries keys and values."""
    if isinstance(value, dict):
        yield from itertools.chain.from_iterable(map(leaves, itertools.chain(value, value.values())))
    elif isinstance(value, list | tuple | set | frozenset):
        yield from itertools.chain.from_iterable(map(leaves, value))
    else:
        yield value


def _holds_plain(value: object) -> bool:
    """Whether a plain object is in it: a copy of an object that holds others is not what those hold."""
    return any(map(_is_plain, leaves(value)))


def _with_another_field(value: Any) -> Iterator[Any]:
    if id(value) in _being_changed:
        return
    _being_changed.add(id(value))
    try:
        for name, inner in fields_of(value).items():
            for other in others(inner):
                changed = with_field(value, name, other)
                if changed is not None:
                    yield changed
    finally:
        _being_changed.discard(id(value))


def fields_of(value: Any) -> dict[str, Any]:
    """What an object was made with; without attrs, its attributes but for those that calls make."""
    if attrs.has(type(value)):
        return {it.name: getattr(value, it.name) for it in attrs.fields(type(value)) if it.init}
    if not hasattr(value, "__dict__"):
        return {}
    try:
        kept = vars(pickle.loads(pickle.dumps(value)))
    except Exception:  # of which another law tells
        kept = vars(value)
    cached = cached_properties(type(value))
    return {name: it for name, it in vars(value).items() if name in kept and name not in cached}


def with_field(value: Any, name: str, other: Any) -> Any:
    """The object with another value in a field, where it takes that; else None."""
    try:
        if attrs.has(type(value)):
            return attrs.evolve(value, **{name.lstrip("_"): other})
        changed = copy.deepcopy(value)
        setattr(changed, name, other)
    except Exception:  # refused, in whatever way
        return None
    return changed
