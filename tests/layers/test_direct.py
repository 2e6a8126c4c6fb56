"""Blackbox and implicit MLE: what they return, and the difference that is their gradient."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import structpred as sp

SPACES = [sp.OneHot(4), sp.KSubset(5, 2), sp.Matching(3)]
spaces, seeds = st.sampled_from(SPACES), st.integers(0, 2**31)


def draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(space=spaces, seed=seeds, step=st.sampled_from([-3.0, 0.5]), margin=st.sampled_from([0.0, 0.25, 1.0]))
def test_blackbox_solves_again_along_the_gradient_that_arrives(space, seed, step, margin):
    scores, target = draw(seed, 3, *space.shape).requires_grad_(), draw(seed + 1, 3, *space.shape)
    y = sp.Blackbox(space, epsilon=sp.FixedEpsilon(step, margin=margin))(scores)
    assert torch.equal(y, space.argmax(scores))
    (y - target).square().sum().backward()
    direction = 2 * (y.detach() - target)
    ahead, behind = space.argmax(scores + step * direction), space.argmax(scores - margin * step * direction)
    torch.testing.assert_close(scores.grad, (ahead - behind) / ((1 + margin) * step))


@given(space=spaces, seed=seeds)
def test_implicit_mle_solves_again_under_the_same_noise(space, seed):
    scores, target = draw(seed, 3, *space.shape).requires_grad_(), draw(seed + 1, 3, *space.shape)
    scale = torch.full((3,) + (1,) * len(space.shape), 0.5, dtype=torch.float64, requires_grad=True)
    layer = sp.ImplicitMLE(space, epsilon=-2.0, num_samples=4)
    y = layer(scores, scale=scale, generator=torch.Generator().manual_seed(seed))
    noise = sp.Gumbel().sample(y.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    perturbed = scores.detach() + 0.5 * noise
    assert torch.equal(y, space.argmax(perturbed))
    ((y - target).square().sum()).backward()
    difference = (space.argmax(perturbed - 4 * (y.detach() - target)) - y.detach()) / -2
    torch.testing.assert_close(scores.grad, difference.sum(0))
    torch.testing.assert_close(scale.grad, (difference * noise).sum(0).flatten(1).sum(-1).reshape(scale.shape))


@pytest.mark.parametrize("kind", [sp.Blackbox, sp.ImplicitMLE, sp.Identity])
def test_samples_are_the_first_dimension(kind):
    space, scores = sp.Matching(3), draw(0, 2, 5, 3, 3)
    assert kind(space)(scores).shape == (2, 5, 3, 3)
    assert kind(space, noise=sp.Normal(), num_samples=4)(scores).shape == (4, 2, 5, 3, 3)
    assert kind(space, noise=None, num_samples=4)(scores).shape == (1, 2, 5, 3, 3)


def gradient(layer, scores, loss):
    leaf = scores.clone().requires_grad_()
    loss(layer(leaf, generator=torch.Generator().manual_seed(0))).backward()
    return leaf.grad


LAYERS = [
    sp.Blackbox(SPACES[1]),
    sp.ImplicitMLE(SPACES[1], num_samples=3),
    sp.Identity(SPACES[1], projection=sp.Projection.STD),
    sp.PerturbedArgmax(SPACES[1]),
]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_gradients_do_not_depend_on_the_unit_of_the_loss(layer):
    scores, target = draw(0, 8, 5), draw(1, 8, 5)
    whole = gradient(layer, scores, lambda y: (y - target).square().sum())
    mean = gradient(layer, scores, lambda y: (y - target).square().sum() / 8)
    assert whole.any()
    assert torch.equal(whole, 8 * mean)
    torch.testing.assert_close(gradient(layer, scores, lambda y: 1e-6 * (y - target).square().sum()), 1e-6 * whole)


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_after_eval_it_returns_what_is_deployed(layer):
    scores = draw(0, 8, 5)
    y = layer.eval()(scores)
    assert torch.equal(y.reshape(8, 5), layer.space.argmax(scores))
    layer.train()


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_types_come_back(layer, dtype):
    scores = draw(0, 8, 5).to(dtype).requires_grad_()
    y = layer(scores)
    y.sum(-1).square().sum().backward()
    assert y.dtype == scores.grad.dtype == dtype


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_forbidden_parts_have_no_gradient(layer):
    scores = draw(0, 8, 5)
    scores[:, 2] = -torch.inf
    found = gradient(layer, scores, lambda y: (y * draw(1, 8, 5)).sum())
    assert found.isfinite().all()
    assert found.any()
    assert not found[:, 2].any()


def test_the_adaptive_step_changes_in_training_mode_only():
    layer = sp.ImplicitMLE(SPACES[1], epsilon=sp.AdaptiveEpsilon(rate=0.25))
    assert set(layer.state_dict()) == {"epsilon.alpha", "epsilon.count"}
    before = layer.epsilon.alpha.item()
    gradient(layer, draw(0, 8, 5), lambda y: y.square().sum())
    assert abs(layer.epsilon.alpha.item() - before) == 0.25
    layer.eval()
    gradient(layer, draw(0, 8, 5), lambda y: y.square().sum())
    assert abs(layer.epsilon.alpha.item() - before) == 0.25


# --- bad input


@pytest.mark.parametrize("kind", [sp.Blackbox, sp.ImplicitMLE, sp.Identity, sp.PerturbedArgmax])
@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (torch.zeros(2, 4), r"scores: expected a tensor of shape \(\*batch, 3, 3\) for Matching"),
        (torch.zeros(2, 3, 3, dtype=torch.int64), r"scores: expected a floating point tensor.*scores.float\(\)"),
        (torch.full((2, 3, 3), torch.nan), r"scores: expected finite numbers or -inf, got NaN"),
    ],
)
def test_scores_of_another_kind_are_refused(kind, scores, message):
    with pytest.raises(sp.ArgumentError, match=message):
        kind(sp.Matching(3))(scores)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: sp.Blackbox(sp.OneHot(3), epsilon=0.0), "epsilon: expected a finite number other than 0"),
        (lambda: sp.Blackbox(3), "space: expected a StructuredSpace, got 3"),
        (lambda: sp.ImplicitMLE(sp.OneHot(3), noise="gumbel"), "noise: expected a Noise, or None for no noise"),
        (lambda: sp.ImplicitMLE(sp.OneHot(3), num_samples=0), "num_samples: expected an integer of at least 1"),
        (lambda: sp.Identity(sp.OneHot(3), projection="std"), "projection: expected a Projection, got 'std'"),
        (lambda: sp.AdaptiveEpsilon(decay=1.0), r"decay: expected a number in \[0, 1\), got 1.0"),
        (lambda: sp.AdaptiveEpsilon(decay="0.9"), "decay: expected a finite number, got '0.9'"),
        (lambda: sp.AdaptiveEpsilon(target=0), "target: expected a positive number, got 0"),
    ],
)
def test_wrong_settings_are_refused(make, message):
    with pytest.raises(sp.ArgumentError, match=message):
        make()


def test_a_gradient_that_is_not_finite_is_named():
    scores = torch.zeros(1, 3, requires_grad=True)
    y = sp.Blackbox(sp.OneHot(3))(scores)
    with pytest.raises(sp.ArgumentError, match=r"direction: expected finite entries, got \d others of 3 entries"):
        (y * torch.nan).sum().backward()
