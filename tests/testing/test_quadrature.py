"""Quadrature against closed forms."""

import pytest
import torch

import structpred as sp
from structpred.testing.quadrature import OneHotExpectation, edges_of_support

NOISES = [sp.Gumbel(), sp.Normal(), sp.Logistic(), sp.Uniform()]
SCORES = torch.tensor([0.3, -0.7, 1.1, 0.0], dtype=torch.float64)
COSTS = torch.tensor([1.0, 0.2, -0.7, 0.0], dtype=torch.float64)


def test_edges_are_those_of_the_support():
    assert [edges_of_support(noise) for noise in NOISES[:3]] == [[], [], []]
    assert edges_of_support(sp.Uniform()) == pytest.approx([-1, 1], abs=1e-12)


@pytest.mark.parametrize("sigma", [0.1, 1.0, 10.0])
def test_gumbel_noise_makes_a_softmax(sigma):
    """One-sided, from a state where one part is certain: what is left is the softmax itself."""
    certain = torch.tensor([1e3, 0.0, 0.0, 0.0], dtype=torch.float64) * sigma
    for_scores, _ = OneHotExpectation(sp.Gumbel(), sigma).direct_gradient(certain, SCORES - certain, 0.0, 1.0)
    expected = (SCORES / sigma).softmax(0) - torch.tensor([1.0, 0, 0, 0])
    torch.testing.assert_close(for_scores, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("sigma", [0.3, 2.0])
def test_gradients_are_those_of_the_logsumexp(sigma):
    scores, scale = SCORES.clone().requires_grad_(), torch.tensor(sigma, dtype=torch.float64, requires_grad=True)
    high, low = (scale * ((scores + step * COSTS) / scale).logsumexp(0) for step in (0.7, -0.7))
    expected = torch.autograd.grad((high - low) / 1.4, [scores, scale])
    got = OneHotExpectation(sp.Gumbel(), sigma).direct_gradient(SCORES, COSTS, -0.7, 0.7)
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-10)


def test_two_uniform_draws_differ_by_a_triangle():
    """P[s + u1 > u2] = 1 - (2 - s)^2 / 8 for 0 <= s <= 2."""
    scores = torch.tensor([0.0, 0.0], dtype=torch.float64)
    costs = torch.tensor([0.6, 0.0], dtype=torch.float64)
    for_scores, _ = OneHotExpectation(sp.Uniform(), 1.0).direct_gradient(scores, costs, 0.0, 1.0)
    assert for_scores[0].item() == pytest.approx(1 - (2 - 0.6) ** 2 / 8 - 0.5, abs=1e-12)


@pytest.mark.parametrize("noise", NOISES, ids=repr)
@pytest.mark.parametrize(("central", "order"), [(False, 1), (True, 2)])
def test_the_bias_falls_with_the_order_of_the_form(noise, central, order):
    exact = OneHotExpectation(noise, 1.0)
    limit, _ = exact.direct_gradient(SCORES, COSTS, -1e-3, 1e-3)

    def bias(epsilon):
        return (exact.direct_gradient(SCORES, COSTS, -epsilon if central else 0.0, epsilon)[0] - limit).norm().item()

    assert bias(0.1) / bias(0.05) == pytest.approx(2**order, rel=0.15)
