"""Every error that structpred raises on purpose.

A message names the argument, says what was expected and what came, and what to write instead.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Sequence, Sized
from typing import ClassVar

import torch

_LONGEST_REPR = 120


def _make_shortened() -> reprlib.Repr:
    shortened = reprlib.Repr()
    shortened.maxlevel = 2
    shortened.maxlist = shortened.maxtuple = shortened.maxset = shortened.maxfrozenset = shortened.maxdict = 3
    shortened.maxstring = shortened.maxother = 60
    return shortened


_shortened = _make_shortened()


class StructpredError(Exception):
    """Base class of the errors below."""


class ArgumentError(StructpredError, ValueError):
    """An argument has the wrong type, shape, dtype, device or value."""


class ExamplesError(StructpredError):
    """Something is wrong with some examples of a batch; ``examples`` holds their batch indices."""

    message: ClassVar[str]

    def __init__(self, examples: Iterable[tuple[int, ...]]) -> None:
        self.examples = list(examples)
        super().__init__(self.message.format(name_examples(self.examples)))

    def __reduce__(self) -> tuple[type, tuple[list[tuple[int, ...]]]]:
        return type(self), (self.examples,)


class InfeasibleError(ExamplesError):
    """Scores of ``-inf`` forbid every structure of some examples; ``examples`` holds their batch indices."""

    message = "scores: every structure needs a part forbidden by -inf in {}; allow more parts there"


class SolverTimeoutError(ExamplesError):
    """The time limit ended the search for a best structure; ``examples`` holds the batch indices of those known of."""

    message = "scores: the time limit ended the search in {}; allow more time, a gap, or an incumbent"


class SolverTimeoutWarning(RuntimeWarning):
    """The time limit ended the search for a best structure, and the best one found by then was taken."""


class SpaceError(StructpredError):
    """A space breaks its own contract, for example an ``_argmax`` that returns another shape."""


class MissingExtraError(StructpredError, ImportError):
    """An optional dependency is not installed."""


class Words(str):
    """What came, said in words already; any other string is a value that came."""

    __slots__ = ()


def argument_error(name: str, expected: str, came: object, instead: str = "") -> ArgumentError:
    """Builds the one form that all argument messages have."""
    message = f"{name}: expected {expected}, got {describe(came)}"
    return ArgumentError(f"{message}; {instead}" if instead else message)


def describe(value: object) -> str:
    """What came: words as they are, tensors by dtype, shape and device, the rest by repr, shortened if it is long."""
    if isinstance(value, Words):
        return value
    if not isinstance(value, torch.Tensor):
        kind, whole = type(value).__name__, repr(value)
        if len(whole) <= _LONGEST_REPR:
            return f"{whole} ({kind})"
        size = f" of length {len(value)}" if isinstance(value, Sized) else ""
        return f"{_shortened.repr(value)} ({kind}{size})"
    dtype = str(value.dtype).removeprefix("torch.")
    device = "" if value.device.type == "cpu" else f" on {value.device}"
    article = "an" if dtype.startswith("int") else "a"
    return f"{article} {dtype} tensor of shape {tuple(value.shape)}{device}"


def name_examples(examples: Sequence[tuple[int, ...]]) -> str:
    """Batch indices in words: those of one batch dimension as numbers, no more than five of them."""
    if not examples or examples == [()]:
        return "the only example"
    shown = ", ".join(str(index[0]) if len(index) == 1 else str(index) for index in examples[:5])
    more = f" and {len(examples) - 5} more" if len(examples) > 5 else ""
    return f"example{'s' if len(examples) > 1 else ''} {shown}{more}"
