"""The identity layer: its projections, and a gradient that is handed on."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import structpred as sp

SCORES = torch.randn(4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
UPSTREAM = torch.randn(4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def plainly(scores: Tensor, projection: sp.Projection) -> Tensor:
    if projection in (sp.Projection.MEAN, sp.Projection.STD):
        scores = scores - scores.mean(-1, keepdim=True)
    if projection in (sp.Projection.NORM, sp.Projection.STD):
        scores = scores / scores.norm(dim=-1, keepdim=True)
    return scores


@pytest.mark.parametrize("projection", sp.Projection)
def test_the_gradient_is_that_of_the_projection(projection):
    layer = sp.Identity(sp.KSubset(5, 2), projection=projection)
    scores, leaf = (SCORES.clone().requires_grad_() for _ in range(2))
    y = layer(scores)
    assert torch.equal(y, layer.space.argmax(SCORES))  # no projection changes the order
    (y * UPSTREAM).sum().backward()
    (plainly(leaf, projection) * UPSTREAM).sum().backward()
    torch.testing.assert_close(scores.grad, leaf.grad)


@pytest.mark.parametrize("projection", sp.Projection)
def test_forbidden_parts_do_not_count(projection):
    layer = sp.Identity(sp.KSubset(5, 2), projection=projection)
    scores, leaf = SCORES.clone(), SCORES[:, :4].clone().requires_grad_()
    scores[:, 4] = -torch.inf
    scores.requires_grad_()
    (layer(scores) * UPSTREAM).sum().backward()
    (plainly(leaf, projection) * UPSTREAM[:, :4]).sum().backward()
    torch.testing.assert_close(scores.grad[:, :4], leaf.grad)
    assert not scores.grad[:, 4].any()


@pytest.mark.parametrize("projection", sp.Projection)
def test_equal_scores_have_a_finite_gradient(projection):
    scores = torch.zeros(2, 5, requires_grad=True)
    (sp.Identity(sp.KSubset(5, 2), projection=projection)(scores) * torch.arange(5)).sum().backward()
    assert scores.grad.isfinite().all()


@pytest.mark.parametrize("projection", [sp.Projection.MEAN, sp.Projection.STD])
def test_the_only_allowed_part_is_its_own_mean(projection):
    scores = torch.full((2, 5), -torch.inf, dtype=torch.float64)
    scores[:, 3] = SCORES[:2, 3]
    scores.requires_grad_()
    (sp.Identity(sp.OneHot(5), projection=projection)(scores) * UPSTREAM[:2]).sum().backward()
    assert not scores.grad.any()


def test_noise_is_in_units_of_the_projected_scores():
    space, generator = sp.OneHot(5), torch.Generator().manual_seed(0)
    layer = sp.Identity(space, projection=sp.Projection.STD, noise=sp.Normal(), scale=1e-3)
    assert torch.equal(layer(1e-9 * SCORES, generator=generator), space.argmax(SCORES))
