"""Which structures there are: contains and enumerate."""

from __future__ import annotations

import enum
import functools
import itertools
import math
from collections.abc import Sequence

import torch
from hypothesis import strategies as st
from torch import Tensor

from structpred.spaces.base import StructuredSpace
from structpred.testing import strategies
from structpred.testing._examples import listed, per_example
from structpred.testing.circumstances import default_dtype
from structpred.testing.clock import Clock
from structpred.testing.law import ViolationError, law
from structpred.testing.oracles import FEW_PARTS, Same, enumerable, first, structures_of, zeros_and_ones
from structpred.testing.space_laws._places import ANY, Place, places
from structpred.testing.space_laws._rows import structures
from structpred.testing.space_laws.accepted import accepted_near
from structpred.testing.space_laws.exchanges import Chunk, exchanges
from structpred.testing.space_laws.grid import Mode
from structpred.testing.strategies import Layout

_MOST_TRIED = 1_000  # structures of the list
# The last are 0 and 1 in 8, 16 and 32 bits.
_NEITHER = (0.5, 2.0, -1.0, math.nan, math.inf, *(2.0**bits + one for bits in (8, 16, 32) for one in (0, 1)))
# (1, 1, 1, 0) becomes (0.5, 0.5, 1.5, 0.5), and (1, 0, 0, 0) (0.5, 0.5, 0.5, -0.5): of equal sum and sum of squares.
# (1, 1, 1, 1, 0, 0, 0, 0) becomes (0.5, 0.5, 0.5, 1.5, 0.5, 0.5, 0.5, -0.5): of equal sum of third powers, too.
_WITH_THE_SAME_SUMS = (
    ((-0.5, -0.5, 0.5), (0.5,)),
    ((-0.5,), (0.5, 0.5, -0.5)),
    ((-0.5, -0.5, -0.5, 0.5), (0.5, 0.5, 0.5, -0.5)),
)
_PARTS_TURNED, _MOST_SECONDS = 30, 1.0
_RANDOM, _LEAST_ORDERS, _MOST_SIZES = 15_000, 5, 200
_MOST_WRITTEN = 256


@law(needs=enumerable)
def enumerate_lists_each_structure_once(space: StructuredSpace) -> None:
    """enumerate lists structures of the space, at least one, and none of them twice."""
    listed = structures_of(space)
    if not len(listed):
        raise ViolationError("no structure is listed", got=0, expected="at least 1")
    for index in first(~space.contains(listed)):
        raise ViolationError("a structure listed is not in the space", got=listed[index])
    unique, counts = listed.unique(dim=0, return_counts=True)
    for index in first(counts > 1):
        raise ViolationError(f"a structure is listed {int(counts[index])} times", got=unique[index])


@law(needs=enumerable, scores=per_example(strategies.scores, moderate=True), examples=5)
def enumerate_has_every_answer(space: StructuredSpace, scores: Tensor) -> None:
    """Whatever argmax answers is in the list."""
    listed = keys_of(space)
    y = space.argmax(scores)
    for answer, key in zip(y, _keys_in_order(y), strict=True):
        if key not in listed:
            raise ViolationError("an answer is not in the list", got=answer)


def _candidates(space: StructuredSpace) -> list[Chunk]:
    """Chunks of all binary tensors, or of the structures whose neighbors are tried."""
    parts = math.prod(space.shape)
    if parts <= FEW_PARTS:
        return [Chunk(start, min(1024, 2**parts - start)) for start in range(0, 2**parts, 1024)]
    return [Chunk(start, 1) for start in range(min(len(structures_of(space)), _MOST_TRIED))]


