"""How many structures a space may list."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from structpred.errors import ArgumentError

if TYPE_CHECKING:
    from structpred.spaces.base import StructuredSpace

_CANDIDATES = 1_000_000, 200_000_000
_structures: ContextVar[tuple[int, int]] = ContextVar("_structures", default=_CANDIDATES)


@contextmanager
def listing_at_most(structures: int, entries: int) -> Iterator[None]:
    """Within it, a space that counts its structures beforehand refuses to list more than these."""
    token = _structures.set((structures, entries))
    try:
        yield
    finally:
        _structures.reset(token)


def validate_enumerable(space: StructuredSpace, count: int, of: str = "structures") -> None:
    """Raises ``ArgumentError`` where listing every structure would fill the memory.

    Args:
        space: the space.
        count: of its structures, or of the candidates that are tried one by one.
        of: what was counted.
    """
    most, entries = _structures.get() if of == "structures" else _CANDIDATES
    if count > most or count * math.prod(space.shape) > entries:
        shown = count if count < 10**30 else "more than 10**30"
        raise ArgumentError(f"enumerate: {space!r} has {shown} {of}, too many to list")
