"""The perturbed direct loss: what a call returns, epsilon policies, shapes and types, bad input.

Its gradients are held against the laws of the test kit in tests/testing/test_shipped.py.
"""

from __future__ import annotations

import copy
import pickle

import attrs
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import structpred as sp


@attrs.frozen
class TwoOfPairs(sp.StructuredSpace):
    """One (left, right) pair, with a noise variable for each left and each right: parts are not variables."""

    n: int

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.n, self.n)

    @property
    def noise_shape(self) -> tuple[int, ...]:
        return (2, self.n)

    def spread(self, noise: Tensor) -> Tensor:
        return noise[..., 0, :, None] + noise[..., 1, None, :]

    def _argmax(self, scores: Tensor) -> Tensor:
        best = torch.nn.functional.one_hot(scores.flatten(1).argmax(-1), self.n**2)
        return best.reshape(scores.shape)

    def contains(self, y: Tensor) -> Tensor:
        return ((y == 0) | (y == 1)).flatten(-2).all(-1) & (y.sum((-1, -2)) == 1)


SPACES = [sp.OneHot(4), sp.KSubset(5, 2), sp.Matching(3), sp.Matching(2, 4), TwoOfPairs(3)]
BATCH = 3

spaces = st.sampled_from(SPACES)
seeds = st.integers(0, 2**31)


