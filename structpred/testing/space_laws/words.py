"""The words in a space's fields, whose hashes, and so the order of whose sets, are others in each process."""

from __future__ import annotations

import enum
import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from structpred.testing.space_laws.variants import leaves

_MOST_COLLECTIONS = 12


def words_in(value: Any) -> Iterator[str]:
    """The words in it, in containers too."""
    return (it for it in leaves(value) if isinstance(it, str))


def has_words(value: Any) -> bool:
    """Whether a hash of it may be another one in the next process."""
    return any(isinstance(it, str | bytes) for it in leaves(value))


def has_sets_of_words(value: Any) -> bool:
    """Whether the order of a set in it may be another one in the next process."""
    if isinstance(value, set | frozenset):
        return any(isinstance(it, enum.Enum) or has_words(it) for it in value)
    if isinstance(value, dict):
        return any(map(has_sets_of_words, value.values()))
    return isinstance(value, list | tuple) and any(map(has_sets_of_words, value))


def collections_of_words(values: Iterable[Any]) -> list[list[Any]]:
    """The items of each collection in them of words, or of tuples of some, and all words: what a set may be made of.

    Of the members of an enumeration their names, by which these have their hashes. The outermost collections of many.
    """
    waiting = deque(values)
    found = [list(set(words_in(tuple(waiting))))]
    while waiting and len(found) < _MOST_COLLECTIONS:
        value = waiting.popleft()
        if isinstance(value, dict | list | tuple | set | frozenset):
            waiting.extend(itertools.chain(value, value.values()) if isinstance(value, dict) else value)
            items = [it.name if isinstance(it, enum.Enum) else it for it in value]
            if all(map(_is_plain, items)) and any(map(has_words, items)):
                found.append(items)
    return [items for items in found if len(items) > 1]


def _is_plain(value: Any) -> bool:
    """Whether another process knows it, whatever it has imported."""
    if isinstance(value, tuple | frozenset):
        return type(value) in (tuple, frozenset) and all(map(_is_plain, value))
    return type(value) in (str, bytes, int, float, bool, type(None))
