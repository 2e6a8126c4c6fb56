"""What argmax answers: a structure, and none scores higher."""

from __future__ import annotations

import functools

import torch
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from torch import Tensor

from structpred.spaces.base import StructuredSpace
from structpred.testing import strategies
from structpred.testing._examples import listed, per_example, runs
from structpred.testing.clock import Clock
from structpred.testing.law import ViolationError, law
from structpred.testing.oracles import (
    Same,
    best_of,
    can_list,
    expect_members,
    expect_not_worse,
    expect_same_value,
    first,
    listable,
    slack,
    structures_of,
    value,
)
from structpred.testing.space_laws._rows import most_rows
from structpred.testing.space_laws.exchanges import Chunk

_POOL = 100
_MANY = (16, 64, 256, 1024)
_MOST_SECONDS = 0.5

_plain = functools.partial(strategies.scores, dtype=torch.float64, forbidden=False)
_order = functools.partial(strategies.directions_of, simple=True)


@law(scores=strategies.scores)
def answers_are_structures(space: StructuredSpace, scores: Tensor) -> None:
    """The answer is a structure of the space, whatever the scores, ties included."""
    expect_members(space, space.argmax(scores), "contains says that the answer is not in the space")


@law(scores=per_example(strategies.scores), needs=listable, examples=6)
def no_structure_scores_higher(space: StructuredSpace, scores: Tensor, *, tolerance: float = 0.0) -> None:
    """No structure of the space scores higher than the answer, ties or not."""
    structures = structures_of(space).to(scores.device)
    _, best = best_of(space, scores, structures)
    message = "a structure of the space scores higher than the answer"
    expect_not_worse(space, scores, space.argmax(scores), structures[best], tolerance, message, "structure")


def _others(space: StructuredSpace) -> SearchStrategy[Tensor]:
    """Up to eight other scores, ``(count, *shape)``; a failure needs one."""
    return st.tuples(_order(space, batch=(8,)), runs(8)).map(lambda drawn: drawn[0][drawn[1]])


@law(
    scores=per_example(_plain),
    others=_others,
    nearness=lambda space: st.sampled_from([0.5, 2.0, 0.1]),
)
def no_other_answer_scores_higher(
    space: StructuredSpace, scores: Tensor, others: Tensor, nearness: float, *, tolerance: float = 0.0
) -> None:
    """The answer to other scores, near ones and unrelated ones, never beats the answer on these scores.

    It needs no list of structures, and so it also holds large spaces.
    """
    y = space.argmax(scores)
    size = scores.abs().flatten(-len(space.shape)).amax(-1)[(..., *(None,) * (1 + len(space.shape)))]
    near = scores.unsqueeze(-1 - len(space.shape)) + nearness * size.clamp(min=strategies.SMALLEST) * others
    rivals = [space.argmax(near), space.argmax(others).expand_as(near)]
    if not can_list(space):
        pool = _pool(Same(space)).to(near.dtype)
        rivals.append(pool.expand(*near.shape[: -1 - len(space.shape)], *pool.shape))
    candidates = torch.cat(rivals, -1 - len(space.shape))
    values = value(space, scores.unsqueeze(-1 - len(space.shape)), candidates)  # (*batch, candidates)
    best = values.argmax(-1)
    for index in first(values.amax(-1) > value(space, scores, y) + slack(space, scores, tolerance)):
        winner = int(best[index])
        raise ViolationError(
            "the answer to other scores scores higher than the answer to these",
            example=index,
            got=value(space, scores, y)[index].item(),
            answer=y[index],
            better=values[index][winner].item(),
            other_answer=candidates[index][winner],
        )


def _batches(space: StructuredSpace) -> list[Chunk]:
    return [Chunk(0, rows) for rows in _MANY if rows <= most_rows(space)]


