"""Circumstances as data: a factor has some values, and every two values of two factors meet in some combination.

Most defects that a call has under some circumstances only need one of them, or two that meet (a large batch in half
precision, say). All combinations of pairs are a few dozen calls where the product would be many thousands.
"""

from __future__ import annotations

import enum
import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import torch

T = TypeVar("T")


class Where(enum.Enum):
    """Where a call is made."""

    HERE = enum.auto()
    IN_AUTOCAST = enum.auto()
    """In a block for training in mixed precision."""
    IN_ANOTHER_THREAD = enum.auto()
    """One that was just begun, as a data loader or a server has."""

    def run(self, call: Callable[[], T], dtype: torch.dtype) -> T:
        """What the call returns, made there, with tensors of this dtype."""
        if self is Where.IN_AUTOCAST:
            # Autocast for one half precision has no products of the other.
            with torch.autocast("cpu", dtype=torch.float16 if dtype is torch.float16 else torch.bfloat16):
                return call()
        if self is Where.IN_ANOTHER_THREAD:
            with ThreadPoolExecutor(1) as pool:
                return pool.submit(call).result()
        return call()


def pairwise(**factors: Sequence[Any]) -> list[dict[str, Any]]:
    """Combinations of one value of each factor, in which every two values of two factors meet.

    The first combination has the first value of every factor. Greedy, and always the same. By hand, because every user
    of the kit would have to install a library for these few lines.
    """
    names = list(factors)
    uncovered = {
        pair
        for one, other in itertools.combinations(range(len(names)), 2)
        for pair in itertools.product(
            ((one, i) for i in range(len(factors[names[one]]))), ((other, i) for i in range(len(factors[names[other]])))
        )
    }
    rows = [dict.fromkeys(range(len(names)), 0)]
    uncovered -= _pairs(rows[0])
    while uncovered:
        row = dict(min(uncovered))
        for name in range(len(names)):
            if name not in row:
                choices = range(len(factors[names[name]]))
                # Of those that cover as many pairs, another one from row to row.
                turned = [(choice + len(rows)) % len(choices) for choice in choices]
                row[name] = max(turned, key=lambda it: len(_pairs({**row, name: it}) & uncovered))
        rows.append(row)
        uncovered -= _pairs(row)
    return [{names[name]: factors[names[name]][choice] for name, choice in sorted(row.items())} for row in rows]


def _pairs(row: dict[int, int]) -> set[tuple[tuple[int, int], tuple[int, int]]]:
    return set(itertools.combinations(sorted(row.items()), 2))


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """Another default dtype inside."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
