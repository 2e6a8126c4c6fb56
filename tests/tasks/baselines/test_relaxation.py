"""What every relaxation shares with the objectives: how it is called, its noise, and what it refuses."""

import doctest
import importlib

import pytest
import torch

import structpred as sp
from tasks.baselines import GumbelSinkhorn, NeuralSort, Relaxation, RelaxSubSample

SUBSET, MATCHING = sp.KSubset(5, 2), sp.Matching(3)
RELAXATIONS = [GumbelSinkhorn(MATCHING, num_samples=3), NeuralSort(SUBSET, num_samples=3), RelaxSubSample(SUBSET)]
each = pytest.mark.parametrize("objective", RELAXATIONS, ids=lambda objective: type(objective).__name__)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def problem(objective: Relaxation) -> tuple[torch.Tensor, sp.LinearLoss]:
    scores = torch.randn(4, *objective.space.shape, generator=seeded())
    target = objective.space.argmax(torch.randn(scores.shape, generator=seeded(1)))
    return scores.requires_grad_(), objective.space.hamming(target)


@each
def test_the_loss_is_that_of_the_relaxed_noisy_scores(objective):
    scores, loss = problem(objective)
    scale = torch.full((4,) + (1,) * len(objective.space.shape), 0.5, requires_grad=True)
    solution = objective.solve(scores, loss, scale=scale, generator=seeded(2))
    noise = sp.Gumbel().sample((objective.num_samples, *scores.shape), generator=seeded(2))
    torch.testing.assert_close(solution.noise, noise)
    y = objective.relax(scores + scale * noise)
    torch.testing.assert_close(solution.prediction, y.detach())
    torch.testing.assert_close(solution.loss, loss(y))
    assert not solution.prediction.requires_grad
    number = objective(scores, loss, scale=scale, generator=seeded(2))
    torch.testing.assert_close(number, loss(y).mean())
    for gradient in torch.autograd.grad(number, [scores, scale]):
        assert gradient.any()


@each
def test_draws_differ_between_calls_and_without_noise_there_is_one(objective):
    scores, loss = problem(objective)
    generator = seeded()
    assert objective(scores, loss, generator=generator) != objective(scores, loss, generator=generator)
    quiet = type(objective)(objective.space, noise=None, num_samples=objective.num_samples)
    solution = quiet.solve(scores, loss)
    assert solution.noise is None
    assert solution.loss.shape == (1, 4)
    torch.testing.assert_close(solution.prediction[0], quiet.relax(scores).detach())


@each
def test_any_function_of_the_soft_structure_can_be_the_loss(objective):
    scores, _ = problem(objective)
    dims = tuple(range(-len(objective.space.shape), 0))
    solution = objective.solve(scores, lambda y: y.square().sum(dims), generator=seeded())
    torch.testing.assert_close(solution.loss.detach(), solution.prediction.square().sum(dims))
    solution.loss.sum().backward()
    assert scores.grad.any()


@each
def test_in_eval_mode_the_structure_is_the_exact_argmax_without_noise(objective):
    scores, loss = problem(objective)
    trained = type(objective)(objective.space).eval()
    solution = trained.solve(scores, loss)
    assert torch.equal(solution.prediction[0], objective.space.argmax(scores))
    assert torch.equal(solution.loss[0], loss(objective.space.argmax(scores)))


@each
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_scores_that_are_no_scores_are_refused(objective, bad):
    scores, loss = problem(objective)
    spoiled = scores.detach().clone()
    spoiled.view(-1)[0] = bad
    with pytest.raises(sp.ArgumentError, match="scores"):
        objective(spoiled, loss)


@each
def test_scores_that_leave_no_structure_are_refused(objective):
    scores, loss = problem(objective)
    with pytest.raises(sp.InfeasibleError):
        objective(torch.full_like(scores, -torch.inf), loss)


@pytest.mark.parametrize("temperature", [0, -1.0, float("inf"), float("nan"), "1", True])
def test_a_temperature_that_is_no_positive_number_is_refused(temperature):
    with pytest.raises(sp.ArgumentError, match="temperature: expected a positive finite number"):
        NeuralSort(SUBSET, temperature=temperature)
    objective = NeuralSort(SUBSET)
    with pytest.raises(sp.ArgumentError, match="temperature"):
        objective.temperature = temperature


def test_a_relaxation_shows_its_settings():
    assert "temperature=2.0" in repr(GumbelSinkhorn(MATCHING, temperature=2, iterations=7))
    assert "iterations=7" in repr(GumbelSinkhorn(MATCHING, temperature=2, iterations=7))


@pytest.mark.parametrize("name", ["gumbel_sinkhorn", "neural_sort", "relax_subsample"])
def test_examples_in_the_docstrings_hold(name):
    module = importlib.import_module(f"tasks.baselines.{name}")
    results = doctest.testmod(module)
    assert results.attempted
    assert not results.failed
