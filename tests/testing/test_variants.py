"""Other values of what a space may be made with."""

import dataclasses
import datetime
import enum
from collections import namedtuple
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import attrs
import networkx
import numpy as np
import pytest
import torch

import structpred as sp
from structpred.testing.space_laws.variants import others


class Side(enum.IntEnum):
    LEFT = 0
    RIGHT = 1


@attrs.frozen
class Limits:
    low: int
    high: float


@dataclasses.dataclass(frozen=True)
class Shift:
    start: int

    def __post_init__(self):
        if self.start < 0:
            raise ValueError("the start is below 0")


Edge = namedtuple("Edge", "tail head")


def same(one, other):
    if isinstance(one, np.ndarray | torch.Tensor):
        return type(one) is type(other) and one.shape == other.shape and bool((one == other).all())
    if isinstance(one, networkx.Graph):
        return {*map(frozenset, one.edges)} == {*map(frozenset, other.edges)}
    return type(one) is type(other) and one == other


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, [False]),
        (3, [4, 2, 6]),
        (Side.LEFT, [Side.RIGHT]),
        (None, [0, 1, 2]),
        ("a", ["a_"]),
        (b"a", [b"a_"]),
        (np.uint8(3), [np.uint8(4), np.uint8(2), np.uint8(6)]),
        (Fraction(1, 2), [Fraction(3, 2), Fraction(-1, 2), Fraction(1)]),
        (datetime.date(2026, 3, 1), [datetime.date(2026, 3, 2), datetime.date(2026, 2, 28)]),
        (Path("a"), [Path("a/_")]),
        (range(3), [range(4), range(1, 3), range(2, -1, -1)]),
        ((1, 2), [(2, 1), (1,), (2, 2), (1, 3)]),
        (Edge(1, 2), [Edge(2, 2), Edge(1, 3)]),
        ([(1, 2), (3, 4)], [[(1, 4), (3, 2)], [(1, 3), (2, 4)]]),
        ({"a": 1}, [{"a": 2}, {}, {"a_": 1}]),
        (frozenset({1}), [frozenset(), frozenset({2})]),
        (np.eye(2), [-np.eye(2), np.eye(2)[::-1], np.eye(2)[:1], np.array([[1.0, 0.0], [1.0, 1.0]])]),
        (torch.tensor([True, False]), [torch.tensor([False, True]), torch.tensor([False, False])]),
        (torch.tensor(1.0), [torch.tensor(2.0), torch.tensor(0.0)]),
        (Limits(1, 2.0), [Limits(2, 2.0), Limits(1, 2.02)]),
        (Shift(0), [Shift(1)]),
        (SimpleNamespace(low=1), [SimpleNamespace(low=2)]),
        (sp.OneHot(3), [sp.OneHot(4)]),
        (networkx.path_graph(4), [networkx.Graph([(0, 1), (1, 2)]), networkx.Graph([(0, 2), (1, 2), (2, 3)])]),
    ],
    ids=lambda it: type(it).__name__,
)
def test_these_are_among_the_others(value, expected):
    found = list(others(value))
    for it in expected:
        assert any(same(it, other) for other in found), (it, found)


@pytest.mark.parametrize("value", [0, 0.0, (1, 2, 1), [(0, 1), (1, 0)]], ids=str)
def test_what_stays_as_it_was_is_not_among_them(value):
    assert value not in list(others(value))


def test_floats_are_moved_by_the_least_there_is_and_by_a_hundredth():
    assert {1.01, 0.99, np.nextafter(1.0, 2), np.nextafter(1.0, 0)} <= set(others(1.0))


@pytest.mark.parametrize("value", [len, Limits, enum, object(), SimpleNamespace()], ids=lambda it: type(it).__name__)
def test_what_cannot_be_changed_has_none(value):
    assert list(others(value)) == []


def test_objects_that_hold_others_have_none_as_a_copy_would_not_be_what_those_hold():
    one, other = SimpleNamespace(size=1), SimpleNamespace(size=2)
    one.next, other.next = [other], [one]
    assert list(others(one)) == []
    assert len(list(others([one, other]))) == 3  # in another order, or fewer


@attrs.mutable(eq=False)
class Node:
    size: int
    next: object = None


def test_nodes_that_hold_one_another_have_an_end():
    one, other = Node(1), Node(2)
    one.next, other.next = other, one
    assert {(it.size, it.next.size) for it in others(one)} == {(2, 2), (0, 2), (1, 3), (1, 1), (1, 4)}
