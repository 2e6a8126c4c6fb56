import torch

import structpred as sp
from tasks.planning.data import ShortestPaths
from tasks.planning.objectives import perturbed_direct_loss, squared_error
from tasks.planning.seeds import NoiseOfSeeds, Stream, generators

(INSTANCES,) = ShortestPaths(height=3, width=3, train_rows=50, test_rows=1).draw([100_000, 100_001])
ROWS = INSTANCES.train


def test_the_squared_error_is_that_of_the_costs() -> None:
    assert squared_error(-ROWS.costs, ROWS).eq(0).all()
    torch.testing.assert_close(squared_error(2 - ROWS.costs, ROWS), torch.full((2, 50), 4.0))


def test_the_direct_loss_is_the_regret_where_noise_is_none() -> None:
    scores = torch.randn(2, 50, 12, generator=torch.Generator().manual_seed(0))
    regret = (ROWS.costs * (INSTANCES.space.argmax(scores) - ROWS.solutions)).sum(-1)
    torch.testing.assert_close(perturbed_direct_loss(INSTANCES, noise=None)(scores, ROWS), regret)


def test_the_direct_loss_draws_as_many_samples_of_as_much_noise_as_is_said() -> None:
    scores = -ROWS.costs
    assert perturbed_direct_loss(INSTANCES, scale=1e-6)(scores, ROWS).abs().max() < 1e-4
    noisy = [perturbed_direct_loss(INSTANCES, scale=1.0, num_samples=samples)(scores, ROWS) for samples in (1, 100)]
    assert noisy[0].mean() > 0.1
    assert noisy[1].std() < noisy[0].std() / 2


def test_a_larger_step_moves_more_scores() -> None:
    moved = []
    for epsilon in (-0.01, -8.0):
        scores = (-ROWS.costs).requires_grad_()
        perturbed_direct_loss(INSTANCES, epsilon=epsilon)(scores, ROWS).sum().backward()
        moved.append(scores.grad.ne(0).float().mean())
    assert moved[1] > 3 * moved[0]


def test_each_seed_draws_its_own_noise_of_the_same_distribution() -> None:
    noise = NoiseOfSeeds(sp.Normal(), generators([4, 5], Stream.NOISE))
    drawn = noise.sample((3, 2, 1000))
    alone = sp.Normal().sample((3, 1000), generator=generators([5], Stream.NOISE)[0])
    assert torch.equal(drawn[:, 1], alone)
    assert not torch.equal(drawn[:, 0], drawn[:, 1])
    assert noise.variance == sp.Normal().variance


def test_streams_of_a_seed_differ() -> None:
    first = {torch.rand(1, generator=generators([4], stream)[0]).item() for stream in Stream}
    assert len(first) == len(Stream)
