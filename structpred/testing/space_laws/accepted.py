"""What might pass for a structure: zeros and ones near some or far from all, of which contains accepts few."""

from __future__ import annotations

import torch
from torch import Tensor

from structpred.spaces.base import StructuredSpace
from structpred.testing._examples import listed
from structpred.testing.clock import Clock
from structpred.testing.law import ViolationError, law
from structpred.testing.oracles import answers_where_feasible, first, slack, value
from structpred.testing.space_laws._rows import structures
from structpred.testing.space_laws.exchanges import Chunk, in_other_order

_BASES, _MOST_TRIED, _MOST_SOLVED = 20, 400, 50
_BASES_FOR_PAIRS, _MOST_PAIRS = 8, 6_000
_ROUNDS = 4
_SECONDS = 0.2
_POWERS = tuple(2**bits for bits in range(1, 9))  # counts of that many more are the same in so many bits


def accepted_near(space: StructuredSpace, y: Tensor, others: Tensor, seed: int) -> Tensor:
    """Those that ``contains`` accepts of tensors that a loose test takes for structures: ``(count, *shape)``.

    They are a structure y but for one part, two or three, or with 2, 4, ..., 256 further ones; none and all parts; and
    y + b - c and the parity of y + b + c, where b and c are among ``others``: the first, of zeros and ones, have the
    right sums wherever structures have equal ones; the second have a cycle beside a path, say.
    """
    flat, generator = y.flatten(), torch.Generator().manual_seed(seed)
    parts = torch.randperm(len(flat), generator=generator)[:_MOST_TRIED]
    but_one = flat.repeat(len(parts), 1)
    but_one[torch.arange(len(parts)), parts] = 1 - flat[parts]
    unused = (flat == 0).nonzero().flatten()
    more = flat.repeat(len(_POWERS), 1)
    for row, count in zip(more, _POWERS, strict=True):
        row[unused[:count]] = 1
    few = flat.repeat(_MOST_TRIED, 1)
    for _ in range(3):
        few.scatter_(1, torch.randint(len(flat), (_MOST_TRIED, 1), generator=generator), -1.0)
    few = torch.where(few < 0, 1 - flat, few)
    b, c = (
        others[torch.randint(len(others), (_MOST_TRIED,), generator=generator)].flatten(1).to(flat.dtype)
        for _ in range(2)
    )
    mixed = flat + b - c
    mixed = mixed[((mixed == 0) | (mixed == 1)).all(1)]
    parity = (flat + b + c) % 2
    extremes = torch.stack([torch.zeros_like(flat), torch.ones_like(flat), 1 - flat])
    tried = torch.cat([but_one, few, more, mixed, parity, extremes]).unique(dim=0).reshape(-1, *y.shape)
    inside: Tensor = tried[space.contains(tried)]
    return inside


def _with_two_exchanged(space: StructuredSpace, y: Tensor, generator: torch.Generator) -> Tensor:
    """Those that ``contains`` accepts of a structure with two others in place of two of its parts.

    Of a round trip, say, two circles, where only degrees are counted.
    """
    flat = y.flatten()
    pairs = [torch.combinations((flat == used).nonzero().flatten()) for used in (1, 0)]
    count = len(pairs[0]) * len(pairs[1])
    if not count:
        return y.new_zeros(0, *y.shape)
    chosen = torch.arange(count) if count <= _MOST_PAIRS else torch.randint(count, (_MOST_PAIRS,), generator=generator)
    exchanged = flat.repeat(len(chosen), 1)
    exchanged.scatter_(1, pairs[0][chosen // len(pairs[1])], 0.0)
    exchanged.scatter_(1, pairs[1][chosen % len(pairs[1])], 1.0)
    tried = exchanged.reshape(-1, *y.shape)
    return tried[space.contains(tried)]


def _detours(space: StructuredSpace, y: Tensor, seed: int) -> Tensor:
    """The structures that have most of y without one of its parts, of each in turn: ``(count, *shape)``.

    Rather with others beside than with fewer.
    """
    on = (y.flatten() != 0).nonzero().flatten()
    on = on[torch.randperm(len(on), generator=torch.Generator().manual_seed(seed))[:_MOST_SOLVED]]
    scores = (1.25 * y - 0.25).repeat(len(on), *(1,) * y.ndim)
    scores.flatten(1)[torch.arange(len(on)), on] = -torch.inf
    return answers_where_feasible(space, scores)[1]


def _climbed(space: StructuredSpace, y: Tensor, seed: int) -> list[Tensor]:
    """Structures with more and more parts: y with detours in place of its parts, as long as ``contains`` accepts them.

    From a short path, say, ever longer ones.
    """
    found = []
    for _ in range(_ROUNDS):
        before = y
        for other in _detours(space, y, seed):
            longer = (y + other - before) % 2
            if longer.sum() > y.sum() and space.contains(longer):
                y = longer
        if torch.equal(y, before):
            break
        found.append(y)
    return found


@law()
def structures_with_more_parts_are_answers(space: StructuredSpace, *, seed: int = 0, tolerance: float = 0.0) -> None:
    """What ``contains`` accepts of the shortest answer, made longer step by step, is an answer.

    That is, where its parts score 1 and all others -1. It needs no list, and finds solvers that give up after so many
    steps.
    """
    longer = _climbed(space, space.argmax(torch.full(space.shape, -1.0, dtype=torch.float64)), seed)
    _expect_answers(space, torch.stack(longer) if longer else torch.zeros(0, *space.shape).double(), tolerance)


@law(chunk=listed(lambda space: [Chunk(start, 1) for start in range(_BASES)]))
def what_contains_accepts_is_an_answer(
    space: StructuredSpace, chunk: Chunk, *, seed: int = 0, tolerance: float = 0.0
) -> None:
    """What ``contains`` accepts is the answer where its parts score 1 and all others -1."""
    some = structures(space, _BASES, torch.Generator().manual_seed(seed))
    inside = accepted_near(space, some[chunk.start], some, seed + chunk.start)
    if chunk.start < _BASES_FOR_PAIRS:
        base, generator = some[chunk.start], torch.Generator().manual_seed(seed + chunk.start)
        turned = in_other_order(base, generator)
        inside = torch.cat([inside, _with_two_exchanged(space, base, generator), turned[space.contains(turned)]])
    spent = Clock()
    order = torch.randperm(len(inside), generator=torch.Generator().manual_seed(seed))
    for some_of_them in inside[order].split(_MOST_SOLVED):
        _expect_answers(space, some_of_them, tolerance)
        if spent() > _SECONDS:
            return


def _expect_answers(space: StructuredSpace, inside: Tensor, tolerance: float) -> None:
    """Raises unless each of them is as good as the answer where its parts score 1 and all others -1."""
    scores = 2 * inside - 1
    y = space.argmax(scores)
    wanted = inside.flatten(1).sum(1)
    for (index,) in first(value(space, scores, y) < wanted - slack(space, scores, tolerance)):
        message = "contains accepts what argmax does not answer, though all its parts score 1 and all others -1"
        raise ViolationError(message, structure=inside[index], answer=y[index])
