"""Fenchel-Young, perceptron, hinge and SPO+ against their formulas, and what they may learn from."""

from __future__ import annotations

import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import structpred as sp

SPACES = [sp.OneHot(4), sp.KSubset(5, 2), sp.Matching(3)]
spaces, seeds = st.sampled_from(SPACES), st.integers(0, 2**31)
MARGIN = [sp.StructuredHingeLoss, sp.SPOPlusLoss]
POTENTIALS = [sp.PerturbedFenchelYoungLoss, sp.StructuredPerceptronLoss, *MARGIN]


def draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def best_of(space: sp.StructuredSpace, scores: Tensor) -> Tensor:
    """The largest score of a structure, by trying all: ``(n, *shape) -> (n)``."""
    return (scores.flatten(1) @ space.enumerate().to(scores.dtype).flatten(1).T).amax(1)


@given(space=spaces, seed=seeds)
def test_values_are_those_of_the_formulas(space, seed):
    scores, costs = draw(seed, 3, *space.shape), draw(seed + 1, 3, *space.shape)
    target = space.argmax(-costs)
    regret = space.regret(costs)
    at = space.score(scores, target)
    values = {
        sp.StructuredPerceptronLoss: best_of(space, scores) - at,
        sp.StructuredHingeLoss: best_of(space, scores + costs) - at - space.score(costs, target),
        sp.SPOPlusLoss: best_of(space, costs + 2 * scores) - 2 * at - space.score(costs, target),
    }
    for kind, expected in values.items():
        torch.testing.assert_close(kind(space, reduction="none")(scores, regret), expected)


@given(space=spaces, seed=seeds)
def test_fenchel_young_compares_the_noisy_argmax_with_the_target(space, seed):
    scores, target = draw(seed, 3, *space.shape).requires_grad_(), space.argmax(draw(seed + 1, 3, *space.shape))
    objective = sp.PerturbedFenchelYoungLoss(space, num_samples=4, reduction="sum")
    solution = objective.solve(scores, target, scale=0.5, generator=torch.Generator().manual_seed(seed))
    perturbed = scores.detach() + 0.5 * solution.noise
    assert torch.equal(solution.prediction, space.argmax(perturbed))
    torch.testing.assert_close(solution.loss, space.score(perturbed, solution.prediction - target))
    objective(scores, target, scale=0.5, generator=torch.Generator().manual_seed(seed)).backward()
    torch.testing.assert_close(scores.grad, solution.prediction.mean(0) - target)


@given(space=spaces, seed=seeds, kind=st.sampled_from(MARGIN))
def test_a_margin_bounds_the_loss_of_the_prediction(space, seed, kind):
    scores, regret = draw(seed, 3, *space.shape), space.regret(draw(seed + 1, 3, *space.shape))
    assert (kind(space, reduction="none")(scores, regret) >= regret(space.argmax(scores)) - 1e-9).all()


@given(seed=seeds)
def test_spo_plus_is_the_hinge_of_twice_the_scores(seed):
    space = sp.Matching(3)
    scores, regret = draw(seed, 2, 3, 3), space.regret(draw(seed + 1, 2, 3, 3))
    assert torch.equal(sp.SPOPlusLoss(space)(scores, regret), sp.StructuredHingeLoss(space)(2 * scores, regret))


@pytest.mark.parametrize("kind", MARGIN)
def test_coefficients_that_require_grad_are_differentiated(kind):
    space, costs = sp.OneHot(3), torch.tensor([[1.0, 2.0, 0.0]], requires_grad=True)
    solution = kind(space).solve(torch.tensor([[2.0, 0.0, 0.0]]), sp.LinearLoss(costs))
    solution.loss.sum().backward()
    assert torch.equal(costs.grad, (solution.prediction - solution.target)[0])


@pytest.mark.parametrize("kind", POTENTIALS)
def test_after_eval_there_is_no_noise(kind):
    space = sp.OneHot(3)
    objective, scores = kind(space).eval(), draw(0, 2, 3)
    loss = space.hamming(torch.eye(3)[:2])
    without = kind(space, noise=None)
    assert torch.equal(objective(scores, loss), without(scores, loss))
    assert objective.solve(scores, loss).noise is None


# --- what they learn from


@pytest.mark.parametrize("kind", POTENTIALS)
def test_a_loss_that_does_not_know_its_best_structure_is_solved_for_it(kind):
    space, costs = sp.Matching(3), draw(1, 4, 3, 3)
    known, unknown = space.regret(costs), sp.LinearLoss(costs, event_dims=2)
    for loss in (known, unknown):
        assert torch.equal(kind(space).solve(draw(0, 4, 3, 3), loss).target, known.best)


