"""What is computed from a structure: its score, and its loss."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor

from structpred.errors import ArgumentError
from structpred.loss import LinearLoss
from structpred.spaces.base import StructuredSpace
from structpred.testing import strategies
from structpred.testing._examples import listed, per_example
from structpred.testing.circumstances import Where
from structpred.testing.law import ViolationError, law
from structpred.testing.oracles import first, value
from structpred.testing.space_laws._places import ANY, FLOATING, Place, places
from structpred.testing.space_laws._rows import structures
from structpred.testing.space_laws.grid import Mode, made_anew
from structpred.testing.strategies import HAIRS, Layout

_PARTS_TRIED = 8


@law(scores=per_example(strategies.scores, dtype=torch.float64), target=per_example(strategies.targets))
def score_is_the_inner_product(space: StructuredSpace, scores: Tensor, target: Tensor) -> None:
    """score(scores, y) = <scores, y>, where a part that y does not use counts nothing, forbidden or not.

    In any mode of torch.
    """
    expected = value(space, scores, target)
    for mode in Mode:
        with mode.on():
            got = space.score(scores, target)
        _expect_equal(got.detach(), expected, f"score differs from the inner product, in mode {mode.name}")


@law(scores=per_example(strategies.scores, dtype=torch.float64), target=per_example(strategies.targets))
def the_gradient_of_score_is_the_structure(space: StructuredSpace, scores: Tensor, target: Tensor) -> None:
    """The gradient of score(scores, y) for the scores is y times what comes after, and 0 at parts y does not use.

    What comes after is another number for each example.
    """
    for sign in (1.0, -2.0):
        upstream = sign * torch.arange(1.0, 1 + len(scores), dtype=torch.float64)
        leaf, wanted = scores.clone().requires_grad_(), upstream.reshape(-1, *(1,) * len(space.shape)) * target
        (got,) = torch.autograd.grad((upstream * space.score(leaf, target)).sum(), leaf)
        for index in first((got != wanted).flatten(1).any(1)):
            message = f"the gradient of {upstream[index]:g} times the score is not {upstream[index]:g} y"
            raise ViolationError(message, example=index, got=got[index], expected=wanted[index])


@law(place=listed(lambda space: places(space, FLOATING)))
def score_takes_any_dtype_and_batch(space: StructuredSpace, place: Place, *, seed: int = 0) -> None:
    """score takes scores and structures of any dtype and batch, broadcasts them, and has the scores' dtype."""
    generator = torch.Generator().manual_seed(seed)
    shape = (*place.batch, *space.shape)
    scores = torch.randint(-8, 9, shape, generator=generator).double() / 4
    if place.dtype in (torch.float32, torch.float64):  # numbers whose sums the next coarser dtype does not resolve
        scores += HAIRS[place.dtype] * torch.randint(-2, 3, shape, generator=generator)
    scores = scores.to(place.dtype)
    some = structures(space, 7, generator)
    y = some[torch.arange(place.rows) % len(some)].reshape(shape)
    single = y.reshape(-1, *space.shape)[-1]
    several = value(space, scores, y[None]).expand(3, *place.batch)
    cases = [("each its own", scores, y, value(space, scores, y))]
    cases += [("one structure for all", scores, single, value(space, scores, single))]
    cases += [("several structures each", scores, y[None].expand(3, *shape), several)]
    one = scores.reshape(-1, *space.shape)[0]
    cases += [("all structures, by the scores of one", one, y, value(space, one, y))]
    each, every = scores.reshape(-1, 1, *space.shape)[:3], some[None]
    cases += [("each structure, by the scores of each", each, every, value(space, each.double(), every))]
    for case, (what, given, structure, expected) in enumerate(cases):
        # Every dtype where each example has a structure of its own, and another two elsewhere.
        dtypes = (place.dtype, torch.bool, torch.int64, torch.bfloat16, torch.float64)
        for dtype in (place.dtype, dtypes[1 + (place.row + case) % 4]) if case else dtypes:
            got = place.call(space.score, given, structure.to(dtype))
            if (got.dtype, got.shape) != (place.dtype, expected.shape):
                shown = {"got": (got.dtype, tuple(got.shape)), "expected": (place.dtype, tuple(expected.shape))}
                raise ViolationError(f"{what}, structures of dtype {dtype}: another dtype or shape", **shown)
            rounding = 8 * torch.finfo(place.dtype).eps * float(1 + expected.abs().amax())
            if not torch.allclose(got.double(), expected, rtol=0, atol=rounding):
                message = f"{what}, structures of dtype {dtype}: not the inner product"
                raise ViolationError(message, got=got, expected=expected)
    for layout in Layout:
        if not torch.equal(space.score(layout.lay(scores), layout.lay(y)), space.score(scores, y)):
            got, expected = space.score(layout.lay(scores), layout.lay(y)), space.score(scores, y)
            message = f"of tensors whose memory is {layout.name.lower()}, another value"
            raise ViolationError(message, got=got, expected=expected)
    _expect_sums(space, one, y)
    chosen = y.clone().requires_grad_()  # as a layer returns them
    (got,) = torch.autograd.grad(space.score(scores.double(), chosen).sum(), chosen)
    if not torch.equal(got, scores.double()):
        message = "the gradient of score for y is not the scores"
        raise ViolationError(message, got=got, expected=scores.double())
    leaf, new = scores.clone().requires_grad_(), made_anew(space)
    with torch.inference_mode():
        new.score(scores.clone(), y)  # what a first call makes, and keeps
    (got,) = torch.autograd.grad(new.score(leaf, y).sum(), leaf)
    if not torch.equal(got, y.to(place.dtype)):
        raise ViolationError("the gradient of score is not y", got=got, expected=y)


