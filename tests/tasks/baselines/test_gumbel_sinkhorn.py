"""Gumbel-Sinkhorn against the definition: rows and columns divided by their sums, in turn."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import structpred as sp
from tasks.baselines import GumbelSinkhorn

seeds = st.integers(0, 2**32 - 1)


def random_scores(seed: int, *shape: int, size: float = 1.0) -> Tensor:
    return size * torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def by_division(scores: Tensor, temperature: float, iterations: int) -> Tensor:
    y = (scores / temperature).exp()
    for _ in range(iterations):
        y = y / y.sum(-1, keepdim=True)
        y = y / y.sum(-2, keepdim=True)
    return y


@given(seeds, st.integers(1, 6), st.sampled_from([0.5, 1.0, 3.0]), st.integers(1, 20))
def test_it_divides_rows_and_columns_by_their_sums_in_turn(seed, d, temperature, iterations):
    scores = random_scores(seed, 2, d, d)
    objective = GumbelSinkhorn(sp.Matching(d), temperature=temperature, iterations=iterations)
    torch.testing.assert_close(objective.relax(scores), by_division(scores, temperature, iterations))


@given(seeds, st.integers(2, 10))
def test_twenty_iterations_are_doubly_stochastic_to_tolerance(seed, d):
    y = GumbelSinkhorn(sp.Matching(d)).relax(random_scores(seed, 5, d, d))
    assert (y > 0).all()
    torch.testing.assert_close(y.sum(-2), torch.ones(5, d, dtype=torch.float64))
    torch.testing.assert_close(y.sum(-1), torch.ones(5, d, dtype=torch.float64), rtol=0, atol=1e-2)


@settings(max_examples=10)
@given(seeds)
def test_temperature_to_0_gives_the_hard_matching(seed):
    space = sp.Matching(4)
    every = space.enumerate().double()
    scores = random_scores(seed, 4, 4)
    two_best = (every * scores).sum((-1, -2)).topk(2).values
    temperature = float(two_best[0] - two_best[1]) / 20  # so that the second best weighs about exp(-20)
    objective = GumbelSinkhorn(space, temperature=temperature, iterations=2000)
    torch.testing.assert_close(objective.relax(scores), space.argmax(scores), rtol=0, atol=0.02)


def test_large_scores_neither_overflow_nor_lose_their_gradient():
    scores = random_scores(0, 3, 6, 6, size=1e4).float().requires_grad_()
    y = GumbelSinkhorn(sp.Matching(6), iterations=50).relax(scores)
    y.square().sum().backward()
    assert y.isfinite().all()
    assert scores.grad.isfinite().all()


@given(seeds)
def test_a_forbidden_part_weighs_nothing(seed):
    scores = random_scores(seed, 4, 4)
    scores[0, 1] = scores[2, 2] = -torch.inf
    scores.requires_grad_()
    y = GumbelSinkhorn(sp.Matching(4)).relax(scores)
    assert y[0, 1] == y[2, 2] == 0
    y.square().sum().backward()
    assert scores.grad.isfinite().all()


@pytest.mark.parametrize("space", [sp.Matching(2, 3), sp.KSubset(4, 2)])
def test_other_spaces_are_refused(space):
    with pytest.raises(sp.ArgumentError, match="space: expected matchings of as many rows as columns"):
        GumbelSinkhorn(space)


@pytest.mark.parametrize("iterations", [0, 1.5, True])
def test_other_iterations_are_refused(iterations):
    with pytest.raises(sp.ArgumentError, match="iterations: expected an integer of at least 1"):
        GumbelSinkhorn(sp.Matching(2), iterations=iterations)