@law(chunk=listed(_batches))
def each_of_many_answers_is_the_best(
    space: StructuredSpace, chunk: Chunk, *, seed: int = 0, tolerance: float = 0.0
) -> None:
    """For up to 1,024 random scores, no structure of the list is better than the answer; or else no other answer is."""
    generator = torch.Generator().manual_seed(1000 * seed + chunk.rows)
    scores = torch.randn(chunk.rows, *space.shape, generator=generator, dtype=torch.float64)
    scores[1::4].abs_()
    scores[4::8].abs_().neg_()  # each part costs, and some are needed
    scores[2::4] += 1  # more parts are worth having than not
    scores[3::4] = (2 * scores[3::4]).round()
    y = space.argmax(scores)
    rivals = structures_of(space).double() if can_list(space) else y
    best = rivals[(scores.flatten(1) @ rivals.flatten(1).mT).argmax(1)]
    expect_not_worse(space, scores, y, best, tolerance, "another structure scores higher than the answer", "structure")


@functools.lru_cache(maxsize=4)
def _pool(key: Same) -> Tensor:
    """Answers to unrelated scores, of both signs, positive and negative: ``(count, *shape)``, few of slow solvers."""
    space: StructuredSpace = key.it
    scores = torch.randn(_POOL, *space.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    scores[::2].abs_()
    scores[1::4].abs_().neg_()
    spent, found = Clock(), list[Tensor]()
    for some in scores.split(_POOL // 5):
        if spent() < _MOST_SECONDS:
            found.append(space.argmax(some))
    return torch.cat(found)


@law(
    scores=per_example(_plain),
    order=per_example(_order),
    amount=lambda space: st.sampled_from([1.0, 0.25, 1024.0]),
)
def value_grows_with_a_chosen_part(
    space: StructuredSpace, scores: Tensor, order: Tensor, amount: float, *, tolerance: float = 0.0
) -> None:
    """A chosen part whose score grows stays chosen, and the best value grows by exactly that much."""
    _raise_one_part(space, scores, order, amount, tolerance, chosen=True)


@law(
    scores=per_example(_plain),
    order=per_example(_order),
    amount=lambda space: st.sampled_from([1.0, 0.25, 1024.0]),
)
def value_stays_when_a_part_not_chosen_loses(
    space: StructuredSpace, scores: Tensor, order: Tensor, amount: float, *, tolerance: float = 0.0
) -> None:
    """A part that is not chosen and whose score falls leaves the best value as it is."""
    _raise_one_part(space, scores, order, -amount, tolerance, chosen=False)


def _raise_one_part(
    space: StructuredSpace, scores: Tensor, order: Tensor, amount: float, tolerance: float, *, chosen: bool
) -> None:
    """Changes the score of the first part in ``order`` that is (not) chosen, in every example that has one."""
    dims = len(space.shape)
    y = space.argmax(scores)
    rank = order.masked_fill((y == 0) if chosen else (y != 0), -torch.inf).flatten(-dims)
    part = torch.nn.functional.one_hot(rank.argmax(-1), rank.shape[-1]).reshape(scores.shape).bool()
    part &= rank.isfinite().any(-1)[(..., *(None,) * dims)]
    step = amount * scores.abs().flatten(-dims).amax(-1).clamp(min=strategies.SMALLEST)[(..., *(None,) * dims)]
    changed = torch.where(part, scores + step, scores)
    message = f"one score of a part {'' if chosen else 'not '}chosen was moved; the best value did not follow"
    # Had the solver kept y, its value would now be right; so it must be as good as y, and no better.
    expect_same_value(space, changed, space.argmax(changed), y, tolerance, message)


@law(scores=_plain)
def positive_scaling_changes_nothing(space: StructuredSpace, scores: Tensor, *, tolerance: float = 0.0) -> None:
    """The answer to scores times a positive number is as good on the scores themselves."""
    answer = space.argmax(scores)
    for exponent in (1, -1, 10, -10):
        scaled = space.argmax(scores * 2.0**exponent)
        message = f"the answer to 2^{exponent} times the scores has another value than the answer to the scores"
        expect_same_value(space, scores, scaled, answer, tolerance, message)