def _expect_sums(space: StructuredSpace, scores: Tensor, y: Tensor) -> None:
    """Raises unless the gradient for scores of one example is the sum of all structures that they score."""
    leaf = scores.double().requires_grad_()
    (got,) = torch.autograd.grad(space.score(leaf, y).sum(), leaf)
    expected = y.reshape(-1, *space.shape).sum(0).double()
    if not torch.equal(got, expected):
        message = "all structures, by the scores of one: the gradient for these is not the sum of the structures"
        raise ViolationError(message, got=got, expected=expected)


@law(target=per_example(strategies.targets), other=per_example(strategies.targets))
def hamming_counts_the_parts_that_differ(space: StructuredSpace, target: Tensor, other: Tensor) -> None:
    """hamming(target)(y) is the number of parts in which y differs from the target, of whatever dtype, 0 at the target.

    It knows the target as its best structure, and is the caller's own.
    """
    differing = (target != other).flatten(1).sum(1).double()
    for mode in Mode:
        with mode.on():
            got = space.hamming(target)(other).double()
        _expect_equal(got, differing, f"in mode {mode.name}, hamming is not the number of parts that differ")
    for dtype in (torch.float64, torch.bool, torch.uint8, torch.int64, torch.float16, torch.bfloat16, torch.float32):
        given = target.to(dtype)
        loss = space.hamming(given)
        message = f"targets of dtype {dtype}: hamming"
        _expect_equal(loss(other).double(), differing, f"{message} is not the number of parts that differ")
        _expect_equal(loss(target).double(), torch.zeros_like(differing), f"{message} of the target is not 0")
        if loss.best is not None and not torch.equal(loss.best.double().expand_as(target), target):
            raise ViolationError(f"{message} has another best structure", got=loss.best, expected=target)
        if not torch.equal(given.double(), target):
            raise ViolationError(f"{message} changed the target", got=given, expected=target)
    for batch in ((), (1, len(target)), (len(target), 1), (1, len(target), 1)):
        given, y = (it[0] if not batch else it.reshape(*batch, *space.shape) for it in (target, other))
        expected = differing[0] if not batch else differing.reshape(batch)
        message = f"in a batch of shape {batch}, hamming is not the number of parts that differ"
        loss = space.hamming(given)
        _expect_equal(loss(y).double(), expected, message)
        if loss.best is not None and not torch.equal(loss.best.double().expand_as(given), given):
            raise ViolationError(f"in a batch of shape {batch}, another best structure", got=loss.best, expected=given)


