"""A space as a value: it can be stored, compared and read, and keeps nothing of the calls."""

from __future__ import annotations

import contextlib
import copy
import copyreg
import gc
import itertools
import math
import pickle
import re
import sys
import types
from collections.abc import Iterator
from typing import Any

import attrs
import torch
from torch import Tensor

from structpred.errors import InfeasibleError
from structpred.spaces.base import StructuredSpace
from structpred.testing.clock import Clock, quickest
from structpred.testing.law import ViolationError, law
from structpred.testing.memory import forgetting_what_there_is, live_tensors
from structpred.testing.oracles import expect_members, expect_same_value
from structpred.testing.process import FailedThereError, answers_in_new_processes, hash_seeds_of_other_orders
from structpred.testing.space_laws._rows import most_rows, structures
from structpred.testing.space_laws.fields import difference
from structpred.testing.space_laws.grid import made_anew
from structpred.testing.space_laws.variants import fields_of
from structpred.testing.space_laws.words import collections_of_words, has_sets_of_words, has_words

_MOST_SECONDS = 2.0
_MOST_SECONDS_FOR_SIZES = 0.25
_CALLS_BEFORE = 150  # a cache of as many as 128 answers is no leak
_WINDOWS = range(6)
_CALLS = 25
_MOST_BLOCKS = 1.5
_OF_PICKLE = ("__getstate__", "__setstate__", "__getnewargs__", "__getnewargs_ex__")
_LONGEST = 1_000  # characters of a repr, which stands in every error
_LINKS = 3  # from a space to its class, to what that has, and to what these have
_A_SMALL_HASH = 2**31  # a number of some other meaning
_FEW, _MANY, _SOON = 7, 60, 0.02
_MOST_ENTRIES = 5
_NUMBERS = ((10, r"\d{7,}"), (16, r"[0-9a-fA-F]{6,}"))  # which may be addresses


@law()
def pickles(space: StructuredSpace, *, seed: int = 0, tolerance: float = 0.0) -> None:
    """A pickled space comes back as it was, so that it can be sent to a process and stored beside a model.

    In a new process, where its class says how to pickle it; and where it has words, in one in which sets of them have
    other orders.
    """
    try:
        again = pickle.loads(pickle.dumps(space))
    except Exception as error:
        raise ViolationError("the space does not pickle", got=f"{type(error).__name__}: {error}") from error
    # Not the same order of the letters: in which order a set is shown depends on how it was made.
    if type(again) is not type(space) or again != space or sorted(repr(again)) != sorted(repr(space)):
        raise ViolationError("another space comes back", got=again, expected=space)
    other = difference(again, space)
    if other:
        raise ViolationError(f"the space that comes back has another {other}", got=again, expected=space)
    cls: Any = type(again)
    own = {it.name: getattr(again, it.name) for it in attrs.fields(cls)} if attrs.has(cls) else {}
    for name, kept in (getattr(again, "__dict__", {}) | own).items():
        if (
            isinstance(kept, int)
            and abs(kept) > _A_SMALL_HASH
            and kept == hash(space)
            and has_words(tuple(fields_of(space).values()))
        ):
            message = f"{name} is the hash, and comes back; in another process words have other hashes"
            raise ViolationError(message, got=kept, expected="a hash that is computed anew")
    processes = list(_processes(space))
    scores = _scores(space, seed) if processes else torch.empty(0)
    for what, hash_seed in processes:
        for found in answers_in_new_processes([space], [scores], hash_seed):
            if isinstance(found, FailedThereError):
                message = f"in {what}, what was pickled does not come back"
                raise ViolationError(message, got=str(found)) from found
            expect_members(space, found[0], f"in {what}, an answer is no structure here")
            message = f"in {what}, an answer has another value"
            expect_same_value(space, scores, found[0], space.argmax(scores), tolerance, message)


def _says_how_it_is_pickled(cls: type) -> bool:
    if any("__reduce__" in vars(parent) or "__reduce_ex__" in vars(parent) for parent in cls.__mro__[:-1]):
        return True
    own = (vars(parent).get(name) for parent in cls.__mro__ if parent is not object for name in _OF_PICKLE)
    # Those that attrs writes have other names of their own.
    return cls in copyreg.dispatch_table or any(getattr(it, "__name__", "") in _OF_PICKLE for it in own)