def draw(shape: tuple[int, ...], seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def problem(space: sp.StructuredSpace, seed: int) -> tuple[Tensor, sp.LinearLoss]:
    """Scores that require grad, and a loss with coefficients of any sign."""
    scores = draw((BATCH, *space.shape), seed).requires_grad_()
    loss = sp.LinearLoss(draw((BATCH, *space.shape), seed + 1), draw((BATCH,), seed + 2), event_dims=len(space.shape))
    return scores, loss


# --- what a call returns


@given(space=spaces, seed=seeds, epsilon=st.sampled_from([-2.0, 2.0]))
def test_without_noise_it_is_classical_direct_loss_minimization(space, seed, epsilon):
    scores, loss = problem(space, seed)
    solution = sp.PerturbedDirectLoss(space, epsilon=epsilon, noise=None, num_samples=4).solve(scores, loss)
    solution.loss.sum().backward()
    plain, augmented = space.argmax(scores), space.argmax(scores + epsilon * loss.coefficients)
    assert solution.noise is None
    assert solution.prediction.shape == (1, BATCH, *space.shape)
    torch.testing.assert_close(scores.grad, (augmented - plain) / epsilon)


@given(space=spaces, seed=seeds)
def test_value_is_the_mean_task_loss_of_the_predictions(space, seed):
    scores, loss = problem(space, seed)
    objective = sp.PerturbedDirectLoss(space, epsilon=-1.0, num_samples=4)
    value = objective(scores, loss, scale=0.5, generator=torch.Generator().manual_seed(seed))
    solution = objective.solve(scores, loss, scale=0.5, generator=torch.Generator().manual_seed(seed))
    assert value.shape == ()
    torch.testing.assert_close(value, loss(solution.prediction).mean())
    torch.testing.assert_close(solution.loss, loss(solution.prediction))
    assert space.contains(solution.prediction).all()
    assert space.contains(solution.augmented).all()


margins = st.sampled_from([0.0, 0.25, 1.0])


@given(space=spaces, seed=seeds, margin=margins)
def test_both_structures_see_the_same_noise(space, seed, margin):
    scores, _ = problem(space, seed)
    no_loss = sp.LinearLoss(torch.zeros_like(scores), event_dims=len(space.shape))
    step = sp.FixedEpsilon(-1.0, margin=margin)
    solution = sp.PerturbedDirectLoss(space, epsilon=step, num_samples=5).solve(scores, no_loss)
    assert torch.equal(solution.prediction, solution.augmented)
    assert not solution.gradient.any()
    assert solution.nonzero_fraction == 0


# --- epsilon policies at work


def stuck_problem() -> tuple[sp.OneHot, Tensor, sp.LinearLoss]:
    """Two examples that are wrong by margins of 3 and 5."""
    space = sp.OneHot(2)
    scores = torch.tensor([[3.0, 0.0], [5.0, 0.0]])
    return space, scores, space.hamming(torch.tensor([[0, 1], [0, 1]]))


@pytest.mark.parametrize("margin", [0.0, 0.25, 1.0])
def test_grow_until_nonzero_grows_until_one_example_moves(margin):
    space, scores, loss = stuck_problem()
    policy = sp.GrowUntilNonzero(sp.FixedEpsilon(-1.0, margin=margin), factor=1.25)
    solution = sp.PerturbedDirectLoss(space, epsilon=policy, noise=None).solve(scores, loss)
    # A step of epsilon moves the margin by 2 |epsilon|: 1.25^2 is the first power beyond 3 / 2.
    torch.testing.assert_close(solution.epsilon, torch.full((2,), -(1.25**2)))
    assert solution.nonzero_fraction == 0.5
    assert torch.equal(solution.augmented[0], torch.tensor([[0.0, 1.0], [1.0, 0.0]]))


def test_grow_until_nonzero_treats_groups_apart():
    space, scores, loss = stuck_problem()
    policy = sp.GrowUntilNonzero(-1.0, factor=1.25, group_dims=1)
    solution = sp.PerturbedDirectLoss(space, epsilon=policy, noise=None).solve(scores, loss)
    torch.testing.assert_close(solution.epsilon, torch.tensor([-(1.25**2), -(1.25**5)]))
    assert solution.nonzero_fraction == 1


def test_grow_until_nonzero_works_without_batch_dimensions():
    space, scores, _ = stuck_problem()
    loss = space.hamming(torch.tensor([0, 1]))
    solution = sp.PerturbedDirectLoss(space, epsilon=sp.GrowUntilNonzero(-1.0), noise=None).solve(scores[0], loss)
    assert solution.epsilon.shape == ()
    assert solution.epsilon < -1.5
    assert solution.nonzero_fraction == 1


def test_grow_until_nonzero_stays_where_there_is_nothing_to_gain():
    space, scores, _ = stuck_problem()
    loss = space.hamming(space.argmax(scores))
    solution = sp.PerturbedDirectLoss(space, epsilon=sp.GrowUntilNonzero(-0.1), noise=None).solve(scores, loss)
    assert solution.epsilon.eq(-0.1).all()


def test_grow_until_nonzero_gives_up_at_its_limit():
    space, scores, loss = stuck_problem()
    policy = sp.GrowUntilNonzero(-0.1, limit=3)
    solution = sp.PerturbedDirectLoss(space, epsilon=policy, noise=None).solve(scores, loss)
    torch.testing.assert_close(solution.epsilon, torch.full((2,), -0.3))
    assert solution.nonzero_fraction == 0


def test_epsilon_can_be_assigned_between_calls():
    space, scores, loss = stuck_problem()
    objective = sp.PerturbedDirectLoss(space, epsilon=-1.0, noise=None)
    assert objective.solve(scores, loss).nonzero_fraction == 0
    objective.epsilon = -2.0
    assert objective.epsilon == sp.FixedEpsilon(-2.0)
    assert objective.solve(scores, loss).nonzero_fraction == 0.5


# --- shapes, types and forbidden parts


@given(space=spaces, batch=st.sampled_from([(), (2,), (2, 3)]), seed=seeds, margin=margins)
def test_any_batch_dimensions(space, batch, seed, margin):
    scores = draw((*batch, *space.shape), seed).requires_grad_()
    target = space.argmax(draw((*batch, *space.shape), seed + 1))
    scale = torch.ones(*batch, *(1 for _ in space.noise_shape), dtype=torch.float64, requires_grad=True)
    objective = sp.PerturbedDirectLoss(space, epsilon=sp.FixedEpsilon(-1.0, margin=margin), num_samples=2)
    solution = objective.solve(scores, space.hamming(target), scale=scale)
    solution.loss.mean().backward()
    assert solution.loss.shape == (2, *batch)
    assert solution.gradient.shape == solution.augmented.shape == (2, *batch, *space.shape)
    assert solution.noise.shape == (2, *batch, *space.noise_shape)
    assert solution.epsilon.shape == batch
    assert scores.grad.shape == scores.shape
    assert scale.grad.shape == scale.shape


def test_an_empty_batch_has_solutions_but_no_mean():
    space = sp.KSubset(4, 2)
    scores, loss = torch.zeros(0, 4), sp.LinearLoss(torch.zeros(0, 4))
    objective = sp.PerturbedDirectLoss(space, epsilon=sp.GrowUntilNonzero(-1.0), num_samples=3)
    assert objective.solve(scores, loss).loss.shape == (3, 0)
    with pytest.raises(sp.ArgumentError, match=r"scores: expected at least one example, got a float32 tensor of shape"):
        objective(scores, loss)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_gradients_come_in_the_dtype_of_the_scores(dtype):
    space = sp.Matching(3)
    scores = torch.zeros(2, 3, 3, dtype=dtype, requires_grad=True)
    scale = torch.ones(2, 1, 1, dtype=dtype, requires_grad=True)
    loss = space.hamming(torch.eye(3).expand(2, 3, 3))
    sp.PerturbedDirectLoss(space, epsilon=-2.0, num_samples=3)(scores, loss, scale=scale).backward()
    assert scores.grad.dtype == scale.grad.dtype == dtype
    assert scores.grad.any()


@pytest.mark.parametrize("margin", [0.0, 0.25, 1.0])
def test_forbidden_parts_are_never_used_and_get_no_gradient(margin):
    space = sp.KSubset(4, 2)
    scores = torch.tensor([[0.0, -torch.inf, 0.1, 0.2]], requires_grad=True)
    scale = torch.tensor(1.0, requires_grad=True)
    objective = sp.PerturbedDirectLoss(space, epsilon=sp.FixedEpsilon(-5.0, margin=margin), num_samples=50)
    solution = objective.solve(scores, space.hamming(torch.tensor([[1, 1, 0, 0]])), scale=scale)
    solution.loss.mean().backward()
    assert not solution.prediction[..., 1].any()
    assert not solution.augmented[..., 1].any()
    assert scores.grad.isfinite().all()
    assert scale.grad.isfinite()
    assert scores.grad[0, 1] == 0
    assert scores.grad.any()


def test_a_loss_that_depends_on_parameters_is_differentiated_too():
    space = sp.OneHot(3)
    weight = torch.tensor(2.0, requires_grad=True)
    loss = sp.LinearLoss(weight * torch.tensor([[1.0, 2.0, 3.0]]))
    solution = sp.PerturbedDirectLoss(space, noise=None).solve(torch.tensor([[0.0, 9.0, 0.0]]), loss)
    solution.loss.sum().backward()
    assert weight.grad == 2


def test_a_generator_repeats_the_draws():
    space = sp.OneHot(5)
    scores, loss = problem(space, 0)
    objective = sp.PerturbedDirectLoss(space, epsilon=-1.0)

    def noise(seed: int) -> Tensor:
        return objective.solve(scores, loss, generator=torch.Generator().manual_seed(seed)).noise

    assert torch.equal(noise(1), noise(1))
    assert not torch.equal(noise(1), noise(2))


def test_nothing_is_recorded_under_no_grad():
    space = sp.OneHot(5)
    scores, loss = problem(space, 0)
    with torch.no_grad():
        assert not sp.PerturbedDirectLoss(space, epsilon=-1.0)(scores, loss).requires_grad


def test_the_objective_is_a_module_that_copies_pickles_and_reads_well():
    objective = sp.PerturbedDirectLoss(sp.Matching(3), epsilon=-12, num_samples=5)
    for other in (copy.deepcopy(objective), pickle.loads(pickle.dumps(objective))):
        assert (other.space, other.epsilon, other.noise) == (objective.space, objective.epsilon, objective.noise)
    assert objective.state_dict() == {}
    assert repr(objective) == (
        "PerturbedDirectLoss(space=Matching(rows=3, cols=3), noise=Gumbel(), scale=1.0, num_samples=5, "
        "reduction='mean', epsilon=FixedEpsilon(value=-12.0, margin=0.0))"
    )


def test_training_finds_the_classes_and_less_noise():
    """Both networks learn: four inputs get their classes, and sigma falls. Deterministic by its generators."""
    generator = torch.Generator().manual_seed(0)
    space = sp.OneHot(4)
    scores = torch.zeros(4, 4, requires_grad=True)
    log_scale = torch.zeros((), requires_grad=True)
    objective = sp.PerturbedDirectLoss(space, epsilon=-1.0, num_samples=20)
    optimizer = torch.optim.SGD([scores, log_scale], lr=1.0)
    loss = space.hamming(torch.eye(4))
    for _ in range(200):
        optimizer.zero_grad()
        objective(scores, loss, scale=log_scale.exp(), generator=generator).backward()
        optimizer.step()
    assert torch.equal(space.argmax(scores), torch.eye(4))
    assert log_scale < -0.1


# --- bad input


GOOD_LOSS = sp.LinearLoss(torch.ones(2, 4))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"epsilon": 0}, r"epsilon: expected a finite number other than 0, got 0 \(int\); negative moves towards"),
        ({"epsilon": float("nan")}, r"epsilon: expected a finite number, got nan \(float\)"),
        ({"epsilon": "12"}, r"epsilon: expected a finite number, got '12' \(str\)"),
        ({"num_samples": 0}, r"num_samples: expected an integer of at least 1, got 0 \(int\)"),
        ({"num_samples": 2.5}, r"num_samples: expected an integer of at least 1, got 2.5 \(float\)"),
        (
            {"noise": 1.0},
            r"noise: expected a Noise, or None for no noise, got 1.0 \(float\); write for example Gumbel\(\)",
        ),
        ({"space": 10}, r"space: expected a StructuredSpace, got 10 \(int\); write for example Matching\(10\)"),
    ],
)
def test_bad_settings_are_refused(arguments, message):
    settings = {"space": sp.OneHot(4), "epsilon": -1.0} | arguments
    with pytest.raises(sp.ArgumentError, match=message):
        sp.PerturbedDirectLoss(settings.pop("space"), **settings)


