"""The noise on scores, and its size."""

from __future__ import annotations

import math

import pytest
import torch

import structpred as sp
from structpred.perturbation import perturb

SPACE = sp.OneHot(3)
STD = math.sqrt(sp.Logistic().variance)
PER_EXAMPLE = torch.tensor([[0.5], [2.0]])
PER_VARIABLE = torch.tensor([[3.0, 4.0, 0.5], [1.0, 1.0, 5.0]])


@pytest.mark.parametrize(
    ("scale", "size"),
    [
        (1.0, torch.tensor(1.0)),
        (3.0, torch.tensor(3.0)),
        (torch.tensor(3.0), torch.tensor(3.0)),
        (PER_EXAMPLE, torch.tensor([0.5, 2.0])),
        (PER_VARIABLE, torch.tensor([25.25 / 3, 27 / 3]).sqrt()),  # root mean square
    ],
)
def test_scaled_noise_is_added_and_its_size_is_said(scale, size):
    scores = torch.randn(2, 3, generator=torch.Generator().manual_seed(0))
    perturbed = perturb(SPACE, scores, sp.Logistic(), scale, 4, torch.Generator().manual_seed(1))
    draws = sp.Logistic().sample((4, 2, 3), generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(perturbed.scores, scores + scale * draws)
    torch.testing.assert_close(perturbed.noise_std, STD * size)


def test_the_size_of_the_noise_is_that_of_the_examples_own_variables():
    space = sp.SpaceBatch([sp.OneHot(2), sp.OneHot(3)])
    scale = torch.tensor([[3.0, 4.0, 1000.0], [1.0, 1.0, 5.0]])
    perturbed = perturb(space, torch.zeros(2, 3), sp.Logistic(), scale)
    torch.testing.assert_close(perturbed.noise_std, STD * torch.tensor([25 / 2, 27 / 3]).sqrt())


def test_without_noise_there_is_one_sample_of_the_scores_themselves():
    scores = torch.randn(2, 3, requires_grad=True)
    perturbed = perturb(SPACE, scores, None, 1.0, 4)
    assert torch.equal(perturbed.scores, scores[None])
    assert (perturbed.noise_std, perturbed.noise) == (None, None)
    assert not perturbed.unperturbed.requires_grad


def test_there_is_one_draw_unless_more_are_asked_for():
    scores = torch.zeros(2, 3, requires_grad=True)
    perturbed = perturb(SPACE, scores, sp.Logistic(), 1.0)
    assert perturbed.scores.shape == (1, 2, 3)
    assert not perturbed.unperturbed.requires_grad