def _processes(space: StructuredSpace) -> Iterator[tuple[str, int]]:
    """New processes in which the space may be another one, and Python's seed for the hashes there.

    It may where the class says how to pickle it, or ``copyreg`` does, or where it has words.
    """
    if _says_how_it_is_pickled(type(space)):
        yield "a new process", 0
    fields = tuple(fields_of(space).values())
    collections, has_sets = collections_of_words(fields), has_sets_of_words(fields)
    if collections or has_sets:  # of words the space itself may make sets, or take the hashes
        for hash_seed in hash_seeds_of_other_orders(collections, 2 if has_sets else 1):
            yield f"a process where sets of words have other orders (PYTHONHASHSEED={hash_seed})", hash_seed


def _scores(space: StructuredSpace, seed: int) -> Tensor:
    """As many examples as are solved soon: that few parts have changed places shows in few answers."""
    few, many = (
        torch.randn(count, *space.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        for count in (_FEW, _MANY)
    )
    return many if quickest(lambda: space.argmax(few)) < _SOON else few


@law()
def equals_its_copies(space: StructuredSpace) -> None:
    """A copy is equal and has an equal hash, before and after calls; something else is not equal.

    That may have the same fields.
    """
    before = hash(space)
    again = copy.deepcopy(space)
    for rows in (0, 2):
        _call(again, torch.zeros(2, *space.shape), rows)
    new = made_anew(space)
    if again != new:
        raise ViolationError("after calls, a space is not equal to one just made", got=again, expected=new)
    if again != space:
        raise ViolationError("a copy is not equal; make the class attrs.frozen", got=again, expected=space)
    for other in (object(), types.SimpleNamespace(**{"shape": space.shape} | fields_of(space))):
        if space == other:
            raise ViolationError("something that is no such space is equal", got=other, expected=space)
    if hash(again) != before or hash(space) != before:
        raise ViolationError("an equal copy has another hash", got=hash(again), expected=before)


@law()
def reads_well(space: StructuredSpace) -> None:
    """The repr is one short line with the class's name and no address, equal for equal spaces, and after calls."""
    text = repr(space)
    if type(space).__name__ not in text or _has_address(text, space) or "\n" in text or len(text) > _LONGEST:
        raise ViolationError(
            "the repr does not say what the space is", got=text, expected=f"{type(space).__name__}(...)"
        )
    if sorted(repr(copy.deepcopy(space))) != sorted(text):
        raise ViolationError("a copy reads differently", got=repr(copy.deepcopy(space)), expected=text)
    _call(space, torch.zeros(2, *space.shape))
    if repr(space) != text:
        raise ViolationError("the space reads differently after a call", got=repr(space), expected=text)


def _has_address(text: str, space: StructuredSpace) -> bool:
    """Whether it says where in memory something is, which in the next process is another place."""
    numbers = {int(it, base) for base, form in _NUMBERS for it in re.findall(form, text)}
    if not numbers:
        return " at 0x" in text
    near: list[object] = [space]
    for _ in range(_LINKS):  # which the collector may take no note of
        near += gc.get_referents(*near)
    return any(id(it) in numbers for it in itertools.chain(near, gc.get_objects()))


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
    held, live = list[int](), list[int]()
    with forgetting_what_there_is():
        for index in range(_CALLS_BEFORE):
            _call(space, batches[index], index * quick)
        for window in _WINDOWS:
            for index in range(_CALLS_BEFORE + window * _CALLS, _CALLS_BEFORE + (window + 1) * _CALLS):
                _call(space, batches[index], index * quick)
            gc.collect()
            held.append(sys.getallocatedblocks())
            live.append(live_tensors())
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
    seconds = quickest(lambda: space.argmax(torch.zeros(calls, *space.shape)))
    return seconds * calls / 2 < _MOST_SECONDS_FOR_SIZES


def _call(space: StructuredSpace, scores: Tensor, rows: int = 0) -> None:
    """Calls every method; with ``rows``, of a batch of as many examples too."""
    if rows:
        several = scores[:1].expand(rows, *space.shape)
        y = space.argmax(several)
        space.contains(y)
        space.score(several, y)
        space.spread(torch.zeros(rows, *space.noise_shape))
        space.hamming(y)
    with contextlib.suppress(InfeasibleError):
        space.argmax(torch.full_like(scores[0], -math.inf))
    y = space.argmax(scores)
    space.contains(y)
    space.contains(scores)  # no structures, and others each time
    space.score(scores, y)
    laid = space.spread(torch.full(space.noise_shape, scores[0].sum().item(), requires_grad=True))
    if laid.requires_grad:
        laid.sum().backward()
    space.hamming(y)
    space.regret(scores.where(scores.isfinite(), 0), y, validate=False)
