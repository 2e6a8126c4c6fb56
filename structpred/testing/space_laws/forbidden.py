"""What a score of -inf means, and which scores have no meaning."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import torch
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from torch import Tensor

from structpred.errors import ArgumentError, InfeasibleError
from structpred.spaces.base import StructuredSpace
from structpred.testing import strategies
from structpred.testing._examples import listed, per_example
from structpred.testing.law import ViolationError, law
from structpred.testing.oracles import (
    answers_where_feasible,
    best_of,
    expect_members,
    expect_not_worse,
    first,
    listable,
    structures_of,
)
from structpred.testing.space_laws._places import FLOATING, Place, places
from structpred.testing.space_laws._rows import structures
from structpred.testing.space_laws.grid import leaving_torch_alone

_MOST_CHOSEN = 40
_MASKS = 50
_MOST_INDICES, _TURNS = 10, 120
_LOWEST = -(2.0**100)

_plain = functools.partial(strategies.scores, forbidden=False, contiguous=True)


@law(
    scores=per_example(_plain, dtype=torch.float64, moderate=True),
    level=lambda space: st.sampled_from([0.0, -1000.0, 1000.0]),
    allowed=per_example(strategies.masks),
    target=per_example(strategies.targets),
)
def minus_inf_forbids_a_part(
    space: StructuredSpace, scores: Tensor, level: float, allowed: Tensor, target: Tensor, *, tolerance: float = 0.0
) -> None:
    """A part whose score is -inf is not used while a structure can do without it, however low the others score."""
    for at in (level, _LOWEST):
        masked = (scores + at).masked_fill(~(allowed | (target != 0)), -math.inf)
        y = space.argmax(masked)
        _expect_none_forbidden(masked, y, target)
        expect_members(space, y, "with some scores -inf, the answer is not in the space")
        message = "with some scores -inf, a structure that uses none of them scores higher than the answer"
        expect_not_worse(space, masked, y, target, tolerance, message, "structure")


@law(target=per_example(strategies.targets))
def what_alone_is_allowed_is_the_answer(space: StructuredSpace, target: Tensor) -> None:
    """Where -inf leaves no parts but those of one structure, the answer uses those alone."""
    scores = torch.where(target != 0, -5.0, -math.inf)
    y = space.argmax(scores)
    for index in first(((y != 0) & (target == 0)).flatten(1).any(1)):
        raise ViolationError("the answer uses other parts", example=index, got=y[index], expected=target[index])
    expect_members(space, y, "the answer is not in the space")


def _expect_none_forbidden(scores: Tensor, y: Tensor, better: Tensor | None = None) -> None:
    """Raises ``ViolationError`` for the first answer that uses a forbidden part; ``better`` are such as use none."""
    for index in first((scores.isneginf() & (y != 0)).flatten(1).any(1)):
        shown = {} if better is None else {"better": better[index]}
        message = "the answer uses a part whose score is -inf"
        raise ViolationError(message, example=index, scores=scores[index], got=y[index], **shown)


def _chosen(space: StructuredSpace) -> list[int]:
    """The places in the list of as many structures as are tried."""
    count = len(structures_of(space))
    return list(range(0, count, -(-count // _MOST_CHOSEN)))


@law(place=listed(_chosen), needs=listable)
def the_only_structure_left_is_the_answer(space: StructuredSpace, place: int, *, seed: int = 0) -> None:
    """Where every other structure has a forbidden part, be it one, the answer has none, however low its parts score.

    A structure of which the others have only a part may be left beside those.
    """
    every = structures_of(space).flatten(1) != 0
    target = every[place]
    generator = torch.Generator().manual_seed(1000 * seed + place)
    forbidden = _hitting(every & ~target, generator)
    scores = torch.randint(0, 17, target.shape, generator=generator).double() / 16
    low = torch.tensor([-4.0, -1000.0, -(2.0**50)], dtype=torch.float64)[:, None]
    beside = torch.cat([scores.expand(len(low), -1), scores * -low])  # a few, and as large
    scores = beside.where(~target, low.repeat(2, 1)).masked_fill(forbidden, -math.inf).reshape(-1, *space.shape)
    y = space.argmax(scores)
    _expect_none_forbidden(scores, y, target.reshape(space.shape).double().expand_as(y))
    expect_members(space, y, "with some scores -inf, the answer is not in the space")


def _hitting(sets: Tensor, generator: torch.Generator) -> Tensor:
    """Parts, none to spare, of which every set has one, as far as it has any: ``(count, parts) -> (parts)``, bool."""
    chosen = torch.zeros(sets.shape[1], dtype=torch.bool)
    left = sets[sets.any(1)]
    order = torch.rand(sets.shape[1], generator=generator)
    while len(left):
        chosen[(order * left[0]).argmax()] = True
        left = left[~(left & chosen).any(1)]
    hit = sets[sets.any(1)]
    for part in chosen.nonzero().flatten().tolist():
        chosen[part] = False
        chosen[part] = not bool((hit & chosen).any(1).all())
    return chosen


def _truths(space: StructuredSpace, *, batch: Sequence[int]) -> SearchStrategy[Tensor]:
    return st.lists(st.booleans(), min_size=math.prod(batch), max_size=math.prod(batch)).map(torch.tensor)


@law(scores=per_example(_plain), hopeless=per_example(_truths))
def infeasible_examples_are_named(space: StructuredSpace, scores: Tensor, hopeless: Tensor) -> None:
    """Where -inf forbids every part, InfeasibleError names just those examples, unless nothing is a structure too.

    Torch's generator and settings stay as they are.
    """
    masked = scores.clone()
    masked[hopeless] = -math.inf
    nothing = torch.zeros(space.shape, dtype=scores.dtype)
    expected = [] if space.contains(nothing) else [(example,) for example in hopeless.nonzero().flatten().tolist()]
    named: Sequence[tuple[int, ...]] | None = None
    with leaving_torch_alone():
        try:
            y = space.argmax(masked)
        except InfeasibleError as error:
            named = error.examples
    if named is not None:
        if named != expected:
            raise ViolationError("other examples are named", got=named, expected=expected)
    elif expected:
        raise ViolationError(
            "every part was forbidden, and an answer came", got=y[hopeless], expected="InfeasibleError"
        )


@law(
    scores=per_example(_plain, dtype=torch.float32, moderate=True),
    allowed=per_example(strategies.masks),
    needs=listable,
)
def only_what_is_infeasible_is_refused(space: StructuredSpace, scores: Tensor, allowed: Tensor) -> None:
    """InfeasibleError names exactly the examples in which every structure uses a part whose score is -inf."""
    masked = torch.cat([scores.masked_fill(~allowed, -math.inf), _masked(space, 0)])
    hopeless = best_of(space, masked, structures_of(space))[0].isneginf()
    expected = [(example,) for example in hopeless.nonzero().flatten().tolist()]
    before = masked.clone()
    try:
        space.argmax(masked)
    except InfeasibleError as error:
        got = error.examples
    else:
        got = []
    if not torch.equal(masked, before):
        raise ViolationError("argmax changed the scores", got=masked, expected=before)
    if got != expected:
        raise ViolationError("the examples named infeasible are others", scores=masked, got=got, expected=expected)


@law()
def what_is_not_refused_has_an_answer(space: StructuredSpace, *, seed: int = 0) -> None:
    """Where parts are forbidden at random, at one index, or all but most of a structure's, there is an answer.

    That is a structure, without forbidden parts; or InfeasibleError names the example. So the law holds spaces without
    a list.
    """
    masked = torch.cat([_masked(space, seed), _without_an_index(space), _most_of_a_structure(space, seed)]).double()
    masked, y = answers_where_feasible(space, masked)
    _expect_none_forbidden(masked, y)
    expect_members(space, y, "with some scores -inf, the answer is not in the space, and nothing is refused")


def _masked(space: StructuredSpace, seed: int) -> Tensor:
    """Scores of which a tenth to nearly all are forbidden: of some no structure is left, for one reason or another."""
    drawn = torch.rand(_MASKS, *space.shape, generator=torch.Generator().manual_seed(seed))
    share = torch.linspace(0.1, 0.95, _MASKS).reshape(_MASKS, *(1,) * len(space.shape))
    return torch.zeros_like(drawn).masked_fill(drawn < share, -math.inf)


def _without_an_index(space: StructuredSpace) -> Tensor:
    """Scores of which those at one index of one dimension are forbidden, for the first indices of each."""
    found = []
    for dim, size in enumerate(space.shape):
        for index in range(min(size, _MOST_INDICES)):
            scores = torch.zeros(space.shape)
            scores.select(dim, index).fill_(-math.inf)
            found.append(scores)
    return torch.stack(found) if found else torch.zeros(0, *space.shape)


def _most_of_a_structure(space: StructuredSpace, seed: int) -> Tensor:
    """Scores of which those that are not forbidden are a structure's but for one or two of its parts."""
    generator = torch.Generator().manual_seed(seed)
    some = structures(space, _MASKS, generator)
    order = torch.rand(some.shape, generator=generator).masked_fill(some == 0, 2.0).flatten(1).argsort(1)
    left = some.flatten(1).clone()
    left.scatter_(1, order[:, :1], 0.0)
    left[::2].scatter_(1, order[::2, 1:2], 0.0)
    return torch.zeros_like(some).masked_fill(left.reshape(some.shape) == 0, -math.inf)


