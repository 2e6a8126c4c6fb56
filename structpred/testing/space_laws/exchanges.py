"""What is found without a list of structures: those near an answer, and those that hold a given part."""

from __future__ import annotations

import functools
import itertools
import math

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
_ASCENTS, _STARTS, _MOST_STEPS, _MOST_SECONDS = 70, 3, 30, 0.4
_RAISED, _LONGEST_PERIOD = 6, 16
_BESIDE = 3  # parts
_MOST_INDICES, _MOST_TURNED = 300, 60

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
    near = _turned(y, _some(_moves(on, off, on if part is None else on[:0]), generator))
    turned = in_other_order(y, generator)
    if part is not None:
        turned = turned[turned.flatten(1)[:, part] != 0]
    found = torch.cat([near, turned])
    return found[space.contains(found)] if len(found) else found


def _moves(on: Tensor, off: Tensor, left_out: Tensor) -> Tensor:
    """Pairs of parts to turn, by their numbers: one for another, and twice the same for one more or one less."""
    pairs = torch.cartesian_prod(on, off).reshape(-1, 2)
    return torch.cat([pairs, off[:, None].expand(-1, 2), left_out[:, None].expand(-1, 2)])


def _some(moves: Tensor, generator: torch.Generator) -> Tensor:
    return moves if len(moves) <= _MOST else moves[torch.randperm(len(moves), generator=generator)[:_MOST]]


def _turned(y: Tensor, moves: Tensor) -> Tensor:
    """What y is with the parts of a move turned, for each: ``(count, *shape)``."""
    flat = y.flatten()
    return flat.repeat(len(moves), 1).scatter_(1, moves, 1 - flat[moves]).reshape(-1, *y.shape)


def _moved_by_one(y: Tensor, generator: torch.Generator) -> Tensor:
    """What a structure is where one part moves to the next index, in one dimension or more: ``(count, *shape)``."""
    number = torch.arange(y.numel()).reshape(y.shape)
    on = (y != 0).nonzero()
    steps = torch.tensor(list(itertools.product((-1, 0, 1), repeat=y.ndim)))
    to = (on[:, None] + steps).flatten(0, 1)
    on = on.repeat_interleave(len(steps), 0)
    fits = ((to >= 0) & (to < torch.tensor(y.shape))).all(1)
    moves = torch.stack([number[it[fits].unbind(1)] for it in (on, to)], 1)
    return _turned(y, _some(moves[y.flatten()[moves[:, 1]] == 0], generator))


def in_other_order(y: Tensor, generator: torch.Generator) -> Tensor:
    """With two indices of a dimension exchanged, or three in another order, of the first alone: ``(count, *shape)``.

    Nothing where there is one dimension. Three turn one cycle of a permutation into three.
    """
    if y.ndim == 1:
        return y.new_empty(0, *y.shape)
    turns = [_turns(size, dim == 0) for dim, size in enumerate(y.shape)]
    chosen = torch.randperm(sum(len(where) for where, _ in turns), generator=generator)[:_MOST]
    found = []
    for dim, (where, what) in enumerate(turns):
        own = chosen[(chosen >= 0) & (chosen < len(where))]
        chosen = chosen - len(where)
        orders = torch.arange(y.shape[dim]).repeat(len(own), 1).scatter_(1, where[own], what[own])
        found.append(y.movedim(dim, 0)[orders].movedim(1, dim + 1))
    return torch.cat(found)