@law(needs=enumerable, chunk=listed(_candidates))
def enumerate_is_complete(space: StructuredSpace, chunk: Chunk, *, seed: int = 0) -> None:
    """What ``contains`` accepts is in the list: of all binary tensors, or near the structures, where parts are many."""
    parts = math.prod(space.shape)
    if parts <= FEW_PARTS:
        tried = zeros_and_ones(space, chunk.start, chunk.rows)
        accepted = space.contains(tried)
        for dtype, default in itertools.product(ANY, (torch.float32, torch.float64, torch.float16)):
            with default_dtype(default):
                differs = space.contains(tried.to(dtype)) != accepted
            for index in first(differs):
                message = f"contains answers otherwise for dtype {dtype}, by default {default}, than for float32"
                raise ViolationError(message, y=tried[index], got=not accepted[index], expected=accepted[index])
        inside = tried[accepted]
    else:
        every = structures_of(space)
        structure, number = every[chunk.start], seed + chunk.start
        inside = torch.cat([exchanges(space, structure, number), accepted_near(space, structure, every, number)])
    listed = keys_of(space)
    for structure, key in zip(inside, _keys_in_order(inside), strict=True):
        if key not in listed:
            raise ViolationError("contains accepts a structure that is not in the list", got=structure)


@law(needs=enumerable)
def enumerate_lists_anew(space: StructuredSpace) -> None:
    """The list is the caller's own: what is written into it, another call does not list."""
    one, other = space.enumerate(), space.enumerate()
    before = other.clone()
    one.fill_(7)
    found = [other.clone(), space.enumerate().clone()]
    one.copy_(before)  # a space that is wrong is left as it was
    for again in found:
        if not torch.equal(again, before):
            raise ViolationError("what was written into the list is listed", got=again[:1], expected=before[:1])


def keys_of(space: StructuredSpace) -> frozenset[bytes]:
    """The structures of the list as something to look up."""
    return _keys_of(Same(space))


@functools.lru_cache(maxsize=4)
def _keys_of(key: Same) -> frozenset[bytes]:
    return frozenset(_keys_in_order(structures_of(key.it)))


def _keys_in_order(y: Tensor) -> list[bytes]:
    return [row.tobytes() for row in (y + 0.0).flatten(1).double().cpu().numpy()]  # -0.0 is 0


@law(
    target=per_example(strategies.targets),
    part=lambda space: st.integers(0, math.prod(space.shape) - 1),
)
def members_are_zeros_and_ones(space: StructuredSpace, target: Tensor, part: int) -> None:
    """A structure with one entry that is neither 0 nor 1 is not in the space."""
    spoilt = target.clone(memory_format=torch.contiguous_format)  # else flatten may be a copy, and nothing spoilt
    for bad in _NEITHER:
        spoilt.flatten(1)[:, part] = bad
        for index in first(space.contains(spoilt)):
            raise ViolationError("contains accepts an entry other than 0 and 1", got=spoilt[index])


@law(
    target=per_example(strategies.targets),
    other=per_example(strategies.targets),
    third=per_example(strategies.targets),
)
def no_mixture_is_a_member(
    space: StructuredSpace, target: Tensor, other: Tensor, third: Tensor, *, tolerance: float = 0.0
) -> None:
    """Points between or beyond structures, and near them, are none, though their sums be right.

    Nearer than 1e-4 only where values are compared without a tolerance: a solver that has one may round its answers.
    """
    moves: list[tuple[str, Tensor]] = [
        (f"{weight:g} a + {1 - weight:g} b", weight * target + (1 - weight) * other)
        for weight in (0.5, 0.75, 2.0, -1.0, 3.0)
    ]
    for step in (0.5, 0.25, 1e-2, 1e-4, *(() if tolerance else (1e-6, 1e-9, 2.0**-40))):
        moves += [(f"a + {step:g}", target + step), (f"(1 - {step:g}) a", (1 - step) * target)]
        moves += [(f"a + {step:g} (a - b)", target + step * (target - other))]
        moves += [(f"a, a part at {step:g}", target.where(target != 0, step * _first(target == 0)))]
    moves += [("a + b - c", target + other - third), ("(a + b + c) / 3", (target + other + third) / 3)]
    one, used = _first(target != 0), (target != 0).double()
    moves += [("a, one of its parts on another", target + one - _first((used - one) != 0))]
    for steps in _WITH_THE_SAME_SUMS:
        moves += [(f"a, with parts that it uses and others moved by {steps}", _turned(target, *steps))]
    moves += [("-a", -target), ("3 a", 3 * target), ("a, all others at -1", 2 * target - 1), ("a + 1", target + 1)]
    for what, point in moves:
        for dtype in (torch.float64, torch.float32, torch.int64, torch.int8):
            if dtype.is_floating_point or torch.equal(point.to(dtype).double(), point):
                given = point.to(dtype)
                corner = ((given == 0) | (given == 1)).flatten(1).all(1)
                for index in first(space.contains(given) & ~corner):
                    shown = {"a": target[index], "b": other[index], "c": third[index]}
                    raise ViolationError(f"contains accepts {what}, of dtype {dtype}", got=given[index], **shown)