@law(target=per_example(strategies.targets))
def what_is_left_is_the_answer(space: StructuredSpace, target: Tensor) -> None:
    """However low a structure's parts score, where parts of all answers but it are forbidden no forbidden one is used.

    One part of each answer is forbidden in its turn, until the structure is the answer: so it needs no list. The other
    parts score 0, or are as high as those are low.
    """
    scores = torch.cat([torch.where(target != 0, _LOWEST, other) for other in (0.0, -_LOWEST)])
    target = target.repeat(2, *(1,) * len(space.shape))
    for _ in range(_TURNS):
        y = space.argmax(scores)
        _expect_none_forbidden(scores, y, target)
        others = ((y != 0) & (target == 0)).flatten(1)
        if not others.any():
            return
        part = others.double().argmax(1)
        rows = others.any(1).nonzero().flatten()
        scores.flatten(1)[rows, part[rows]] = -math.inf


@law(place=listed(lambda space: places(space, FLOATING)))
def one_example_is_refused_in_any_batch(space: StructuredSpace, place: Place, *, seed: int = 0) -> None:
    """One example without an allowed part, or with NaN or +inf, is found wherever it is in a batch of any shape."""
    scores = torch.randint(-64, 65, (place.rows, *space.shape), generator=torch.Generator().manual_seed(seed)) / 16
    scores = scores.to(place.dtype)
    for bad in (math.nan, math.inf):
        spoilt = scores.clone()
        part = (7 * place.row - 1) % math.prod(space.shape)
        spoilt[place.row].view(-1)[part] = bad
        what = f"{bad} in the example {place.index}, part {part}"
        _expect_refusal(space, spoilt.reshape(*place.batch, *space.shape), what)
    if space.contains(torch.zeros(space.shape)):
        return
    scores[place.row] = -math.inf
    try:
        y = space.argmax(scores.reshape(*place.batch, *space.shape))
    except InfeasibleError as error:
        if error.examples != [place.index]:
            raise ViolationError("other examples are named", got=error.examples, expected=[place.index]) from None
        return
    raise ViolationError(
        f"an answer came where {place.index} has nothing", got=y[place.index], expected="InfeasibleError"
    )


