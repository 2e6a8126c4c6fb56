"""The kernel by itself: what it solves, whom it names, what it refuses; and a layer that is made of it."""

from __future__ import annotations

import warnings

import attrs
import pytest
import torch
from torch import Tensor

import structpred as sp
from structpred.difference import direct_difference
from structpred.perturbation import perturb

SPACE = sp.OneHot(3)


class Blackbox(torch.autograd.Function):
    """The layer of Vlastelica et al. 2020: the structure forward, the direct difference along dL/dy backward."""

    @staticmethod
    def forward(ctx, scores, space, epsilon):
        y = space.argmax(scores)
        ctx.save_for_backward(scores, y)
        ctx.space, ctx.epsilon = space, epsilon
        return y

    @staticmethod
    def backward(ctx, upstream):
        scores, y = ctx.saved_tensors
        perturbed = perturb(ctx.space, scores, None, 1.0)
        found = direct_difference(ctx.space, perturbed, upstream, ctx.epsilon, prediction=y[None])
        return found.gradient[0], None, None


def test_a_blackbox_layer_is_made_of_the_kernel():
    space = sp.Matching(3)
    scores = torch.randn(5, 3, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    target = torch.eye(3).expand(5, 3, 3)
    y = Blackbox.apply(scores, space, sp.FixedEpsilon(-4.0))
    (y - target).square().sum().backward()
    direction = 2 * (y.detach() - target)
    expected = (space.argmax(scores - 4 * direction) - y) / -4
    torch.testing.assert_close(scores.grad, expected)
    assert scores.grad.any()


def test_a_direction_for_each_sample():
    scores = torch.randn(2, 3, generator=torch.Generator().manual_seed(0))
    perturbed = perturb(SPACE, scores, sp.Normal(), 1.0, 4, torch.Generator().manual_seed(0))
    direction = torch.randn(4, 2, 3, generator=torch.Generator().manual_seed(1))
    found = direct_difference(SPACE, perturbed, direction, sp.FixedEpsilon(3.0))
    assert found.epsilon.shape == (4, 2)
    assert torch.equal(found.augmented, SPACE.argmax(perturbed.scores + 3 * direction))
    assert direct_difference(SPACE, perturbed, direction, sp.RelativeToNoise()).epsilon.shape == (4, 2)


def test_growing_changes_no_structure_in_place():
    """The loss of y keeps y for its backward pass: coefficients that require grad."""
    space = sp.OneHot(2)
    coefficients = torch.tensor([[0.0, -1.0]], requires_grad=True)
    objective = sp.PerturbedDirectLoss(space, epsilon=sp.GrowUntilNonzero(-1.0), noise=None)
    solution = objective.solve(torch.tensor([[5.0, 0.0]]), sp.LinearLoss(coefficients, 1.0))
    assert solution.epsilon < -5
    solution.loss.sum().backward()
    assert torch.equal(coefficients.grad, torch.tensor([[1.0, 0.0]]))


@attrs.frozen
class Counting(sp.StructuredSpace):
    """One part out of three, and how many examples were solved at each call."""

    solved: list[int] = attrs.field(factory=list)

    shape = (3,)

    def _argmax(self, scores: Tensor) -> Tensor:
        self.solved.append(len(scores))
        return torch.nn.functional.one_hot(scores.argmax(-1), 3)

    def contains(self, y: Tensor) -> Tensor:
        return (y == 1).sum(-1) == 1


@pytest.mark.parametrize(
    ("known", "margin", "solves"), [(True, 0.0, 1), (False, 0.0, 2), (True, 0.5, 2), (False, 0.5, 3)]
)
def test_only_what_is_needed_is_solved_in_one_call(known, margin, solves):
    space, scores = Counting(), torch.randn(2, 3, generator=torch.Generator().manual_seed(0))
    prediction = SPACE.argmax(scores)[None] if known else None
    step = sp.FixedEpsilon(-1.0, margin=margin)
    perturbed = perturb(space, scores, None, 1.0)
    direct_difference(space, perturbed, torch.ones(2, 3), step, prediction=prediction)
    assert sum(space.solved) == 2 * solves


# --- whose fault it is


@pytest.mark.parametrize("epsilon", [1e39, 1e-39, -1e-300])
def test_a_step_that_the_scores_cannot_hold_is_refused(epsilon):
    loss = SPACE.hamming(torch.tensor([[0, 1, 0]]))
    with pytest.raises(sp.ArgumentError, match=r"epsilon: expected a number from 1.2e-38 to 3.4e\+38 in size, as fl"):
        sp.PerturbedDirectLoss(SPACE, epsilon=epsilon)(torch.zeros(1, 3), loss)


class Given(sp.Epsilon):
    def __init__(self, value: float) -> None:
        self.value = value

    def start(self, scores, direction, noise_std, event_dims):
        return torch.full(scores.shape[:1], self.value)


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf"), 1e-45])
def test_a_policy_that_returns_no_step_is_named(value):
    loss = SPACE.hamming(torch.tensor([[0, 1, 0]]))
    with pytest.raises(sp.ArgumentError, match=r"epsilon: expected a step that float32 holds, with its inverse"):
        sp.PerturbedDirectLoss(SPACE, epsilon=Given(value))(torch.zeros(1, 3), loss)


@pytest.mark.parametrize(
    ("scores", "scale", "coefficients", "message"),
    [
        (torch.nan, 1.0, 1.0, r"scores: expected finite numbers or -inf, got NaN in 3 of 6 entries"),
        (torch.inf, 1.0, 1.0, r"scores: expected finite numbers or -inf, got \+inf in 3 of 6 entries"),
        (0.0, torch.tensor(-1.0), 1.0, r"scale: expected positive finite entries, got entries from -1 to -1"),
        (0.0, 3e38, 1.0, r"scale: expected noise that the float32 scores can be added to"),
        (0.0, 1.0, 3e38, r"epsilon: expected a step after which scores are finite, got an overflow at 12"),
    ],
)
def test_what_is_not_finite_is_named(scores, scale, coefficients, message):
    scores = torch.tensor([[0.0] * 3, [scores] * 3])
    loss = sp.LinearLoss(coefficients * torch.tensor([[0.0, 1.0, 1.0]]).expand(2, 3))
    objective = sp.PerturbedDirectLoss(SPACE, epsilon=-12.0, num_samples=50)
    with pytest.raises(sp.ArgumentError, match=message):
        objective(scores, loss, scale=scale, generator=torch.Generator().manual_seed(0))


# --- whose examples are named


@attrs.frozen
class Slow(sp.StructuredSpace):
    """One part out of three; out of time wherever the first score is beyond 100, with or without an answer."""

    accept: bool

    shape = (3,)

    def _argmax(self, scores: Tensor) -> Tensor:
        y = torch.nn.functional.one_hot(scores.argmax(-1), 3)
        late = (scores[:, 0] > 100).nonzero().flatten().tolist()
        if late:
            raise sp.OutOfTimeError(late, y if self.accept else None)
        return y

    def contains(self, y: Tensor) -> Tensor:
        return y.sum(-1) == 1


@pytest.mark.parametrize(
    "case",
    [
        (torch.tensor([[0.0] * 3, [0.0] * 3, [101.0, 0.0, 0.0]]), False),  # at the first solve
        # the first example moves at once; the others when epsilon has grown, and the last one is late then
        (torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.5, 0.0], [0.0, 50.0, 0.0]]), True),
    ],
)
@pytest.mark.parametrize("margin", [0.0, 0.5, 1.0])
def test_a_solver_out_of_time_names_examples_of_the_batch(case, margin):
    scores, grows = case
    epsilon: sp.Epsilon = sp.FixedEpsilon(-1.0, margin=margin)
    if grows:
        epsilon = sp.GrowUntilNonzero(epsilon, factor=10.0, limit=1000.0, group_dims=1)
    loss = sp.LinearLoss(torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [-2.0, 1.0, 0.0]]), 2.0)
    settings = {"epsilon": epsilon, "noise": None}
    with pytest.raises(sp.SolverTimeoutError, match=r"the time limit ended the search in example 2;") as error:
        sp.PerturbedDirectLoss(Slow(accept=False), **settings)(scores, loss)
    assert error.value.examples == [(2,)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sp.PerturbedDirectLoss(Slow(accept=True), **settings)(scores, loss)
    assert caught
    assert all("ended the search in example 2;" in str(warning.message) for warning in caught)


def test_an_infeasible_example_is_named_once():
    scores = torch.zeros(2, 3)
    scores[1] = -torch.inf
    objective = sp.PerturbedDirectLoss(SPACE, num_samples=4)
    with pytest.raises(sp.InfeasibleError) as error:
        objective(scores, SPACE.hamming(torch.eye(3)[:2]))
    assert error.value.examples == [(1,)]


def test_an_error_of_a_policy_that_grows_the_step_keeps_its_words():
    space = sp.KSubset(4, 2)
    objective = sp.PerturbedDirectLoss(space, epsilon=sp.GrowUntilNonzero(-1.0, group_dims=1), scale=1.0)
    with pytest.raises(sp.ArgumentError, match=r"^scores: expected at least group_dims = 1 batch dimensions"):
        objective(torch.zeros(4), space.hamming(torch.tensor([1.0, 1.0, 0.0, 0.0])))
