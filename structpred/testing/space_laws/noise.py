"""Where noise goes: spread, and Theorem 2."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from hypothesis.strategies import SearchStrategy
from torch import Tensor

from structpred.noise import Gumbel
from structpred.spaces.base import StructuredSpace
from structpred.testing import strategies
from structpred.testing._examples import per_example
from structpred.testing.law import ViolationError, law
from structpred.testing.oracles import enumerable, first, structures_of, value


def _noise(space: StructuredSpace, *, batch: Sequence[int]) -> SearchStrategy[Tensor]:
    return strategies.directions((*batch, *space.noise_shape), simple=True)


@law(one=per_example(_noise), other=per_example(_noise))
def spread_is_linear(space: StructuredSpace, one: Tensor, other: Tensor) -> None:
    """spread(2.5 a - b) = 2.5 spread(a) - spread(b): then sigma only scales what the noise does."""
    got = space.spread(2.5 * one - other)
    expected = 2.5 * space.spread(one) - space.spread(other)
    if got.shape != (len(one), *space.shape):
        raise ViolationError("spread returns another shape", got=tuple(got.shape), expected=(len(one), *space.shape))
    for index in first(~torch.isclose(got, expected, rtol=1e-9, atol=1e-9).flatten(1).all(1)):
        raise ViolationError("spread is not linear", example=index, got=got[index], expected=expected[index])


@law(noise=per_example(_noise))
def spread_treats_examples_apart(space: StructuredSpace, noise: Tensor) -> None:
    """The spread of a batch is the spread of each example, for any batch dimensions, empty ones included."""
    together = space.spread(noise)
    for example, single in enumerate(noise):
        if not torch.allclose(together[example], space.spread(single), rtol=1e-9, atol=1e-9):
            raise ViolationError(
                "spread of a batch differs from spread of its example", example=example, got=together[example],
                expected=space.spread(single),
            )  # fmt: skip
    for batch in [(2, 3), (0,)]:
        got = tuple(space.spread(torch.zeros(*batch, *space.noise_shape)).shape)
        if got != (*batch, *space.shape):
            raise ViolationError("spread returns another shape", got=got, expected=(*batch, *space.shape))


@law(noise=per_example(_noise), weights=per_example(strategies.directions_of, simple=True))
def spread_is_differentiable(space: StructuredSpace, noise: Tensor, weights: Tensor) -> None:
    """Autograd knows spread: the gradient of <w, spread(a)> for a, times a, is <w, spread(a)> again."""
    variable = noise.clone().requires_grad_()
    result = (weights * space.spread(variable)).sum()
    if not result.requires_grad:
        raise ViolationError(
            "spread cuts the gradient", got="no gradient", expected="the gradient of a linear function"
        )
    (gradient,) = torch.autograd.grad(result, variable)
    got = (gradient * noise).sum()
    if not torch.allclose(got, result, rtol=1e-9, atol=1e-9):
        raise ViolationError("the gradient is not that of spread", got=got.item(), expected=result.item())


@law(
    scores=per_example(strategies.scores, dtype=torch.float64, moderate=True),
    seed=lambda space: strategies.seeds(),
    needs=enumerable,
)
def noise_makes_the_answer_unique(space: StructuredSpace, scores: Tensor, seed: int) -> None:
    """Under noise of smooth density one structure is best with probability one, ties or not (Theorem 2)."""
    structures = structures_of(space).double()
    if len(structures) == 1:
        return
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
