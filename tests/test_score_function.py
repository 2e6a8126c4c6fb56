"""The log-density of perturbed scores against torch's distributions."""

import pytest
import torch

import structpred as sp
from structpred.perturbation import perturb
from structpred.score_function import log_density


@pytest.mark.parametrize("scale", [0.5, torch.tensor([[0.5], [2.0]], dtype=torch.float64)], ids=["number", "tensor"])
def test_the_log_density_and_its_gradients_are_those_of_torch(scale):
    """In the losses a constant of each example cancels; here it counts."""
    space, scores = sp.OneHot(3), torch.tensor([[0.0, 1.0, 4.0], [2.0, -torch.inf, 3.0]], dtype=torch.float64)
    inputs = [scores.requires_grad_()]
    if isinstance(scale, torch.Tensor):
        inputs.append(scale.clone().requires_grad_())
        scale = inputs[1]
    perturbed = perturb(space, scores, sp.Normal(), scale, 5, torch.Generator().manual_seed(0))
    ours = log_density(space, sp.Normal(), perturbed, scores)
    allowed = scores.isfinite()
    mean = scores.where(allowed, 0.0)
    drawn = perturbed.scores.detach().where(allowed, 0.0)
    theirs = torch.distributions.Normal(mean, scale).log_prob(drawn).where(allowed, 0.0).sum(-1)
    torch.testing.assert_close(ours, theirs)
    for found, wanted in zip(
        torch.autograd.grad(ours.sum(), inputs), torch.autograd.grad(theirs.sum(), inputs), strict=True
    ):
        torch.testing.assert_close(found, wanted)
