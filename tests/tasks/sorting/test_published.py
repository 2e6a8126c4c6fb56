"""The gradients of the authors' published code against a plain rendering of what it does, one repetition at a time."""

from __future__ import annotations

import math

import attrs
import pytest
import torch
from torch import Tensor

import structpred as sp
from tasks.common.settings import Scale
from tasks.sorting.config import AUTHORS, Decomposition, Weights
from tasks.sorting.losses import linear_loss
from tasks.sorting.published import AddedUp, undivided
from tasks.sorting.repetitions import Randomness, ScaleNetworks, ScoreNetworks, draw_sequences, gumbel_of_runs
from tasks.sorting.train import train

SPACE = sp.Matching(4)


def problem(seed: int) -> tuple[Tensor, sp.LinearLoss]:
    """Scores of 2 runs with 3 lists each, of which the first run's are far apart, and their losses."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(2, 3, 4, 4, generator=generator) * torch.tensor([30.0, 0.1]).reshape(2, 1, 1, 1)
    return scores, linear_loss(Decomposition.PUBLISHED, torch.rand(2, 3, 4, generator=generator))


def by_hand(scores: Tensor, loss: sp.LinearLoss, epsilon: float, factor: float) -> tuple[Tensor, float]:
    """y(eps) - y of one run, and the epsilon that it is left with: tries until some gradient is not zero."""
    y, shifted = SPACE.argmax(scores), scores.clone()
    while True:
        shifted += epsilon * loss.coefficients
        difference = SPACE.argmax(shifted) - y
        if difference.any() or loss(y).mean() <= 0:
            return difference, epsilon
        epsilon *= factor


@pytest.mark.parametrize("seed", range(5))
def test_epsilons_add_up_in_a_step_the_last_is_kept_and_nothing_is_divided(seed: int) -> None:
    policy = AddedUp(-0.5, 1.5)
    objective = sp.PerturbedDirectLoss(SPACE, epsilon=policy, noise=None, reduction="none")
    kept = [-0.5, -0.5]
    for step in range(3):
        scores, loss = problem(10 * seed + step)
        scores.requires_grad_()
        undivided(objective.solve(scores, loss)).sum().backward()
        for run in range(2):
            difference, kept[run] = by_hand(scores[run].detach(), loss[run], kept[run], 1.5)
            torch.testing.assert_close(scores.grad[run], -difference)  # epsilon is negative
        assert policy._last.tolist() == pytest.approx(kept)
    assert kept[0] < -0.5  # far scores: it had to grow


def test_runs_that_stopped_are_forgotten() -> None:
    policy = AddedUp(-2.0, 1.1)
    policy._last = torch.tensor([-1.0, -2.0, -3.0])
    policy.keep(torch.tensor([True, False, True]))
    start = policy.start(torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 4, 4), None, 2)
    assert start.tolist() == [[-1.0] * 3, [-3.0] * 3]


def test_growth_that_can_change_nothing_ends_in_an_error() -> None:
    loss = sp.LinearLoss(torch.zeros(1, 1, 4, 4), 1.0, event_dims=2)  # the same for all
    objective = sp.PerturbedDirectLoss(SPACE, epsilon=AddedUp(-1.0, 1e3), noise=None)
    with pytest.raises(sp.ArgumentError, match="epsilon"):
        objective(torch.zeros(1, 1, 4, 4), loss)


def test_the_noise_has_the_variance_asked_for() -> None:
    """Failure rate: the sample variance is off by 6 standard errors, below 1e-6."""
    noise = gumbel_of_runs(3.0, [torch.Generator().manual_seed(0)])
    assert noise.variance == pytest.approx(3.0)
    draws = noise.sample((100_000, 1, 1), dtype=torch.float64)
    assert draws.var().item() == pytest.approx(3.0, abs=6 * 3.0 * math.sqrt(4.4 / 100_000))
    assert draws.mean().item() == pytest.approx(0.0, abs=6 * math.sqrt(3 / 100_000))
    assert gumbel_of_runs(None, [torch.Generator()]).variance == pytest.approx(math.pi**2 / 6)


def test_a_run_is_the_plain_training_loop_with_undivided_gradients() -> None:
    """Seen in sigma, whose optimizer, unlike Adam, does not even out a constant factor."""
    training = attrs.evolve(AUTHORS, epochs=5, patience=None, scale_rate=0.05)
    random = Randomness.of(3)
    x, _ = draw_sequences(random.data, training.sequences, 4)
    scores, scale = ScoreNetworks(4, [random.scores]), ScaleNetworks(4, None, [random.scale])
    optimizers = [torch.optim.Adam(scores.parameters(), lr=0.1), torch.optim.SGD(scale.parameters(), lr=0.05)]
    noise = gumbel_of_runs(3.0, [random.noise])
    objective = sp.PerturbedDirectLoss(SPACE, epsilon=AddedUp(-12.0, 1.1), noise=noise, num_samples=5)
    sigmas = []
    for _ in range(training.epochs):
        sigma = scale(x[None])
        solution = objective.solve(scores(x[None]), linear_loss(Decomposition.PUBLISHED, x[None]), scale=sigma)
        difference = (solution.prediction - solution.augmented).detach()  # -(y(eps) - y), as epsilon is negative
        surrogate = (scores(x[None]) + sigma * solution.noise) * difference
        for optimizer in optimizers:
            optimizer.zero_grad()
        surrogate.sum((-1, -2)).mean().backward()
        for optimizer in optimizers:
            optimizer.step()
        sigmas.append(sigma.mean().item())
    (outcome,) = train(training, Scale.LEARNED, 4, [3])
    assert outcome.scale_path == pytest.approx(sigmas, rel=1e-4)
    assert abs(sigmas[-1] - sigmas[0]) > 0.01


def test_the_preset_keeps_its_last_weights_and_learns() -> None:
    assert AUTHORS.weights is Weights.LAST
    training = attrs.evolve(AUTHORS, epochs=120, patience=None)
    outcomes = train(training, Scale.LEARNED, 4, range(8))
    assert sum(outcome.wrong for outcome in outcomes) / 8 < 0.3
