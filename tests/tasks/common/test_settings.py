"""Settings, seeds and weights that the experiments share."""

import itertools

import pytest
import torch
from torch import nn

from tasks.common.seeds import seed_for, seeded
from tasks.common.settings import Scale, Seeds
from tasks.common.weights import AveragedFrom, inverse_softplus


def test_sigma_is_as_an_objective_takes_it_and_computed_only_where_it_is_learned() -> None:
    assert (Scale.NONE.sigma(pytest.fail), Scale.ONE.sigma(pytest.fail)) == (None, 1.0)
    assert Scale.LEARNED.sigma(lambda: torch.tensor(3.0)).item() == 3


def test_seeds_go_from_the_first_as_far_as_there_are_repetitions() -> None:
    assert list(Seeds(3, first_seed=5)) == [5, 6, 7]
    for impossible in ({"repetitions": 0}, {"repetitions": 1, "first_seed": -1}):
        with pytest.raises(ValueError, match="must be >="):
            Seeds(**impossible)


def test_every_seed_stream_and_number_has_a_seed_of_its_own_that_torch_takes_and_that_stays() -> None:
    seeds = [seed_for(*numbers) for numbers in itertools.product((0, 1, 2**70), range(3), (0, 1, 2**40))]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert (seed_for(0, 0), seed_for(3, 4, 7)) == (7896617691693857887, 8114461254944333206)


def test_seeded_weights_follow_from_the_seed_and_the_global_generator_stays() -> None:
    before, drawn = torch.get_rng_state(), []
    for seed in (5, 5, 6):
        with seeded(seed):
            drawn.append(torch.rand(3))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("value", [1e-6, 0.1, 1.0, 30.0, 1e4])
def test_softplus_takes_its_inverse_back(value: float) -> None:
    bias = torch.tensor(inverse_softplus(value), dtype=torch.float64)
    assert nn.functional.softplus(bias).item() == pytest.approx(value)


@pytest.mark.parametrize("stopped_after", [0, 3])
def test_weights_are_averaged_from_the_start_on_and_are_the_latest_before(stopped_after: int) -> None:
    network = nn.Linear(1, 1, bias=False)
    averaged = AveragedFrom(network, start=2)
    used = []
    for epoch in range(5):
        nn.init.constant_(network.weight, 2.0**epoch)
        averaged.update_parameters(network)
        used.append(averaged.module.weight.item())
        if epoch == stopped_after:  # and goes on from a checkpoint
            state, averaged = averaged.state_dict(), AveragedFrom(nn.Linear(1, 1, bias=False), start=2)
            averaged.load_state_dict(state)
    assert used == pytest.approx([1, 2, 4, 6, 28 / 3])