def _turned(target: Tensor, of_used: Sequence[float], of_others: Sequence[float]) -> Tensor:
    """The structures, of which some used parts and some others are moved by so much, where there are so many."""
    flat = target.flatten(1)
    used = flat != 0
    enough = (used.sum(1) >= len(of_used)) & ((~used).sum(1) >= len(of_others))
    if not enough.any():
        return target
    first, others = (part.double().argsort(dim=1, descending=True, stable=True) for part in (used, ~used))
    places = torch.cat([first[:, : len(of_used)], others[:, : len(of_others)]], 1)
    move = torch.tensor([*of_used, *of_others], dtype=target.dtype)
    moved = flat.scatter_add(1, places, move.expand(len(flat), len(move)))
    return moved.where(enough[:, None], flat).reshape(target.shape)


def _first(where: Tensor) -> Tensor:
    """The first true entry of each example alone."""
    flat = where.flatten(1)
    return (flat & (flat.cumsum(1) == 1)).reshape(where.shape).double()


@law(place=listed(lambda space: places(space, ANY)))
def contains_tells_examples_apart(space: StructuredSpace, place: Place, *, seed: int = 0) -> None:
    """Of any dtype, in a batch of any size and shape, contains finds the one example that is not a structure."""
    some = structures(space, 7, torch.Generator().manual_seed(seed))
    y = some[torch.arange(place.rows) % len(some)].to(place.dtype)
    expected = torch.ones(place.rows, dtype=torch.bool)
    right = y[place.row].clone()
    for spoil in (None, *_two_kinds(place)):
        if spoil:
            wrong = _outside(space, right, place, spoil)
            if wrong is None:
                continue
            y[place.row], expected[place.row] = wrong, False
        layouts = (Layout.CONTIGUOUS, Layout.TRANSPOSED)
        for layout in layouts if spoil is None else layouts[place.rows % 2 :][:1]:
            laid = layout.lay(y.reshape(*place.batch, *space.shape).clone())
            before = laid.clone()
            inside = place.call(space.contains, laid)
            got = inside.dtype, tuple(inside.shape), inside.tolist()
            wanted = torch.bool, place.batch, expected.reshape(place.batch).tolist()
            if got != wanted:
                what = f"the example {place.index} is not a structure" if spoil else "all are structures"
                raise ViolationError(f"{what}; dtype, shape and entries", got=got, expected=wanted)
            if not torch.equal(laid, before):
                raise ViolationError("contains changed its argument", got=laid, expected=before)
    _expect_it_in_every_mode(space, laid, expected.reshape(place.batch))
    _expect_it_anew(space, laid)


def _expect_it_in_every_mode(space: StructuredSpace, y: Tensor, expected: Tensor) -> None:
    """Raises unless contains says this also of structures of a layer, in every mode, and with the other zero."""
    if not y.is_floating_point():
        return
    as_of_a_layer = y.clone().requires_grad_().view_as(y)
    for what, given, mode in (
        ("that require grad", as_of_a_layer, Mode.PLAIN),
        ("with -0.0 for 0", y.where(y != 0, -0.0), Mode.PLAIN),
        ("in no_grad", y, Mode.NO_GRAD),
        ("in inference mode", y, Mode.INFERENCE),
    ):
        with mode.on():
            inside = space.contains(given)
        if not torch.equal(inside, expected):
            raise ViolationError(f"for structures {what}, contains answers otherwise", got=inside, expected=expected)


