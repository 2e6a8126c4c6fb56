"""How argmax may be called: types, memory, batches, threads, one call after another."""

from __future__ import annotations

import functools
import itertools
import math
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from structpred._threads import threads_for_all
from structpred.spaces._placement import SolverPlacement
from structpred.spaces.base import StructuredSpace
from structpred.testing import strategies
from structpred.testing._examples import per_example
from structpred.testing.clock import quickest
from structpred.testing.law import ViolationError, law
from structpred.testing.oracles import expect_members, expect_same_value, threads
from structpred.testing.space_laws._rows import most_rows

_FEW, _SOME, _MANY, _MORE = 7, 25, 257, 1_001  # examples
_CALLS = 6  # of which the answers are kept
_LARGE, _TIMES, _MOST_SECONDS, _SOON = 33_000, 4, 1.5, 0.5
_MOST_LINES = 20
_SECONDS_FOR_ANOTHER, _SECONDS_AT_MOST = 0.05, 10.0


@law(scores=strategies.scores, target=per_example(strategies.targets), examples=2)
def arguments_are_left_alone(space: StructuredSpace, scores: Tensor, target: Tensor) -> None:
    """Neither argmax nor contains changes its argument, and the answer shares no memory, with the scores or within."""
    for given in (scores, target.clone()):  # a structure as scores: it is its own answer
        _expect_left_alone(space, given)
    _expect_apart(space, target[:1].expand(_SOME, *space.shape))
    _expect_kept(space, target)


def _expect_left_alone(space: StructuredSpace, scores: Tensor) -> None:
    before, version = scores.clone(), scores._version
    y = space.argmax(scores)
    if not torch.equal(scores, before):
        raise ViolationError("argmax changed the scores", got=scores, expected=before)
    answer, version_of_y = y.clone(), y._version
    inside = space.contains(y)
    if (scores._version, y._version) != (version, version_of_y):
        message = "argmax or contains wrote into its argument, be it what was there: backward passes are refused then"
        raise ViolationError(message, got="another version of the tensor")
    if inside.numel() > 1 and 0 in inside.stride():
        message = "contains answers for several examples in one memory; write .clone() after .expand()"
        raise ViolationError(message, got=inside.stride())
    if not torch.equal(y, answer):
        raise ViolationError("contains changed its argument", got=y, expected=answer)
    y.fill_(7)
    if not torch.equal(scores, before):
        raise ViolationError("writing into the answer writes into the scores", got=scores, expected=before)


def _expect_apart(space: StructuredSpace, scores: Tensor) -> None:
    y = space.argmax(scores)
    others = y[1:].clone()
    y[0] = 7
    if not torch.equal(y[1:], others):
        message = "writing into the answer for one example writes into those for others that have the same scores"
        raise ViolationError(message, got=y[1:], expected=others)


def _expect_kept(space: StructuredSpace, target: Tensor) -> None:
    """Raises unless the answers to some calls are the caller's own, whatever is called and written later."""
    calls = [(space.argmax(target), space.contains(target)) for _ in range(_CALLS)]
    before = [tuple(it.clone() for it in answers) for answers in calls]
    for sign in (-1, 1):
        others = space.argmax(sign * target)
        others.fill_(7)
        space.contains(others)
    for answers, kept in zip(calls, before, strict=True):
        if not all(map(torch.equal, answers, kept)):
            raise ViolationError("a later call wrote into an earlier answer", got=answers, expected=kept)
    calls[0][1].fill_(False)
    if not space.contains(target).all() or not all(inside.all() for _, inside in calls[1:]):
        raise ViolationError("what was written into an answer of contains is answered again", target=target)


def _repeated(examples: Tensor, batch: Sequence[int]) -> Tensor:
    """A batch of this shape that has the examples in turn."""
    return examples[(torch.arange(math.prod(batch)) % len(examples)).reshape(batch)]


@law()
def an_empty_batch_has_an_empty_answer(space: StructuredSpace) -> None:
    """For a batch without examples, argmax, contains and score return tensors without entries, of the usual dtype."""
    for batch, dtype in itertools.product([(0,), (3, 0), (0, 2)], (torch.float64, torch.float32, torch.float16)):
        scores = torch.zeros(*batch, *space.shape, dtype=dtype)
        y = space.argmax(scores)
        for what, it, expected in [
            ("argmax", y, (dtype, (*batch, *space.shape))),
            ("contains", space.contains(y), (torch.bool, batch)),
            ("score", space.score(scores, y), (dtype, batch)),
        ]:
            got = it.dtype, tuple(it.shape)
            if got != expected:
                raise ViolationError(f"{what} of an empty batch: another dtype or shape", got=got, expected=expected)