@law()
def what_are_no_scores_is_refused(space: StructuredSpace) -> None:
    """Another shape, be it one that broadcasts, a type that is not floating point, and what is no tensor are refused
    by an ArgumentError."""
    good = torch.zeros(2, *space.shape)
    _expect_refusal(space, torch.zeros(2, *space.shape[:-1], space.shape[-1] + 1), "one part too many")
    _expect_refusal(space, good[0, ..., 0] if len(space.shape) == 1 else good[0, 0], "a dimension too few")
    for dim, size in enumerate(space.shape):
        if size > 1:
            _expect_refusal(space, good.narrow(1 + dim, 0, 1), f"a dimension {dim} of size 1, which would broadcast")
    for dtype in (torch.int64, torch.int32, torch.int8, torch.uint8, torch.bool, torch.complex64):
        _expect_refusal(space, good.to(dtype), f"a dtype of {dtype}")
        _expect_refusal(space, good[0].to(dtype), f"a dtype of {dtype}, of one example")
    _expect_refusal(space, good.tolist(), "a list")


def _expect_refusal(space: StructuredSpace, scores: object, what: str) -> None:
    try:
        y = space.argmax(scores)  # type: ignore[arg-type]
    except ArgumentError:
        return
    raise ViolationError(f"scores with {what} are not refused", got=y, expected="ArgumentError")