_costs = functools.partial(strategies.scores, dtype=torch.float64, forbidden=False, contiguous=True)


@law(costs=per_example(_costs), other=per_example(strategies.targets))
def regret_is_what_a_structure_costs_more(
    space: StructuredSpace, costs: Tensor, other: Tensor, *, tolerance: float = 0.0
) -> None:
    """regret(costs)(y) is what y costs beyond the best structure: at least 0, and 0 at the answer to -costs."""
    best = space.argmax(-costs)
    known = [("", space.regret(costs))]
    known += [(f", given the best and validate={it}", space.regret(costs, best, validate=it)) for it in (True, False)]
    known += [(f", given the best of dtype {it}", space.regret(costs, best.to(it), validate=False)) for it in ANY]
    expected = value(space, costs, other) - value(space, costs, best)
    rounding = 8 * torch.finfo(torch.float64).eps + tolerance
    largest = costs.abs().flatten(1).sum(1)
    for how, loss in known:
        for what, got, wanted in (("y", loss(other), expected), ("the best", loss(best), torch.zeros_like(expected))):
            for index in first(~((got - wanted).abs() <= rounding * largest)):
                message = f"the regret of {what} differs{how}"
                raise ViolationError(message, example=index, got=got[index].item(), expected=wanted[index].item())
    least = 1e-9 + 10 * tolerance
    worse = expected > least * (1 + largest)
    _expect_refused_as_the_best(space, costs[worse], other[worse])
    _expect_refused_as_the_best(space, *_nearly_the_best(best, other, 2 * least))
    turned = torch.stack([costs, costs, -costs])  # of which only two have the same best structures
    got, wanted = (loss(other) for loss in (space.regret(turned, space.argmax(-turned)), space.regret(turned)))
    for index in first(~((got - wanted).abs() <= rounding * largest)):
        message = "the regret differs in a batch of two dimensions, given the best"
        raise ViolationError(message, example=index, got=got[index].item(), expected=wanted[index].item())


def _expect_refused_as_the_best(space: StructuredSpace, costs: Tensor, worse: Tensor) -> None:
    if not len(worse):
        return
    try:
        loss = space.regret(costs, worse)
    except ArgumentError:
        return
    message = "structures that are not the best are not refused as the best"
    raise ViolationError(message, costs=costs, best=worse, got=loss, expected="ArgumentError")