@pytest.mark.parametrize(
    ("scores", "scale", "loss", "message"),
    [
        (torch.zeros(2, 5), 1.0, GOOD_LOSS, r"scores: expected a tensor of shape \(\*batch, 4\) for OneHot\(n=4\)"),
        (torch.zeros(2, 4).int(), 1.0, GOOD_LOSS, r"scores: expected a floating point tensor, got an? int32.*float"),
        ([[0.0] * 4], 1.0, GOOD_LOSS, r"scores: expected a torch tensor, got .*torch.as_tensor\(scores\)"),
        (torch.full((2, 4), torch.nan), 1.0, GOOD_LOSS, r"scores: expected finite numbers or -inf, got NaN in"),
        (torch.full((2, 4), torch.inf), 1.0, GOOD_LOSS, r"scores: expected finite numbers or -inf, got \+inf in"),
        (torch.zeros(2, 4), 0.0, GOOD_LOSS, r"scale: expected a positive number, got 0.0 .*noise=None means no noise"),
        (torch.zeros(2, 4), -torch.ones(2, 1), GOOD_LOSS, r"scale: expected positive finite entries, got .*Softplus"),
        (torch.zeros(2, 4), torch.ones(2), GOOD_LOSS, r"scale: expected a number or a tensor of 2 dim.*\(2, 1\)"),
        (torch.zeros(2, 4), torch.ones(3, 1), GOOD_LOSS, r"scale: expected .* that broadcasts to \(2, 4\), got a"),
        (torch.zeros(2, 4), 1.0, torch.ones(2, 4), r"loss: expected a LinearLoss, got a float32 tensor.*hamming"),
        (torch.zeros(2, 4), 1.0, sp.LinearLoss(torch.ones(2, 5)), r"loss.coefficients: expected a tensor of shape"),
        (torch.zeros(2, 4), 1.0, sp.LinearLoss(torch.ones(3, 4)), r"loss.coefficients: .*broadcasts to \(2, 4\)"),
        (torch.zeros(4), 1.0, GOOD_LOSS, r"loss.coefficients: expected .* broadcasts to \(4,\)"),
        (torch.zeros(2, 4), 1.0, sp.LinearLoss(torch.ones(2, 4), torch.ones(3)), r"loss.constant: .* to \(2,\)"),
    ],
)  # fmt: skip
def test_bad_calls_are_refused(scores, scale, loss, message):
    with pytest.raises(sp.ArgumentError, match=message):
        sp.PerturbedDirectLoss(sp.OneHot(4), epsilon=-1.0)(scores, loss, scale=scale)


def test_an_example_with_nothing_left_is_named():
    scores = torch.zeros(2, 4)
    scores[1] = -torch.inf
    with pytest.raises(sp.InfeasibleError, match=r"forbidden by -inf in example 1; allow more"):
        sp.PerturbedDirectLoss(sp.OneHot(4), epsilon=-1.0)(scores, GOOD_LOSS)
