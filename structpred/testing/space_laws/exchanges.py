"""What is found without a list of structures: those near an answer, and those that hold a given part."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator

import torch
from attrs import frozen
from torch import Tensor

from structpred.spaces.base import StructuredSpace
from structpred.testing import strategies
from structpred.testing._examples import listed, per_example
from structpred.testing.clock import Clock
from structpred.testing.law import ViolationError, law
from structpred.testing.oracles import can_list, expect_members, first, slack, structures_of, value
from structpred.testing.space_laws._rows import COUNT, Rows, bank, structures

_MOST = 400  # candidates of a kind for each answer
_CHUNK = 50
_FEW = 7
_SOME = 200  # structures of a space without a list
_ASCENTS, _STARTS, _MOST_STEPS, _MOST_SECONDS = 60, 4, 30, 0.5

_plain = functools.partial(strategies.scores, dtype=torch.float64, forbidden=False)


@frozen
class Chunk:
    """Neighboring structures of a list, or parts of a structure."""

    start: int
    rows: int


def _chunks(count: int, size: int = _CHUNK) -> list[Chunk]:
    return [Chunk(start, min(size, count - start)) for start in range(0, count, size)]


def exchanges(space: StructuredSpace, y: Tensor, seed: int = 0, part: int | None = None) -> Tensor:
    """Structures that differ from one by a part, by one part for another, or by the order of two or three indices.

    ``(*shape) -> (count, *shape)``; ``contains`` says which they are. With ``part``, only those that use it.
    """
    generator = torch.Generator().manual_seed(seed)
    flat = y.flatten()
    on, off = (flat != 0).nonzero().flatten(), (flat == 0).nonzero().flatten()
    if part is not None:
        off = off[off == part]
    moves = torch.cat([torch.cartesian_prod(on, off).reshape(-1, 2), off[:, None].expand(-1, 2)])
    if part is None:
        moves = torch.cat([moves, on[:, None].expand(-1, 2)])
    if len(moves) > _MOST:
        moves = moves[torch.randperm(len(moves), generator=generator)[:_MOST]]
    near = flat.repeat(len(moves), 1)
    for column in (0, 1):
        near[torch.arange(len(moves)), moves[:, column]] = 1 - flat[moves[:, column]]
    turned = in_other_order(y, generator)
    found = torch.cat([near.reshape(-1, *y.shape), turned])
    if part is not None:
        found = found[found.flatten(1)[:, part] != 0]
    return found[space.contains(found)] if len(found) else found


def in_other_order(y: Tensor, generator: torch.Generator) -> Tensor:
    """With two indices of a dimension exchanged, or three in another order, of the first alone: ``(count, *shape)``.

    Nothing where there is one dimension. Three turn one cycle of a permutation into three.
    """
    moves = [
        (dim, indices, (*indices[1:], indices[0]))
        for dim, size in enumerate(y.shape)
        if y.ndim > 1
        for indices in (*itertools.combinations(range(size), 2), *(_three(size) if dim == 0 else ()))
    ]
    if len(moves) > _MOST:
        moves = [moves[i] for i in torch.randperm(len(moves), generator=generator)[:_MOST].tolist()]
    found = y.new_empty(len(moves), *y.shape)
    for (dim, indices, others), structure in zip(moves, found, strict=True):
        order = torch.arange(y.shape[dim])
        order[list(indices)] = torch.tensor(others)
        structure.copy_(y.index_select(dim, order))
    return found


def _three(size: int) -> Iterator[tuple[int, ...]]:
    for one, two, three in itertools.combinations(range(size), 3):
        yield from ((one, two, three), (one, three, two))


@law(scores=per_example(_plain), seed=lambda space: strategies.seeds())
def no_exchange_scores_higher(space: StructuredSpace, scores: Tensor, seed: int, *, tolerance: float = 0.0) -> None:
    """No structure scores higher that is the answer but for a part, for one part in place of another, or for an order.

    ``contains`` says which of them are structures; so the law also holds large spaces.
    """
    for example, y in zip(scores, space.argmax(scores), strict=True):
        _expect_best(space, example, y, exchanges(space, y, seed), tolerance)


@law(chunk=listed(lambda space: _chunks(COUNT, _FEW)))
def no_fine_difference_is_overlooked(
    space: StructuredSpace, chunk: Chunk, *, seed: int = 0, tolerance: float = 0.0
) -> None:
    """Nor does such a structure where scores differ in what the next coarser dtype does not resolve.

    Beside numbers near 1, and of float64 beside 2^30.
    """
    for dtype in (torch.float64, torch.float32):
        scores = bank(space, Rows.FINE, seed, dtype).scores[chunk.start : chunk.start + chunk.rows].to(dtype)
        for example, y in zip(scores, space.argmax(scores), strict=True):
            _expect_best(space, example, y, exchanges(space, y, seed), tolerance)


@law()
def no_ascent_scores_higher(space: StructuredSpace, *, seed: int = 0, tolerance: float = 0.0) -> None:
    """Nor does what an answer to other scores becomes, by one such change after another that scores higher.

    So it finds a solver that is such an ascent itself, and ends elsewhere. Where there is a list, its best is known.
    """
    if can_list(space):
        return
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(_ASCENTS, *space.shape, generator=generator, dtype=torch.float64)
    scores[::3] = -0.2 - torch.rand(scores[::3].shape, generator=generator, dtype=torch.float64)  # each part costs
    scores[1::3] = (2 * scores[1::3]).round()
    answers = space.argmax(scores)
    spent = Clock()
    for example, y in zip(scores, answers, strict=True):
        for start in answers[torch.randperm(_ASCENTS, generator=generator)[:_STARTS]]:
            found = _ascent(space, example, start, seed)
            message = "a structure to which an ascent comes, from another answer, scores higher"
            _expect_best(space, example, y, found[None], tolerance, message)
            if spent() > _MOST_SECONDS:
                return


def _ascent(space: StructuredSpace, scores: Tensor, y: Tensor, seed: int) -> Tensor:
    """The structure at the end of steps to the best of the exchanges, while these score higher."""
    best = value(space, scores, y)
    for step in range(_MOST_STEPS):
        near = exchanges(space, y, seed + step)
        values = value(space, scores, near)
        if not len(near) or values.max() <= best:
            break
        best, index = values.max(0)
        y = near[index]
    return y


def _expect_best(
    space: StructuredSpace,
    scores: Tensor,
    y: Tensor,
    others: Tensor,
    tolerance: float,
    message: str = "a structure near the answer scores higher",
) -> None:
    got, values = value(space, scores, y), value(space, scores, others)
    for (index,) in first(values > got + slack(space, scores, tolerance)):
        raise ViolationError(
            message, scores=scores, got=got.item(), answer=y, better=values[index].item(), structure=others[index]
        )


@law(chunk=listed(lambda space: _chunks(math.prod(space.shape))))
def no_part_is_overlooked(space: StructuredSpace, chunk: Chunk, *, seed: int = 0, tolerance: float = 0.0) -> None:
    """Whichever part scores high, no structure near the answer that uses it scores higher."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randint(-64, 65, (chunk.rows, math.prod(space.shape)), generator=generator) / 16
    parts = torch.arange(chunk.start, chunk.start + chunk.rows)
    scores[torch.arange(chunk.rows), parts] += 64.0
    scores = scores.reshape(-1, *space.shape).double()
    for example, y, part in zip(scores, space.argmax(scores), parts.tolist(), strict=True):
        if y.flatten()[part] == 0:
            _expect_best(space, example, y, exchanges(space, y, seed, part), tolerance)


def _known(space: StructuredSpace, seed: int) -> Tensor:
    if can_list(space):
        return structures_of(space).double()
    return structures(space, _SOME, torch.Generator().manual_seed(seed))


@law(
    chunk=listed(lambda space: _chunks(len(structures_of(space)) if can_list(space) else _SOME)),
)
def each_structure_wins_where_its_parts_score(
    space: StructuredSpace, chunk: Chunk, *, seed: int = 0, tolerance: float = 0.0
) -> None:
    """Where a structure's parts score 1 and all others -1, the answer is that structure.

    Of every structure of a space that can list them, and else of some.
    """
    target = _known(space, seed)[chunk.start : chunk.start + chunk.rows]
    scores = 2 * target - 1
    y = space.argmax(scores)
    expect_members(space, y, "contains says that the answer is not in the space")
    worst = slack(space, scores, tolerance)
    for index in first(value(space, scores, y) < target.flatten(1).sum(1) - worst):
        raise ViolationError("the answer is another structure", example=index, got=y[index], expected=target[index])
