"""A space as a value: it can be stored, compared and read, and keeps nothing of the calls."""

from __future__ import annotations

import contextlib
import copy
import enum
import functools
import gc
import itertools
import math
import pickle
import sys
import types
from collections.abc import Iterator
from typing import Any

import attrs
import numpy as np
import torch
from torch import Tensor

from structpred.errors import InfeasibleError
from structpred.spaces.base import StructuredSpace
from structpred.testing.clock import Clock
from structpred.testing.law import ViolationError, law
from structpred.testing.oracles import can_list, expect_same_value, structures_of
from structpred.testing.space_laws._rows import Rows, bank, most_rows, structures

_MOST_SECONDS = 2.0
_MOST_SECONDS_FOR_SIZES = 0.5
_CALLS_BEFORE = 150  # a cache of as many as 128 answers is no leak
_WINDOWS = range(6)
_CALLS = 25
_MOST_BLOCKS = 1.5
_A_SMALL_HASH = 2**31  # a number of some other meaning
_FEW = 7
_MOST_ENTRIES = 5


@law()
def pickles(space: StructuredSpace) -> None:
    """A pickled space comes back as it was, so that it can be sent to a process and stored beside a model."""
    try:
        again = pickle.loads(pickle.dumps(space))
    except Exception as error:
        raise ViolationError("the space does not pickle", got=f"{type(error).__name__}: {error}") from error
    if type(again) is not type(space) or again != space or repr(again) != repr(space):
        raise ViolationError("another space comes back", got=again, expected=space)
    difference = _difference(again, space)
    if difference:
        raise ViolationError(f"the space that comes back has another {difference}", got=again, expected=space)
    cls: Any = type(again)
    own = {it.name: getattr(again, it.name) for it in attrs.fields(cls)} if attrs.has(cls) else {}
    for name, kept in (getattr(again, "__dict__", {}) | own).items():
        if isinstance(kept, int) and abs(kept) > _A_SMALL_HASH and kept == hash(space) and _has_words(_fields(space)):
            message = f"{name} is the hash, and comes back; in another process words have other hashes"
            raise ViolationError(message, got=kept, expected="a hash that is computed anew")


def _has_words(value: Any) -> bool:
    """Whether a hash of it may be another one in the next process."""
    if isinstance(value, dict):
        return any(map(_has_words, value.values())) or any(map(_has_words, value))
    if isinstance(value, list | tuple | set | frozenset):
        return any(map(_has_words, value))
    return isinstance(value, str | bytes)


@law()
def equals_its_copies(space: StructuredSpace) -> None:
    """A copy is equal and has an equal hash, before and after calls; something else is not equal.

    That may have the same fields.
    """
    before = hash(space)
    again = copy.deepcopy(space)
    again.argmax(torch.zeros(2, *space.shape))
    if again != space:
        raise ViolationError("a copy is not equal; make the class attrs.frozen", got=again, expected=space)
    for other in (object(), types.SimpleNamespace(**{"shape": space.shape} | _fields(space))):
        if space == other:
            raise ViolationError("something that is no such space is equal", got=other, expected=space)
    if hash(again) != before or hash(space) != before:
        raise ViolationError("an equal copy has another hash", got=hash(again), expected=before)


@law()
def equality_sees_every_field(space: StructuredSpace) -> None:
    """A space with another value in one field, which has other structures, is not equal, and neither is its repr."""
    for name, value in _fields(space).items():
        for other in _others(value):
            changed = _with(space, name, other)
            if changed is None or _difference(changed, space) is None:
                continue
            if changed == space:
                message = f"spaces that differ in {name} are equal"
                raise ViolationError(message, got=other, expected=value)


