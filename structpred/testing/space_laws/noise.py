"""Where noise goes: spread, and Theorem 2."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch
from hypothesis.strategies import SearchStrategy
from torch import Tensor

from structpred.noise import Gumbel
from structpred.spaces.base import StructuredSpace
from structpred.testing import strategies
from structpred.testing._examples import listed, per_example
from structpred.testing.law import ViolationError, law
from structpred.testing.oracles import Same, can_list, first, structures_of, value
from structpred.testing.space_laws import _rows
from structpred.testing.space_laws._places import FLOATING, Place, places
from structpred.testing.space_laws.exchanges import exchanges
from structpred.testing.space_laws.grid import Mode, made_anew
from structpred.testing.strategies import Layout

_SOME = 16  # answers


def _noise(space: StructuredSpace, *, batch: Sequence[int]) -> SearchStrategy[Tensor]:
    return strategies.directions((*batch, *space.noise_shape), simple=True)


@law(one=per_example(_noise), other=per_example(_noise))
def spread_is_linear(space: StructuredSpace, one: Tensor, other: Tensor) -> None:
    """spread(2.5 a - b) = 2.5 spread(a) - spread(b), of any size: then sigma only scales what the noise does."""
    for size in (1.0, 2.0**20, 2.0**-20):
        got = space.spread(size * (2.5 * one - other))
        expected = size * (2.5 * space.spread(one) - space.spread(other))
        if got.shape != (len(one), *space.shape):
            message = "spread returns another shape"
            raise ViolationError(message, got=tuple(got.shape), expected=(len(one), *space.shape))
        for index in first(~torch.isclose(got, expected, rtol=1e-9, atol=1e-9 * size).flatten(1).all(1)):
            raise ViolationError("spread is not linear", example=index, got=got[index], expected=expected[index])


@law(noise=per_example(_noise), weights=per_example(strategies.directions_of, simple=True))
def spread_is_differentiable(space: StructuredSpace, noise: Tensor, weights: Tensor) -> None:
    """Autograd knows spread: the gradient of <w, spread(a)> for a, times a, is <w, spread(a)> again."""
    variable, arriving = noise.clone().requires_grad_(), weights.clone()
    laid = space.spread(variable)
    if not laid.requires_grad:
        raise ViolationError(
            "spread cuts the gradient", got="no gradient", expected="the gradient of a linear function"
        )
    result = (weights * laid.detach()).sum()
    (gradient,) = torch.autograd.grad(laid, variable, arriving)
    if not torch.equal(arriving, weights):
        raise ViolationError("the backward pass of spread wrote into what arrived", got=arriving, expected=weights)
    got = (gradient * noise).sum()
    if not torch.allclose(got, result, rtol=1e-9, atol=1e-9):
        raise ViolationError("the gradient is not that of spread", got=got.item(), expected=result.item())
    # One number an example, the same for all parts, as a sum hands it on.
    one_each = weights.flatten(1)[:, 0].reshape(-1, *(1,) * len(space.shape)).expand_as(weights)
    laid = space.spread(variable)
    expected, got = (
        torch.autograd.grad(laid, variable, it, retain_graph=True)[0] for it in (one_each.clone(), one_each)
    )
    if not torch.allclose(got, expected, rtol=1e-9, atol=1e-9):
        raise ViolationError("where what arrives is expanded, the gradient is another", got=got, expected=expected)
    turned = weights.movedim(-1, 0).contiguous().movedim(0, -1)  # the same numbers, in memory that is not contiguous
    (again,) = torch.autograd.grad(space.spread(variable), variable, turned)
    if not torch.allclose(again, gradient, rtol=1e-9, atol=1e-9):
        message = "where what arrives is not contiguous, the gradient is another"
        raise ViolationError(message, got=again, expected=gradient)


@law(place=listed(lambda space: places(space, FLOATING)))
def spread_takes_any_dtype_and_batch(space: StructuredSpace, place: Place, *, seed: int = 0) -> None:
    """In any dtype and batch, spread keeps the dtype, lays out each example as it does alone, and has its own adjoint.

    The gradient of <w, spread(a)> for a is that which gives <w, spread(b)> for every b. The noise is left as it is.
    """
    generator = torch.Generator().manual_seed(seed)
    shape = (*place.batch, *space.noise_shape)
    noise, other = (torch.randint(-16, 17, shape, generator=generator).to(place.dtype) / 16 for _ in range(2))
    weights = torch.randint(-16, 17, (*place.batch, *space.shape), generator=generator).double() / 16
    before = noise.clone()
    got = place.call(space.spread, noise)
    if (got.dtype, got.shape) != (place.dtype, weights.shape):
        shown = {"got": (got.dtype, tuple(got.shape)), "expected": (place.dtype, tuple(weights.shape))}
        raise ViolationError("spread has another dtype or shape", **shown)
    if not torch.equal(noise, before):
        raise ViolationError("spread changed the noise", got=noise, expected=before)
    for layout in Layout:
        if not torch.equal(space.spread(layout.lay(noise)), got):
            message = f"noise whose memory is {layout.name.lower()} is laid out otherwise"
            raise ViolationError(message, got=space.spread(layout.lay(noise)), expected=got)
    for mode in (Mode.NO_GRAD, Mode.INFERENCE):
        with mode.on():
            again = space.spread(noise)
        if not torch.equal(again, got):
            raise ViolationError(f"in mode {mode.name}, spread lays the noise out otherwise", got=again, expected=got)
    nothing = tuple(space.spread(torch.zeros(3, 0, *space.noise_shape)).shape)
    if nothing != (3, 0, *space.shape):
        raise ViolationError("of no examples, spread has another shape", got=nothing, expected=(3, 0, *space.shape))
    rounding = 8 * torch.finfo(place.dtype).eps * max(1, *space.noise_shape)
    rows, laid = noise.double().reshape(-1, *space.noise_shape), got.reshape(-1, *space.shape)
    for row in sorted({0, place.row, place.rows - 1}):
        if not torch.allclose(laid[row].double(), space.spread(rows[row]), rtol=rounding, atol=rounding):
            message = "an example is laid out otherwise than alone and in float64"
            raise ViolationError(message, example=row, got=laid[row], expected=space.spread(rows[row]))
    there = noise.clone()
    space.spread(there)
    there.copy_(other)
    if not torch.equal(space.spread(there), space.spread(other)):
        message = "after other noise was written into the same memory, spread answers as before"
        raise ViolationError(message, got=space.spread(there), expected=space.spread(other))
    new = made_anew(space)
    with torch.inference_mode():
        new.spread(noise.clone())
    own = noise.clone().requires_grad_()
    new.spread(own).sum().backward()
    if own.grad is None:
        raise ViolationError("after a call in inference mode, spread cuts the gradient")
    arriving = weights.to(place.dtype)
    space.spread(noise.clone().requires_grad_()).backward(arriving)
    if not torch.equal(arriving, weights.to(place.dtype)):
        message = f"in {place.dtype} the backward pass of spread wrote into what arrived"
        raise ViolationError(message, got=arriving, expected=weights)
    variable = noise.double().requires_grad_()
    (gradient,) = torch.autograd.grad((weights * new.spread(variable)).sum(), variable)
    along, expected = (gradient * other.double()).sum(), (weights * space.spread(other.double())).sum()
    if not torch.allclose(along, expected, rtol=1e-9, atol=1e-9):
        message = "the gradient for the noise is not the adjoint of spread"
        raise ViolationError(message, got=along.item(), expected=expected.item())


@law(
    scores=per_example(strategies.scores, dtype=torch.float64, moderate=True),
    seed=lambda space: strategies.seeds(),
    examples=3,
)
def noise_makes_the_answer_unique(space: StructuredSpace, scores: Tensor, seed: int) -> None:
    """Under noise of smooth density one structure is best with probability one, ties or not (Theorem 2).

    Where there is no list, the answers to other scores stand for all structures, and those near them.
    """
    structures = _some_or_all(Same(space))
    if len(structures) == 1:
        return
    alike = _alike(Same(space))
    if alike is not None:
        one, two = alike
        raise ViolationError("two structures have the same noise, whatever is drawn", one=one, other=two)
    generator = torch.Generator().manual_seed(seed)
    noise = Gumbel().sample((len(scores), *space.noise_shape), dtype=scores.dtype, generator=generator)
    perturbed = scores + space.spread(noise)
    values, best = value(space, perturbed[:, None], structures).topk(2, -1)
    # Rounding keeps equal sums apart by at most this; a smooth density comes as near with probability 1e-12.
    gap = 1e-13 * perturbed.masked_fill(perturbed.isinf(), 0).abs().flatten(1).sum(1)
    for (index,) in first((values[:, 0] - values[:, 1] <= gap) & values[:, 1].isfinite()):
        one, two = structures[best[index]]
        raise ViolationError(
            "two structures are both best under noise", example=index, got=values[index], one=one, other=two
        )


@functools.lru_cache(maxsize=4)
def _some_or_all(key: Same) -> Tensor:
    """All structures, or where there is no list as many different answers as there are to some scores, in float64."""
    space: StructuredSpace = key.it
    if can_list(space):
        return structures_of(space).double()
    some: Tensor = _rows.structures(space, _SOME, torch.Generator().manual_seed(0)).unique(dim=0)
    return some


@functools.lru_cache(maxsize=4)
def _alike(key: Same) -> tuple[Tensor, Tensor] | None:
    """Two structures that sum the same variables, or None: among all, or among those answers and what is near them."""
    space: StructuredSpace = key.it
    structures = _some_or_all(key)
    if not can_list(space):
        near = [exchanges(space, y)[: _rows.most_rows(space) // _SOME] for y in structures]
        structures = torch.cat([structures, *near]).unique(dim=0)
    variables = torch.zeros(len(structures), *space.noise_shape, dtype=torch.float64, requires_grad=True)
    laid = space.spread(variables)
    if not laid.requires_grad:
        return None
    (sums,) = torch.autograd.grad((laid * structures).sum(), variables)
    seen: dict[bytes, int] = {}
    for place, row in enumerate((sums + 0.0).flatten(1).numpy()):
        if (earlier := seen.setdefault(row.tobytes(), place)) != place:
            return structures[earlier], structures[place]
    return None
