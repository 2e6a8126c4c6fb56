"""The words that a space has, and Python's seeds with which sets of them have other orders."""

import enum
import os
import subprocess
import sys

import pytest

from structpred.testing.process import hash_seeds_of_other_orders
from structpred.testing.space_laws.words import collections_of_words, has_sets_of_words


class Shift(enum.Enum):
    EARLY = 1
    LATE = 2


class Other:
    """A new process does not know it."""


@pytest.mark.parametrize(
    ("fields", "collections"),
    [
        ((3, "max"), []),
        (((1, 2), {3: 4}), []),
        ((("ann", "bob"), 3), [["ann", "bob"], ["ann", "bob"]]),
        (("ann", "bob"), [["ann", "bob"]]),
        (((("a", 1), ("b", 2)),), [["a", "b"], [("a", 1), ("b", 2)], ["a", 1], ["b", 2]]),
        (({"a": ("b", "c")},), [["a", "b", "c"], ["b", "c"]]),
        ((frozenset(Shift),), [["EARLY", "LATE"]]),
        ((("ann", Other()),), []),
    ],
)
def test_collections_of_words(fields, collections):
    found = collections_of_words(fields)
    assert list(map(set, found)) == list(map(set, collections))
    assert list(map(len, found)) == list(map(len, collections))


@pytest.mark.parametrize(
    ("value", "has"),
    [
        (("ann", "bob"), False),
        ({"ann": 1}, False),
        (frozenset({1, 2}), False),
        (frozenset({"ann"}), True),
        ({0: [{("a", "b")}]}, True),
        (frozenset(Shift), True),
    ],
)
def test_has_sets_of_words(value, has):
    assert has_sets_of_words(value) is has


PLACES = """
people = ["ann", "bob", "cid", "dora", "eve", "fay", "gus"]
print(*(place for place, name in enumerate(frozenset(people)) if name in people[:2]))
"""


# With the seeds 16 and 19 two of the people have the places that they have with seed 1, and with 23 those of seed 2.
@pytest.mark.parametrize("own_seed", [16, 19, 23])
def test_hash_seeds_move_the_places_of_some_among_all(own_seed):
    code = "from structpred.testing.process import hash_seeds_of_other_orders as seeds\n" + PLACES
    there = _printed(code + "print(*seeds([people, people[:2]], 2))", own_seed)
    assert len(there[1]) == 2
    for seed in there[1]:
        assert _printed(PLACES, seed)[0] != there[0]


def test_items_that_cannot_move_need_no_other_seeds():
    assert len(hash_seeds_of_other_orders([], 2)) == 2
    assert len(hash_seeds_of_other_orders([["ann"]], 1)) == 1


def _printed(code: str, hash_seed: int) -> list[list[int]]:
    """The numbers of each line that is printed in a process with this seed."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONHASHSEED": str(hash_seed)},
        stdout=subprocess.PIPE,
        check=True,
    )
    return [[int(it) for it in line.split()] for line in done.stdout.decode().splitlines()]