@law()
def spaces_of_a_class_are_apart(space: StructuredSpace, *, seed: int = 0, tolerance: float = 0.0) -> None:
    """Another space of the class, with another value in one field, has answers of its own, and leaves this one's."""
    scores = torch.randn(_FEW, *space.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    y = space.argmax(scores)
    spent = Clock()
    for name, other in ((name, other) for name, value in _fields(space).items() for other in _others(value)):
        changed = _with(space, name, other) if spent() < _MOST_SECONDS else None
        if changed is None:
            continue
        theirs, strange = _answers_outside(changed, space, seed)
        if strange:
            message = f"the answers of {changed!r} are structures of the space with another {name}"
            raise ViolationError(message, got=theirs, expected=f"structures of {changed!r}")
        message = f"after a call of {changed!r}, which has another {name}, the answer has another value"
        expect_same_value(space, scores, space.argmax(scores), y, tolerance, message)


def _answers_outside(changed: StructuredSpace, space: StructuredSpace, seed: int) -> tuple[Tensor | None, bool]:
    """Answers of the changed space, and whether they are structures of the other one and not its own, if it has any."""
    try:
        scores = torch.randn(_FEW, *changed.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        y = changed.argmax(scores)
        strange = changed.shape == space.shape and bool(space.contains(y).all() and not changed.contains(y).any())
        return y, strange and can_list(changed) and len(structures_of(changed)) > 0
    except Exception:  # a field that was only changed here may make no space at all
        return None, False


def _fields(space: Any) -> dict[str, Any]:
    """What the space was made with; without attrs, its attributes but for those that calls make."""
    if attrs.has(type(space)):
        return {it.name: getattr(space, it.name) for it in attrs.fields(type(space)) if it.init}
    if not hasattr(space, "__dict__"):
        return {}
    try:
        kept = vars(pickle.loads(pickle.dumps(space)))
    except Exception:  # of which another law tells
        kept = vars(space)
    cached = {
        name
        for cls in type(space).__mro__
        for name, it in vars(cls).items()
        if isinstance(it, functools.cached_property)
    }
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
    elif isinstance(value, StructuredSpace):
        for name, inner in _fields(value).items():
            for other in _others(inner):
                changed = _with(value, name, other)
                if changed is not None:
                    yield changed
    elif isinstance(value, Tensor | np.ndarray):
        yield value + 1
        yield value * 0
        yield -value
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
        for index, entry in enumerate(value):
            for other in _others(entry):
                yield type(value)([*value[:index], other, *value[index + 1 :]])


def _difference(one: StructuredSpace, other: StructuredSpace) -> str | None:
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


@law()
def reads_well(space: StructuredSpace) -> None:
    """The repr is one short line with the class's name and no address, equal for equal spaces, and after calls."""
    text = repr(space)
    if type(space).__name__ not in text or " at 0x" in text or "\n" in text or len(text) > 300:
        raise ViolationError(
            "the repr does not say what the space is", got=text, expected=f"{type(space).__name__}(...)"
        )
    if repr(copy.deepcopy(space)) != text:
        raise ViolationError("a copy reads differently", got=repr(copy.deepcopy(space)), expected=text)
    space.argmax(torch.zeros(2, *space.shape))
    if repr(space) != text:
        raise ViolationError("the space reads differently after a call", got=repr(space), expected=text)


def _too_slow(space: StructuredSpace) -> str | None:
    space.argmax(torch.zeros(1, *space.shape))  # a first call may load a solver
    spent = Clock()
    _call(space, torch.zeros(2, *space.shape))
    seconds = spent() * (_CALLS_BEFORE + len(_WINDOWS) * _CALLS)
    return f"its calls would take {seconds:.0f} s" if seconds > _MOST_SECONDS else None


@law(needs=_too_slow)
def calls_leave_no_memory_behind(space: StructuredSpace, *, seed: int = 0) -> None:
    """After hundreds of calls, further ones keep no more tensors or other memory.

    Every second example has forbidden parts, others in each call; and every call comes after one for an example in
    which all are. Where the solver is quick, batches of another size each time are solved, too.
    """
    quick = _is_quick(space)
    generator = torch.Generator().manual_seed(seed)
    count = _CALLS_BEFORE + len(_WINDOWS) * _CALLS
    batches = torch.randn(count, 2, *space.shape, generator=generator)
    some = structures(space, 7, generator)
    spared = torch.rand(count, *space.shape, generator=generator) < 0.5
    batches[:, 1].masked_fill_(~spared & (some[torch.arange(count) % len(some)] == 0), -torch.inf)
    for index in range(_CALLS_BEFORE):
        _call(space, batches[index], index * quick)
    held, live, was_frozen = list[int](), list[int](), gc.get_freeze_count() > 0
    gc.collect()
    gc.freeze()  # of what there is already, the collector takes no more note
    try:
        for window in _WINDOWS:
            for index in range(_CALLS_BEFORE + window * _CALLS, _CALLS_BEFORE + (window + 1) * _CALLS):
                _call(space, batches[index], index * quick)
            gc.collect()
            held.append(sys.getallocatedblocks())
            live.append(_live_tensors())
    finally:
        if not was_frozen:
            gc.unfreeze()
    # What Python keeps for itself, or torch loses, comes in some windows, or is less.
    blocks, tensors = (
        min(later - sooner for sooner, later in itertools.pairwise(counts)) / _CALLS for counts in (held, live)
    )
    keeps_all = live[-1] >= 0.9 * len(_WINDOWS) * _CALLS  # where a full cache replaces what it has
    if (tensors and keeps_all) or blocks > _MOST_BLOCKS:
        got = f"{tensors:g} tensors, {blocks:g} blocks"
        raise ViolationError("memory is kept, for each call", got=got, expected="none")


def _is_quick(space: StructuredSpace) -> bool:
    """Whether batches of every size up to the number of calls are soon solved."""
    calls = _CALLS_BEFORE + len(_WINDOWS) * _CALLS
    if calls > most_rows(space):
        return False
    seconds = []
    for _ in range(3):
        spent = Clock()
        space.argmax(torch.zeros(calls, *space.shape))
        seconds.append(spent())
    return min(seconds) * calls / 2 < _MOST_SECONDS_FOR_SIZES


def _call(space: StructuredSpace, scores: Tensor, rows: int = 0) -> None:
    """Calls every method; with ``rows``, a batch of as many examples is solved too."""
    if rows:
        space.argmax(scores[:1].expand(rows, *space.shape))
    with contextlib.suppress(InfeasibleError):
        space.argmax(torch.full_like(scores[0], -math.inf))
    y = space.argmax(scores)
    space.contains(y)
    space.contains(scores)  # no structures, and others each time
    space.score(scores, y)
    space.spread(torch.full(space.noise_shape, scores[0].sum().item()))
    space.hamming(y)
    space.regret(scores.where(scores.isfinite(), 0), y, validate=False)


def _live_tensors() -> int:
    return sum(issubclass(type(it), Tensor) for it in gc.get_objects())
