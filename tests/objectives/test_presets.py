"""Direct loss minimization under other names."""

import pytest
import torch

import structpred as sp

SPACE = sp.Matching(3)
COSTS = torch.rand(4, 3, 3, generator=torch.Generator().manual_seed(0))
PREDICTED = torch.rand(4, 3, 3, generator=torch.Generator().manual_seed(1))


def decision(costs):
    return SPACE.argmax(-costs)


def gradient_for_costs(objective):
    predicted = PREDICTED.clone().requires_grad_()
    objective(-predicted, sp.LinearLoss(COSTS, event_dims=2)).backward()
    return 4 * predicted.grad


@pytest.mark.parametrize("central", [False, True])
def test_perturbation_gradients_are_differences_of_decisions(central):
    """PGB: (w(c_hat) - w(c_hat - h c)) / h; PGC: (w(c_hat + h c) - w(c_hat - h c)) / 2h."""
    h = 0.7
    ahead = decision(PREDICTED + h * COSTS) if central else decision(PREDICTED)
    expected = (ahead - decision(PREDICTED - h * COSTS)) / (2 * h if central else h)
    objective = sp.perturbation_gradient_loss(SPACE, step=h, central=central)
    # The surrogate's slope along the costs is the change of <costs, w>; its gradient is that of minus the decisions.
    torch.testing.assert_close(gradient_for_costs(objective), expected)


def test_blackbox_moves_towards_less_loss():
    expected = -(decision(PREDICTED) - decision(PREDICTED + 3 * COSTS)) / 3
    torch.testing.assert_close(gradient_for_costs(sp.blackbox_loss(SPACE, step=3.0)), expected)


@pytest.mark.parametrize("preset", [sp.perturbation_gradient_loss, sp.blackbox_loss])
def test_losses_are_reduced_as_they_are_told(preset):
    assert preset(SPACE).reduction == "mean"
    assert preset(SPACE, reduction="none")(-PREDICTED, sp.LinearLoss(COSTS, event_dims=2)).shape == (4,)


@pytest.mark.parametrize("preset", [sp.perturbation_gradient_loss, sp.blackbox_loss])
def test_a_step_is_positive(preset):
    with pytest.raises(sp.ArgumentError, match=r"step: expected a positive number, got -1"):
        preset(SPACE, step=-1)