def _expect_it_anew(space: StructuredSpace, y: Tensor) -> None:
    """Raises unless contains looks again at a tensor into which the caller wrote."""
    cases = [("its parts were turned in", y.roll(1, -1).clone()), ("zeros were written into", torch.zeros_like(y))]
    if y.shape == space.shape and y.dtype == torch.float64:  # one example: those after one another have sums alike
        many = zeros_and_ones(space, 0, min(2 ** y.numel(), _MOST_WRITTEN)).to(y.dtype)
        used = many.flatten(1).double()
        by_place = used @ torch.arange(1.0, 1 + y.numel(), dtype=torch.float64)
        order = torch.cat([by_place.argsort(), (used.sum(1) * y.numel() ** 2 + by_place).argsort()])
        cases += [("other zeros and ones were written into", many[row]) for row in order]
    spent = Clock()
    for what, written in cases:
        if spent() > _MOST_SECONDS:
            return
        space.contains(y)
        y.data.copy_(written)  # which leaves the version as it was, as numpy's views do
        got, expected = space.contains(y), space.contains(written)
        if not torch.equal(got, expected):
            message = f"after {what} the same tensor, contains answers otherwise"
            raise ViolationError(message, got=got, expected=expected)


@law()
def contains_says_the_same_in_every_dtype(space: StructuredSpace, *, seed: int = 0) -> None:
    """contains says of zeros and ones in every dtype what it says in float64.

    Of structures but for each part, and of the parts in some random orders, one by one more; so for any size.
    """
    generator = torch.Generator().manual_seed(seed)
    some = structures(space, 7, generator).flatten(1)
    parts = torch.randperm(some.shape[1], generator=generator)[:_PARTS_TURNED]
    turned = some.repeat(len(parts), 1)
    rows = torch.arange(len(turned))
    turned[rows, parts.repeat_interleave(len(some))] = 1 - turned[rows, parts.repeat_interleave(len(some))]
    sizes = torch.linspace(0, some.shape[1], min(some.shape[1], _MOST_SIZES) + 1).round()
    orders = torch.rand(max(_LEAST_ORDERS, _RANDOM // len(sizes)), some.shape[1], generator=generator).argsort(1)
    random = (orders[:, None] < sizes[:, None]).double().flatten(0, 1)
    tried = torch.cat([some, turned, random]).reshape(-1, *space.shape)
    expected = space.contains(tried)
    spent = Clock()
    for default, dtype in itertools.product((torch.float32, torch.float64, torch.float16), ANY):
        if spent() > _MOST_SECONDS:
            return
        with default_dtype(default):
            got = space.contains(tried.to(dtype))
        for index in first(got != expected):
            message = f"of dtype {dtype}, contains says {got[index].item()}, and of float64 {expected[index].item()}"
            raise ViolationError(message, got=tried[index].to(dtype))


class Spoilt(enum.Enum):
    """What a structure is made into that is none."""

    MORE = enum.auto()
    """Another part is used."""
    FEWER = enum.auto()
    """One part is not."""
    OTHERS = enum.auto()
    """All parts, none, or those that it does not use."""
    TWICE = enum.auto()
    """The last part is used twice."""


def _two_kinds(place: Place) -> list[Spoilt]:
    """Of the ways to spoil a structure, another two from place to place."""
    kinds = list(Spoilt)
    return [kinds[(place.row + place.rows + more) % len(kinds)] for more in range(2)]


def _outside(space: StructuredSpace, y: Tensor, place: Place, spoil: Spoilt) -> Tensor | None:
    """What is not a structure, of the same dtype, if any is found."""
    flat = y.flatten()
    if spoil is Spoilt.TWICE:
        if y.dtype == torch.bool:
            return None
        twice = flat.clone()
        twice[-1] = 2
        return twice.reshape(y.shape)
    if spoil is Spoilt.OTHERS:
        tried = [y == 0, torch.ones_like(y), torch.zeros_like(y)]
    else:
        parts = ((flat == 0) if spoil is Spoilt.MORE else (flat != 0)).nonzero().flatten()
        if not len(parts):
            return None
        turned = flat.clone()
        turned[parts[place.row % len(parts)]] = spoil is Spoilt.MORE
        tried = [turned.reshape(y.shape)]
    return next((wrong.to(y.dtype) for wrong in tried if not space.contains(wrong.double())), None)
