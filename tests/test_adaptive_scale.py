"""A sigma that follows its own gradient: which way, how far, and what it leaves alone."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import structpred as sp

SPACE = sp.Matching(4)
TARGET = torch.eye(4).expand(6, 4, 4)
STEP = sp.RelativeToNoise()


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def scores_of(seed: int = 0) -> torch.Tensor:
    return torch.randn(6, 4, 4, generator=generator(seed))


def objective(**settings: object) -> sp.PerturbedDirectLoss:
    return sp.PerturbedDirectLoss(SPACE, **settings)  # type: ignore[arg-type]


def test_it_is_the_default_where_the_step_is_in_units_of_the_noise():
    assert isinstance(objective().scale, sp.AdaptiveScale)
    assert isinstance(objective(epsilon=sp.GrowUntilNonzero(STEP)).scale, sp.AdaptiveScale)
    assert objective(epsilon=-1.0).scale == 1.0
    assert objective(noise=None).scale == 1.0
    assert objective(noise=None).epsilon == sp.RelativeToNoise(-8.0, margin=0.0)
    assert objective().epsilon == sp.RelativeToNoise()
    assert objective(scale=2.0).scale == 2.0


@pytest.mark.parametrize("sign", [1, -1])
def test_noise_grows_where_scores_are_wrong_and_shrinks_where_they_are_right(sign):
    adaptive = objective()
    for seed in range(5):
        adaptive(sign * 3 * TARGET, SPACE.hamming(TARGET), generator=generator(seed))
    assert (adaptive.scale() < 1) == (sign > 0)


def test_it_starts_at_one_and_moves_by_a_tenth():
    scale = sp.AdaptiveScale()
    assert (float(scale()), scale.rate) == (1.0, 0.1)


def test_the_first_step_is_the_rate_and_later_ones_are_adagrads():
    scale = sp.AdaptiveScale(2.0, rate=0.1)
    slopes = [3.0, -1.0, 0.5]
    for slope in slopes:
        scale.update(torch.tensor([[-slope, 7.0]]), torch.tensor([[[1.0, 0.0]]]), 1)
    squares = [sum(s**2 for s in slopes[: n + 1]) for n in range(3)]
    expected = math.log(2) - 0.1 * sum(s / math.sqrt(q) for s, q in zip(slopes, squares, strict=True))
    assert math.log(scale()) == pytest.approx(expected, rel=1e-5)


def test_its_slope_is_the_derivative_of_the_expected_loss_averaged_over_the_step():
    """By quadrature of two parts: moving log sigma with the step tied to it. Deterministic but for the draws; at five
    standard errors it fails by chance less than once in a million times."""
    space, costs = sp.OneHot(2), torch.tensor([1.0, 0.0], dtype=torch.float64)
    scores, sigma, draws = torch.tensor([0.4, 0.0], dtype=torch.float64), 0.7, 200_000
    std = math.sqrt(sp.Gumbel().variance)

    def averaged(sigma: float) -> float:
        """The mean over t in (a, b) of P(part 0 wins), of which one Gumbel difference is logistic."""
        low, high = (step * sigma * std for step in (0.5, -3.0))
        t = torch.linspace(low, high, 20_001, dtype=torch.float64)
        return torch.trapezoid(torch.sigmoid((0.4 + t) / sigma), t).item() / (high - low)

    expected = (averaged(sigma * 1.001) - averaged(sigma / 1.001)) / (2 * math.log(1.001))
    step = sp.RelativeToNoise(-3.0, margin=1 / 6)
    direct = sp.PerturbedDirectLoss(space, epsilon=step, num_samples=draws, scale=sigma)
    found = direct.solve(scores[None], sp.LinearLoss(costs[None]), generator=generator())
    slopes = -(found.gradient[:, 0] * scores).sum(-1)
    assert abs(slopes.mean() - expected) < 5 * slopes.std() / math.sqrt(draws)


@given(factor=st.sampled_from([1e-25, 1e-3, 10.0, 1e25]), seed=st.integers(0, 20))
def test_a_factor_on_scores_and_start_or_on_the_loss_changes_nothing(factor, seed):
    paths = []
    for of_scores, of_loss in ((1.0, 1.0), (factor, 1.0), (1.0, factor)):
        adaptive = objective(scale=sp.AdaptiveScale(of_scores))
        loss = SPACE.hamming(TARGET)
        loss = sp.LinearLoss(of_loss * loss.coefficients, event_dims=2)
        for call in range(3):
            adaptive(of_scores * scores_of(seed + call).double(), loss, generator=generator(call))
        paths.append(adaptive.scale().item() / of_scores)
    assert paths[1:] == pytest.approx(paths[:1] * 2, rel=1e-4)


def test_runs_have_sigmas_of_their_own():
    scale = sp.AdaptiveScale(torch.ones(2, 1, 1, 1))
    stacked = objective(scale=scale, epsilon=sp.RelativeToNoise(group_dims=1), reduction="none")
    both = torch.stack([scores_of(0), scores_of(1)])
    solution = stacked.solve(both, SPACE.hamming(TARGET), generator=generator())
    slopes = (both * solution.gradient.mean(0)).sum((1, 2, 3))
    assert scale().shape == (2, 1, 1, 1)
    assert torch.equal(scale().flatten() > 1, slopes > 0)


def test_it_stays_where_nothing_is_learned():
    adaptive = objective()
    adaptive(scores_of(), SPACE.hamming(TARGET), scale=0.5)
    adaptive.eval()(scores_of(), SPACE.hamming(TARGET))
    no_loss = sp.LinearLoss(torch.zeros(6, 4, 4), event_dims=2)
    adaptive.train()(scores_of(), no_loss)
    assert adaptive.scale() == 1


def test_forbidden_parts_do_not_spoil_it():
    adaptive, scores = objective(), scores_of()
    scores[:, 0, 1] = -torch.inf
    adaptive(scores, SPACE.hamming(TARGET))
    assert adaptive.scale().isfinite()


def test_it_does_not_fall_below_the_rounding_of_the_scores():
    scale = sp.AdaptiveScale(1.0, rate=100.0)
    right, gradient = torch.tensor([[8.0, 0.0]]), torch.tensor([[[-1.0, 1.0]]])
    scale.update(right, gradient, 1)
    assert scale().item() == pytest.approx(8 * torch.finfo(torch.float32).eps, rel=1e-3)


def test_its_state_goes_on():
    one, other = objective(), objective()
    for seed in range(3):
        one(scores_of(seed), SPACE.hamming(TARGET), generator=generator(seed))
    other.load_state_dict(one.state_dict())
    for each in (one, other):
        each(scores_of(9), SPACE.hamming(TARGET), generator=generator(9))
    assert one.scale() == other.scale()


def test_it_needs_a_step_that_moves_with_it():
    fixed = objective(epsilon=-1.0, scale=sp.AdaptiveScale())
    with pytest.raises(sp.ArgumentError, match=r"epsilon: expected a step in units of the noise.*write Rel"):
        fixed(scores_of(), SPACE.hamming(TARGET))
    fixed(scores_of(), SPACE.hamming(TARGET), scale=1.0)


def test_a_sigma_for_each_variable_is_refused():
    each = objective(scale=sp.AdaptiveScale(torch.ones(1, 4, 4)))
    with pytest.raises(sp.ArgumentError, match="scale: expected an AdaptiveScale without a sigma for each variable"):
        each(scores_of(), SPACE.hamming(TARGET))


@pytest.mark.parametrize("kind", [sp.PerturbedFenchelYoungLoss, sp.ImplicitMLE, sp.ScoreFunctionLoss])
def test_others_refuse_it(kind):
    with pytest.raises(sp.ArgumentError, match=r"scale: expected a number or a tensor.*only PerturbedDirectLoss"):
        kind(SPACE, scale=sp.AdaptiveScale())


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"initial": 0.0}, "initial"),
        ({"initial": -1.0}, "initial"),
        ({"initial": torch.tensor([1.0, 0.0])}, "initial"),
        ({"rate": 0.0}, "rate"),
        ({"rate": math.nan}, "rate"),
    ],
)
def test_bad_settings_are_refused(settings, name):
    with pytest.raises(sp.ArgumentError, match=f"^{name}: expected"):
        sp.AdaptiveScale(**settings)
