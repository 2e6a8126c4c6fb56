"""What feeds a law: as few examples as a failure needs, once Hypothesis has made it small; or a list, one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import frozen
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy


@frozen
class PerExample:
    """An input of a law with one row an example, in a batch that all such inputs of the law share."""

    make: Callable[..., SearchStrategy[Any]]
    options: Mapping[str, Any]

    def __call__(self, subject: Any, count: int) -> SearchStrategy[Any]:
        return self.make(subject, batch=(count,), **self.options)


def per_example(make: Callable[..., SearchStrategy[Any]], **options: Any) -> PerExample:
    """The input ``make(subject, batch=..., **options)``, of as many rows as the law has examples."""
    return PerExample(make, options)


def runs(count: int) -> SearchStrategy[slice]:
    """Neighbors among so many examples, mostly all of them; simpler ones are fewer.

    Neighbors, because a slice keeps the layout in memory.
    """
    counts = st.sampled_from([*range(1, count), *[count] * (2 * count)])
    return st.tuples(counts, counts).map(lambda drawn: slice(count - drawn[0], count - drawn[0] + drawn[1]))


@frozen
class Listed:
    """An input of which each of these values is tried, in their order; a law that has one has no other input."""

    values: Callable[[Any], Sequence[Any]]


def listed(values: Callable[[Any], Sequence[Any]]) -> Listed:
    """The input that takes each of a subject's values in turn.

    Values may have an attribute ``rows``, by which the time that they take is judged beforehand.
    """
    return Listed(values)


def in_turns(values: Sequence[Any]) -> list[Any]:
    """First one of each number of rows, from few to many, and then another one: so a slow subject sees each number."""
    met: Counter[int] = Counter()
    turns = []
    for it in values:
        rows = getattr(it, "rows", 1)
        turns.append((met[rows], rows))
        met[rows] += 1
    return [values[i] for i in sorted(range(len(values)), key=turns.__getitem__)]
