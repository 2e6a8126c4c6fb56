"""How many structures a space may list."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from structpred.errors import ArgumentError

if TYPE_CHECKING:
    from structpred.spaces.base import StructuredSpace

_MOST_LISTED = 1_000_000
_MOST_ENTRIES = 200_000_000


def validate_enumerable(space: StructuredSpace, count: int, of: str = "structures") -> None:
    """Raises ``ArgumentError`` where listing every structure would fill the memory."""
    if count > _MOST_LISTED or count * math.prod(space.shape) > _MOST_ENTRIES:
        shown = count if count < 10**30 else "more than 10**30"
        raise ArgumentError(f"enumerate: {space!r} has {shown} {of}, too many to list")