def _nearly_the_best(one: Tensor, other: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Costs for which the others cost a share of all costs more than the ones, where they differ; and these others."""
    differ = (one != other).flatten(1).any(1)
    one, other = one[differ], other[differ]
    costs = ((one == 0) & (other == 0)).double().flatten(1)
    difference = ((other != 0).double() - (one != 0).double()).flatten(1)
    part = difference.abs().argmax(1, keepdim=True)
    more = share * (2 + costs.sum(1, keepdim=True)) * difference.gather(1, part)
    return costs.scatter(1, part, more).reshape(other.shape), other


@law(place=listed(lambda space: places(space, ANY)))
def losses_take_any_dtype_and_batch(
    space: StructuredSpace, place: Place, *, seed: int = 0, tolerance: float = 0.0
) -> None:
    """hamming takes targets and regret costs of any dtype and batch, and each example has the loss it has alone."""
    generator = torch.Generator().manual_seed(1000 * seed + place.row)  # others at each place
    some, shape = structures(space, 7, generator), (*place.batch, *space.shape)
    picked = torch.randint(len(some), (2, place.rows), generator=generator)
    target, other = (some[rows].reshape(shape) for rows in picked)
    parts = tuple(range(-len(space.shape), 0))
    several = other[None].expand(3, *shape)
    given: list[tuple[str, Callable[[Tensor], LinearLoss], Tensor, Tensor, float]]
    given = [("hamming", space.hamming, target.to(place.dtype), (target != other).double().sum(parts), 1e-9)]
    if place.dtype in FLOATING:
        costs = torch.randint(-7, 8, shape, generator=generator).double() / 4
        if place.dtype.itemsize == 2:  # numbers whose sums that dtype does not resolve
            costs += torch.finfo(place.dtype).eps * torch.randint(-2, 3, shape, generator=generator)
        regrets = value(space, costs, other) - value(space, costs, space.argmax(-costs))
        bound = (1e-9 + tolerance) * float(1 + costs.abs().sum(parts).amax())
        given += [("regret", space.regret, costs.to(place.dtype), regrets, bound)]
    for what, made_of, argument, expected, bound in given:
        loss = place.call(made_of, argument)
        if loss.best is not None and not (loss(loss.best.double().expand(shape)).double().abs() <= bound).all():
            raise ViolationError(f"{what} of {place.dtype} knows as the best what is not", got=loss.best)
        for y, wanted in ((other, expected), (several, expected.expand(3, *place.batch))):
            got = loss(y).double()
            if got.shape != wanted.shape or not ((got - wanted).abs() <= bound).all():
                raise ViolationError(f"{what} of {place.dtype} differs", got=got, expected=wanted)
        if argument.is_floating_point():
            got = made_of(argument.clone().requires_grad_())(other).double()
            if not ((got - expected).abs() <= bound).all():
                message = f"of what requires grad, {what} of {place.dtype} differs"
                raise ViolationError(message, got=got, expected=expected)
        others = (argument.reshape(-1, *space.shape).roll(1, 0)).reshape(shape).clone()
        made_of(argument)  # last of all calls, so that whatever is kept is of this tensor
        argument.data.copy_(others)  # which leaves the version as it was, as numpy's views do
        got, wanted = made_of(argument)(other).double(), made_of(others)(other).double()
        if not ((got - wanted).abs() <= bound).all():
            message = f"after others were written into the same tensor, {what} of {place.dtype} is as before"
            raise ViolationError(message, got=got, expected=wanted)


@law(place=listed(lambda space: places(space, ANY)))
def hamming_refuses_targets_outside(space: StructuredSpace, place: Place, *, seed: int = 0) -> None:
    """A target that is not in the space is refused by an ArgumentError, of any dtype, wherever it is in the batch."""
    some = structures(space, 7, torch.Generator().manual_seed(seed))
    target = some[torch.arange(place.rows) % len(some)]
    near = _neighbor_outside(space, target[place.row])
    twos = torch.full_like(near, 2)
    for wrong in (near, twos) if place.dtype != torch.bool else (near,):
        if torch.equal(wrong, target[place.row]):
            continue
        spoilt = target.clone()
        spoilt[place.row] = wrong
        given = spoilt.reshape(*place.batch, *space.shape).to(place.dtype)
        for where in (place.where, Where.IN_AUTOCAST):
            try:
                loss = where.run(functools.partial(space.hamming, given), place.dtype)
            except ArgumentError:
                continue
            message = f"the target {place.index} is outside the space and not refused ({where.name.lower()})"
            raise ViolationError(message, targets=given, got=loss, expected="ArgumentError")


def _neighbor_outside(space: StructuredSpace, y: Tensor) -> Tensor:
    """The structure with the first of its parts changed that makes it none; as it is if there is no such part."""
    flat = y.flatten()
    for part in range(min(len(flat), _PARTS_TRIED)):
        turned = torch.where(torch.arange(len(flat)) == part, 1 - flat, flat).reshape(y.shape)
        if not space.contains(turned):
            return turned
    return y


@law(loss=strategies.losses, target=strategies.targets)
def linear_loss_is_its_definition(space: StructuredSpace, loss: LinearLoss, target: Tensor) -> None:
    """loss(y) = constant + sum of coefficients times y, for each example."""
    parts = (loss.coefficients.double() * target).flatten(1).sum(1)
    _expect_equal(loss(target).double(), loss.constant + parts, "the loss differs from constant + <coefficients, y>")


def _expect_equal(got: Tensor, expected: Tensor, message: str) -> None:
    for index in first(~torch.isclose(got, expected, rtol=1e-9, atol=1e-9)):
        raise ViolationError(message, example=index, got=got[index].item(), expected=expected[index].item())