@functools.lru_cache(maxsize=16)
def _turns(size: int, three: bool) -> tuple[Tensor, Tensor]:
    """Two indices exchanged, or three turned, of so many: where, ``(count, 3)``, and what comes there."""
    indices = torch.arange(0, size, 1 + size // _MOST_INDICES)
    pairs = torch.combinations(indices)
    where, what = [pairs[:, [0, 1, 1]]], [pairs[:, [1, 0, 0]]]
    if three and size <= _MOST_TURNED:
        triples = torch.combinations(indices, 3)
        where += [triples, triples]
        what += [triples[:, [1, 2, 0]], triples[:, [2, 0, 1]]]
    return torch.cat(where), torch.cat(what)


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


@law(step=listed(lambda space: range(1 if can_list(space) else _STARTS)))
def no_ascent_scores_higher(space: StructuredSpace, step: int, *, seed: int = 0, tolerance: float = 0.0) -> None:
    """Nor does what the answer, or one to other scores, becomes, by one such change after another that scores higher.

    So it finds a solver that is such an ascent itself, and ends elsewhere. Some scores are high in one region of the
    parts. Where there is a list, its best is known.
    """
    if can_list(space):
        return
    generator = torch.Generator().manual_seed(seed)
    scores = _in_regions(torch.randn(_ASCENTS, *space.shape, generator=generator, dtype=torch.float64), generator)
    answers = space.argmax(scores)
    spent = Clock()
    for example, y, start in zip(scores, answers, answers.roll(step, 0), strict=True):
        found = _ascent(space, example, start, generator, spent)
        message = "a structure to which an ascent comes scores higher than the answer"
        _expect_best(space, example, y, found[None], tolerance, message)
        if spent() > _MOST_SECONDS:
            return


def _in_regions(scores: Tensor, generator: torch.Generator) -> Tensor:
    """The scores, in a random order, of which some are rounded, each a cost, or raised in a region of the parts.

    That is at one or two of every 2 to 16 parts, at some indices, or along the dimensions, from end to end.
    """
    shape = scores.shape[1:]

    def random(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    for number, example in enumerate(scores):
        turn, kind = divmod(number, 7)
        if kind < 3:
            period = 2 + (3 * turn + kind) % (_LONGEST_PERIOD - 1)
            raised = torch.zeros(period, dtype=torch.float64)
            raised[torch.randperm(period, generator=generator)[: 1 + number // 2 % 2]] = _RAISED
            example += raised[torch.arange(example.numel()) % period].reshape(shape)
        elif kind == 3:
            dim = random(0, len(shape) - 1)
            start = random(0, shape[dim] - 1)
            example.narrow(dim, start, random(1, shape[dim] - start)).add_(_RAISED)
        elif kind == 4:
            for dim, size in enumerate(shape):
                ramp = torch.linspace(-1, 1, size, dtype=torch.float64) * random(1, _RAISED)
                example += (-ramp if turn >> dim & 1 else ramp).reshape(-1, *(1,) * (len(shape) - 1 - dim))
        elif kind == 5:
            example.abs_().add_(0.2).neg_()
        else:
            example.mul_(2).round_()
    return scores[torch.randperm(len(scores), generator=generator)]


def _ascent(space: StructuredSpace, scores: Tensor, y: Tensor, generator: torch.Generator, spent: Clock) -> Tensor:
    """The structure at the end of steps to the best of those near, while these score higher and there is time."""
    best = value(space, scores, y)
    for step in range(_MOST_STEPS):
        if step and spent() > _MOST_SECONDS:
            break
        found = _higher(scores, y, generator), _moved_by_one(y, generator), in_other_order(y, generator)
        near = torch.cat(found)
        values = value(space, scores, near)
        near, values = near[values > best], values[values > best]
        inside = space.contains(near) if len(near) else torch.zeros(0, dtype=torch.bool)
        if not inside.any():
            break
        best, index = values[inside].max(0)
        y = near[inside][index]
    return y


def _higher(scores: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
    """What a structure is with one part for another, one more, or one less, where that scores higher."""
    flat, worth = y.flatten(), scores.flatten()
    on, off = (flat != 0).nonzero().flatten(), (flat == 0).nonzero().flatten()
    moves = _moves(on, off, on)
    gain = (worth[moves] * (1 - 2 * flat[moves])).sum(1)  # of one part alone, twice
    return _turned(y, _some(moves[gain > 0], generator))


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


def _parts(space: StructuredSpace) -> list[Chunk]:
    """Chunks of the parts, from both ends: at these solvers go wrong, and there may be no time for all."""
    chunks = _chunks(math.prod(space.shape))
    return [chunks[-(number // 2 + 1) if number % 2 else number // 2] for number in range(len(chunks))]


@law(chunk=listed(_parts))
def no_part_is_overlooked(space: StructuredSpace, chunk: Chunk, *, seed: int = 0, tolerance: float = 0.0) -> None:
    """Whichever part scores high, no structure near the answer that uses it scores higher."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randint(-64, 65, (chunk.rows, math.prod(space.shape)), generator=generator) / 16
    parts = torch.arange(chunk.start, chunk.start + chunk.rows)
    scores[torch.arange(chunk.rows), parts] += 64.0
    scores = scores.reshape(-1, *space.shape)  # exact in float32, in which candidates take half the memory
    answers = space.argmax(scores)
    for example, y, part in zip(scores, answers, parts.tolist(), strict=True):
        if y.flatten()[part] == 0:
            near = torch.cat([exchanges(space, y, seed, part), _in_place_of_some(space, answers, part)])
            _expect_best(space, example, y, near, tolerance)


def _in_place_of_some(space: StructuredSpace, answers: Tensor, part: int) -> Tensor:
    """Structures with a part in place of some of the three beside it, by their indices: ``(count, *shape)``.

    Of a partition into intervals, say, one in place of two; of the answers those that have parts close by.
    """
    place = torch.ones(space.shape).nonzero().T  # of each part, its indices
    apart = (place - place[:, part, None]).abs().sum(0).double()
    distance, beside = apart.where(answers.flatten(1) != 0, torch.inf).topk(min(_BESIDE, len(apart)), largest=False)
    bases = distance.sum(1).argsort()[:_FEW]
    subsets = torch.tensor(list(itertools.product((0.0, 1.0), repeat=beside.shape[1])), dtype=answers.dtype)
    found, where = (it[bases].repeat_interleave(len(subsets), 0) for it in (answers.flatten(1), beside))
    found.scatter_(1, where, found.gather(1, where) * subsets.repeat(len(bases), 1))
    found[:, part] = 1
    found = found.reshape(-1, *space.shape)
    return found[space.contains(found)]


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