@law(scores=per_example(strategies.scores), examples=4)
def threads_do_not_matter(space: StructuredSpace, scores: Tensor, *, tolerance: float = 0.0) -> None:
    """One, two and three threads return answers of the same value, for more examples than there are chunks."""
    slow = quickest(lambda: space.argmax(scores)) * 3 * _MANY / len(scores) > _MOST_SECONDS
    for rows in [it for it in (_SOME, _MANY) if it <= (_SOME if slow else most_rows(space))] or [_FEW]:
        many = _repeated(scores, (rows,))
        with threads(1):
            expected = space.argmax(many)
        for count in (2, 3):
            with threads(count), threads_for_all():
                y = space.argmax(many)
            message = f"{count} threads return another value than one"
            expect_members(space, y, f"with {count} threads, the answer is not in the space")
            expect_same_value(space, many, y, expected, tolerance, message)
    if space.placement is SolverPlacement.IN_THREADS and most_rows(space) >= _MANY:
        for line, y in _met(space, scores, -scores.where(scores.isfinite(), 0)):
            message = f"where another thread solves while this one is at line {line}, another value"
            expect_same_value(space, scores, y, expected[: len(scores)], tolerance, message)


@law()
def threads_do_not_matter_in_large_batches(space: StructuredSpace, *, seed: int = 0, tolerance: float = 0.0) -> None:
    """Three threads return answers of the value that one does, for as many examples as large batches have.

    Where solvers run in threads, for so many that these meet.
    """
    generator = torch.Generator().manual_seed(seed)
    seconds = quickest(functools.partial(space.argmax, torch.zeros(_FEW, *space.shape))) / _FEW
    rows = min(_MORE, most_rows(space), int(_SOON / (2 * seconds)))
    if rows > _FEW:
        _expect_the_same_of_three(space, rows, generator, tolerance)
    if space.placement is not SolverPlacement.IN_THREADS or most_rows(space) < _LARGE:
        return
    if 3 * _MANY * seconds > _MOST_SECONDS:  # to measure again would take that long
        return
    seconds = quickest(functools.partial(space.argmax, torch.zeros(_MANY, *space.shape))) / _MANY
    for _ in range(min(_TIMES, int(_MOST_SECONDS / (2 * _LARGE * seconds)))):
        _expect_the_same_of_three(space, _LARGE, generator, tolerance)


def _expect_the_same_of_three(space: StructuredSpace, rows: int, generator: torch.Generator, tolerance: float) -> None:
    many = torch.randn(rows, *space.shape, generator=generator, dtype=torch.float64)
    with threads(3), threads_for_all():
        y = space.argmax(many)
    with threads(1):
        expected = space.argmax(many)
    message = f"of {rows} examples, three threads return another value than one"
    expect_same_value(space, many, y, expected, tolerance, message)


def _met(space: StructuredSpace, scores: Tensor, others: Tensor) -> Iterator[tuple[int, Tensor]]:
    """Each line of ``_argmax``, and the answer to the scores where another thread solves for others just before it.

    Threads may meet at any line, and seldom do. Only what is written in Python is seen, there and in what it calls of
    the same file. The other thread is not waited for long: a lock may keep it until this one is done.
    """
    code = getattr(type(space)._argmax, "__code__", None)
    file = None if code is None else code.co_filename
    met: list[int] = []
    failures: list[Exception] = []
    another = threading.Thread()

    def solve_others() -> None:
        try:
            space.argmax(others)
        except Exception as error:
            failures.append(error)

    def at_line(frame: FrameType, event: str, argument: object) -> Callable[..., Any] | None:
        nonlocal another
        if event == "line" and len(met) == count and frame.f_lineno not in met:
            met.append(frame.f_lineno)
            sys.settrace(None)
            another = threading.Thread(target=solve_others, daemon=True)
            another.start()
            another.join(_SECONDS_FOR_ANOTHER)
        return at_line

    def trace(frame: FrameType, event: str, argument: object) -> Callable[..., Any] | None:
        return at_line if frame.f_code.co_filename == file else None

    with threads(1):
        for count in range(_MOST_LINES):
            found = sys.gettrace()
            sys.settrace(trace)
            try:
                y = space.argmax(scores)
            finally:
                sys.settrace(found)
            if len(met) == count:
                return
            another.join(_SECONDS_AT_MOST)
            if failures:
                raise failures[0]
            yield met[-1], y
