import math

import pytest
import torch

import structpred as sp
from tasks.planning.data import ShortestPaths
from tasks.planning.objectives import Method, StepOfSeeds, objective
from tasks.planning.seeds import NoiseOfSeeds, Stream, generators

SEEDS = [100_000, 100_001]
(INSTANCES,) = ShortestPaths(height=3, width=3, train_rows=50, test_rows=1).draw(SEEDS)
ROWS = INSTANCES.train
SCORES = torch.randn(2, 50, 12, generator=torch.Generator().manual_seed(0))
NOISY = [Method.DIRECT, Method.DIRECT_FIXED, Method.FENCHEL_YOUNG, Method.SCORE_FUNCTION]


def values_and_gradients(method: Method, knobs: list[float]) -> tuple[torch.Tensor, torch.Tensor]:
    scores = SCORES.clone().requires_grad_()
    loss = objective(method, INSTANCES, knobs)(scores, ROWS)
    loss.sum().backward()
    assert scores.grad is not None
    return loss.detach(), scores.grad


def test_the_squared_error_is_that_of_the_costs() -> None:
    mse = objective(Method.MSE, INSTANCES, [1.0, 1.0])
    assert mse(-ROWS.costs, ROWS).eq(0).all()
    torch.testing.assert_close(mse(2 - ROWS.costs, ROWS), torch.full((2, 50), 4.0))


def test_hinge_and_spo_plus_add_their_knob_times_the_costs() -> None:
    space, knobs = INSTANCES.space, [0.5, 2.0]
    for method, factor in ((Method.HINGE, 1), (Method.SPO_PLUS, 2)):
        _, gradient = values_and_gradients(method, knobs)
        augmented = factor * SCORES + torch.tensor(knobs)[:, None, None] * ROWS.costs
        torch.testing.assert_close(gradient, factor * (space.argmax(augmented) - ROWS.solutions))


@pytest.mark.parametrize(
    ("method", "sign", "central"),
    [(Method.PG_BACKWARD, 1, False), (Method.PG_CENTRAL, 1, True), (Method.BLACKBOX, -1, False)],
)
def test_steps_are_those_of_each_seed(method: Method, sign: int, central: bool) -> None:
    knobs, space = [0.5, 2.0], INSTANCES.space
    step = sign * torch.tensor(knobs)[:, None, None]
    ahead = space.argmax(SCORES + step * ROWS.costs)
    behind = space.argmax(SCORES - step * ROWS.costs) if central else space.argmax(SCORES)
    _, gradient = values_and_gradients(method, knobs)
    torch.testing.assert_close(gradient, (ahead - behind) / (2 * step if central else step))


@pytest.mark.parametrize("method", NOISY)
def test_noise_is_of_the_size_of_each_seeds_knob(method: Method) -> None:
    loss, _ = values_and_gradients(method, [1e-6, 30.0])
    y = INSTANCES.space.argmax(SCORES)
    quiet = {
        Method.FENCHEL_YOUNG: (SCORES * (y - ROWS.solutions)).sum(-1),
        Method.DIRECT: (ROWS.costs * (y - ROWS.solutions)).sum(-1),
    }
    quiet[Method.SCORE_FUNCTION] = quiet[Method.DIRECT_FIXED] = quiet[Method.DIRECT]
    torch.testing.assert_close(loss[0], quiet[method][0], atol=1e-3, rtol=0)
    assert (loss[1] - quiet[method][1]).abs().mean() > 0.1


@pytest.mark.parametrize("method", Method)
def test_every_method_has_a_default_among_its_knobs_and_a_finite_gradient(method: Method) -> None:
    assert method.default in method.knobs
    loss, gradient = values_and_gradients(method, [method.default] * 2)
    assert loss.shape == (2, 50)
    assert gradient.isfinite().all()
    assert gradient.any()


def test_defaults_are_those_of_the_library() -> None:
    space = INSTANCES.space
    assert sp.perturbation_gradient_loss(space).epsilon == sp.FixedEpsilon(Method.PG_BACKWARD.default)
    assert sp.blackbox_loss(space).epsilon == sp.FixedEpsilon(-Method.BLACKBOX.default)
    assert sp.PerturbedDirectLoss(space).scale() == Method.DIRECT.default  # type: ignore[operator]
    for kind in (sp.PerturbedFenchelYoungLoss, sp.ScoreFunctionLoss):
        assert kind(space).scale == Method.FENCHEL_YOUNG.default  # type: ignore[abstract]


def test_a_step_for_each_seed() -> None:
    start = StepOfSeeds(torch.tensor([1.0, -2.0])).start(SCORES, SCORES, None, 1)
    assert start.shape == (2, 50)
    assert start[1].eq(-2).all()


def test_each_seed_draws_its_own_noise_of_the_same_distribution() -> None:
    noise = NoiseOfSeeds(sp.Normal(), generators([4, 5], Stream.NOISE))
    drawn = noise.sample((3, 2, 1000))
    alone = sp.Normal().sample((3, 1000), generator=generators([5], Stream.NOISE)[0])
    assert torch.equal(drawn[:, 1], alone)
    assert not torch.equal(drawn[:, 0], drawn[:, 1])
    assert noise.variance == sp.Normal().variance
    assert noise.log_prob(torch.zeros(())) == pytest.approx(-math.log(2 * math.pi) / 2)


def test_streams_of_a_seed_differ() -> None:
    first = {torch.rand(1, generator=generators([4], stream)[0]).item() for stream in Stream}
    assert len(first) == len(Stream)