def test_the_best_structure_does_without_forbidden_parts():
    scores = torch.tensor([[-torch.inf, 0.0, 0.0]])
    solution = sp.StructuredPerceptronLoss(sp.OneHot(3)).solve(scores, sp.LinearLoss(torch.tensor([[0.0, 2.0, 1.0]])))
    assert solution.target.tolist() == [[0, 0, 1]]
    assert solution.loss.isfinite().all()


@pytest.mark.parametrize("kind", POTENTIALS)
def test_a_target_that_is_forbidden_is_refused(kind):
    space, scores = sp.OneHot(3), torch.zeros(2, 3)
    scores[1, 0] = -torch.inf
    message = re.escape("scores: expected finite scores of the target's parts, got -inf in example 1; allow those")
    with pytest.raises(sp.ArgumentError, match=message):
        kind(space)(scores, space.hamming(torch.tensor([[0, 1, 0], [1, 0, 0]])))


def test_a_target_that_is_forbidden_is_named_among_several_dimensions():
    space, scores = sp.OneHot(3), torch.zeros(2, 2, 3)
    scores[1, 0, 2] = -torch.inf
    with pytest.raises(sp.ArgumentError, match=re.escape("got -inf in example (1, 0); allow")):
        sp.StructuredPerceptronLoss(space)(scores, space.hamming(torch.tensor([0, 0, 1]).expand(2, 2, 3)))


@pytest.mark.parametrize("kind", POTENTIALS)
def test_gradients_are_finite_beside_forbidden_parts(kind):
    space = sp.KSubset(4, 2)
    scores = torch.tensor([[-torch.inf, 1.0, 2.0, 0.0]], requires_grad=True)
    kind(space)(scores, space.hamming(torch.tensor([[0, 1, 0, 1]]))).backward()
    assert scores.grad.isfinite().all()
    assert scores.grad[0, 0] == 0


@pytest.mark.parametrize(
    ("kind", "supervision", "message"),
    [
        (sp.SPOPlusLoss, torch.eye(3), "loss: expected a LinearLoss, got a float32 tensor"),
        (sp.StructuredHingeLoss, torch.eye(3), "write for example space.hamming(target), or space.regret(costs)"),
        (sp.PerturbedDirectLoss, torch.eye(3), "loss: expected a LinearLoss, got a float32 tensor"),
        (sp.ScoreFunctionLoss, torch.eye(3), "loss: expected a LinearLoss, got a float32 tensor"),
        (sp.PerturbedDirectLoss, torch.sum, "for a loss that is not linear in y take a layer, Blackbox(space)"),
        (sp.PerturbedFenchelYoungLoss, torch.sum, "take a layer, Blackbox(space) say, or ScoreFunctionLoss(space)"),
        (sp.StructuredPerceptronLoss, 3, "supervision: expected a target structure or a LinearLoss, got 3 (int)"),
        (sp.PerturbedFenchelYoungLoss, torch.ones(3, 3), "target: expected structures of OneHot(n=3), got others in"),
        (sp.PerturbedFenchelYoungLoss, torch.eye(4), "target: expected a tensor of shape (*batch, 3)"),
        (sp.PerturbedFenchelYoungLoss, torch.eye(3)[:2], "target: expected a tensor that broadcasts to (3, 3)"),
    ],
)
def test_supervision_of_the_wrong_kind_is_refused(kind, supervision, message):
    with pytest.raises(sp.ArgumentError, match=re.escape(message)):
        kind(sp.OneHot(3))(torch.zeros(3, 3), supervision)


@pytest.mark.parametrize("kind", [*POTENTIALS, sp.PerturbedDirectLoss, sp.ScoreFunctionLoss])
def test_integer_scores_are_refused(kind):
    space = sp.OneHot(3)
    with pytest.raises(sp.ArgumentError, match=r"scores: expected a floating point tensor.*write scores.float\(\)"):
        kind(space)(torch.zeros(3, 3, dtype=torch.int64), space.hamming(torch.eye(3)))


def test_solutions_are_told_apart_as_objects_and_show_their_mean_loss():
    space = sp.OneHot(3)
    target = torch.tensor([[1.0, 0.0, 0.0]] * 2)
    loss = sp.StructuredPerceptronLoss(space)
    one, other = (loss.solve(torch.tensor([[0.0, 1.0, 0.0], [0.0, 3.0, 0.0]]), target) for _ in range(2))
    assert one == one
    assert one != other
    assert len({one, other}) == 2
    assert repr(one) == "PotentialSolution(mean loss 2, samples=1, batch=(2,))"
