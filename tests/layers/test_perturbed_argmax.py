"""The perturbed argmax: the mean of the draws, and a gradient by the score function."""

import pytest
import torch

import structpred as sp

SPACE = sp.KSubset(4, 2)
SCORES = torch.randn(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
WEIGHTS = torch.randn(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_the_gradient_is_that_of_the_formula():
    scores = SCORES.clone().requires_grad_()
    layer = sp.PerturbedArgmax(SPACE, noise=sp.Normal(), num_samples=5)
    y = layer(scores, scale=0.5, generator=torch.Generator().manual_seed(2))
    z = sp.Normal().sample((5, 3, 4), dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    each = SPACE.argmax(SCORES + 0.5 * z)
    torch.testing.assert_close(y, each.mean(0))
    (y * WEIGHTS).sum().backward()
    worth = (each * WEIGHTS).sum(-1)
    advantage = (worth - (worth.sum(0) - worth) / 4)[..., None]
    torch.testing.assert_close(scores.grad, (advantage * z / 0.5).mean(0))


def test_it_is_differentiable_for_losses_that_are_not_linear():
    scores = SCORES.clone().requires_grad_()
    sp.PerturbedArgmax(SPACE, num_samples=50)(scores).square().sum().sqrt().backward()
    assert scores.grad.any()


def test_after_eval_there_is_no_gradient():
    y = sp.PerturbedArgmax(SPACE).eval()(SCORES.clone().requires_grad_())
    assert torch.equal(y, SPACE.argmax(SCORES))
    with pytest.raises(sp.NoGradientError, match="a structure carries no gradient"):
        y.sum().backward()
