"""The score-function estimate: its baseline, the losses it may learn from, what it refuses."""

from __future__ import annotations

import attrs
import pytest
import torch
from torch import Tensor

import structpred as sp
from structpred.score_function import others_mean

SPACE = sp.OneHot(3)
LOSS = SPACE.hamming(torch.eye(3)[:2])


def test_the_baseline_of_a_draw_is_the_mean_of_the_others():
    worth = torch.tensor([[1.0], [2.0], [6.0]])
    assert torch.equal(others_mean(worth), torch.tensor([[4.0], [3.5], [1.5]]))


def test_gradients_for_normal_noise_are_those_of_the_formula():
    """d log q / d scores = z / scale, and d log q / d scale = (z^2 - 1) / scale."""
    scores = torch.randn(2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    scale = torch.tensor([[0.5], [2.0]], dtype=torch.float64, requires_grad=True)
    objective = sp.ScoreFunctionLoss(SPACE, noise=sp.Normal(), num_samples=4, reduction="sum")
    solution = objective.solve(scores, LOSS, scale=scale, generator=torch.Generator().manual_seed(1))
    solution.loss.mean(0).sum().backward()
    z, loss = solution.noise, LOSS(solution.prediction.detach())
    advantage = (loss - (loss.sum(0) - loss) / 3)[..., None]
    torch.testing.assert_close(scores.grad, (advantage * z / scale).mean(0).detach())
    torch.testing.assert_close(scale.grad, (advantage * (z**2 - 1) / scale).mean(0).sum(-1, keepdim=True).detach())


def test_a_loss_may_be_any_function_of_the_structures():
    scores = torch.zeros(2, 3, requires_grad=True)

    def first_part(y: Tensor) -> Tensor:
        return (y.argmax(-1) == 0).float()

    objective = sp.ScoreFunctionLoss(SPACE, num_samples=1000)
    objective(scores, first_part, generator=torch.Generator().manual_seed(0)).backward()
    assert scores.grad[:, 0].gt(0).all()
    assert scores.grad[:, 1:].lt(0).all()


def test_a_function_that_returns_another_shape_is_refused():
    with pytest.raises(sp.ArgumentError, match=r"loss\(y\): expected one number a structure, of shape \(10, 2\)"):
        sp.ScoreFunctionLoss(SPACE)(torch.zeros(2, 3), lambda y: y.sum())


def test_after_eval_it_is_the_loss_of_the_structure_that_is_deployed():
    scores = torch.tensor([[0.0, 1.0, 2.0], [3.0, 1.0, 2.0]], requires_grad=True)
    value = sp.ScoreFunctionLoss(SPACE).eval()(scores, LOSS)
    assert value == LOSS(SPACE.argmax(scores)).mean()
    assert not value.requires_grad


@attrs.frozen
class Shared(sp.OneHot):
    """Parts with a common noise variable."""

    def spread(self, noise: Tensor) -> Tensor:
        return noise + noise.sum(-1, keepdim=True)


@pytest.mark.parametrize("kind", [sp.ScoreFunctionLoss, sp.PerturbedArgmax])
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"noise": None}, "noise: expected a Noise whose log_prob is finite everywhere, got None"),
        ({"noise": sp.Uniform()}, r"got Uniform\(\) \(Uniform\); write Gumbel\(\), Normal\(\) or Logistic\(\)"),
        ({"noise": sp.SumOfGamma(2)}, "noise: expected a Noise whose log_prob is finite everywhere, got SumOfGamma"),
        ({"num_samples": 1}, "num_samples: expected an integer of at least 2, one draw and another for its baseline"),
        ({"space": Shared(3)}, "space: expected a space whose every part has a noise variable of its own"),
    ],
)
def test_what_has_no_score_function_is_refused(kind, settings, message):
    with pytest.raises(sp.ArgumentError, match=message):
        kind(**({"space": SPACE} | settings))


def test_gradients_are_finite_beside_forbidden_parts():
    scores = torch.tensor([[-torch.inf, 1.0, 2.0], [0.0, 0.0, 0.0]], requires_grad=True)
    loss = SPACE.hamming(torch.tensor([[0, 1, 0], [1, 0, 0]]))
    scale = torch.ones(2, 1, requires_grad=True)
    sp.ScoreFunctionLoss(SPACE)(scores, loss, scale=scale).backward()
    assert scores.grad.isfinite().all()
    assert scale.grad.isfinite().all()
    assert scores.grad[0, 0] == 0
