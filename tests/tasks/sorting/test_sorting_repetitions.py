"""Each repetition's randomness is its own, and stacked networks are the plain ones side by side."""

import math

import pytest
import torch
from torch import nn

import structpred as sp
from tasks.sorting.repetitions import NoiseOfRuns, Randomness, ScaleNetworks, ScoreNetworks, draw_sequences

STREAMS = ("data", "scores", "scale", "noise")


def draws(randomness: Randomness, stream: str) -> torch.Tensor:
    return torch.rand(1000, generator=getattr(randomness, stream))


def generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


@pytest.mark.parametrize("stream", STREAMS)
def test_equal_seeds_give_equal_streams(stream: str) -> None:
    assert torch.equal(draws(Randomness.of(7), stream), draws(Randomness.of(7), stream))


def test_streams_of_all_seeds_and_kinds_are_uncorrelated() -> None:
    streams = [draws(Randomness.of(seed), stream) for seed in range(4) for stream in STREAMS]
    correlations = torch.corrcoef(torch.stack(streams)) - torch.eye(len(streams))
    assert correlations.abs().max() < 5 / math.sqrt(1000)


def test_the_test_sequence_is_none_of_the_training_sequences() -> None:
    train, test = draw_sequences(torch.Generator().manual_seed(0), 10, 5)
    assert (train.shape, test.shape) == ((10, 5), (1, 5))
    assert len(torch.cat((train, test)).unique(dim=0)) == 11
    assert min(train.min(), test.min()) >= 0
    assert max(train.max(), test.max()) < 1


def test_score_networks_compute_what_plain_layers_with_their_weights_compute() -> None:
    networks, x = ScoreNetworks(5, generators(1, 2)), torch.rand(2, 3, 5, generator=generators(3)[0])
    scores = networks(x)
    assert scores.shape == (2, 3, 5, 5)
    first, second = networks.layers[0], networks.layers[2]
    for run in range(2):
        plain = nn.Sequential(nn.Linear(1, 32), nn.ReLU(), nn.Linear(32, 5))
        with torch.no_grad():
            for layer, stacked in ((plain[0], first), (plain[2], second)):
                layer.weight.copy_(stacked.weight[run].T)
                layer.bias.copy_(stacked.bias[run, 0])
        torch.testing.assert_close(scores[run], plain(x[run, ..., None]))


def test_a_run_starts_with_the_same_weights_whatever_runs_beside_it() -> None:
    together, alone = ScoreNetworks(5, generators(1, 2)), ScoreNetworks(5, generators(2))
    for parameter, single in zip(together.parameters(), alone.parameters(), strict=True):
        assert torch.equal(parameter[1:], single)
        assert not torch.equal(parameter[:1], single)


@pytest.mark.parametrize("initial", [0.01, 0.7, 4.0, 50.0])
def test_sigma_starts_at_the_initial_scale_for_every_sequence(initial: float) -> None:
    sigma = ScaleNetworks(6, initial, generators(1, 2))(torch.rand(2, 3, 6, generator=generators(0)[0]))
    torch.testing.assert_close(sigma, torch.full((2, 3, 1, 1), initial))


def test_sigma_is_positive_about_softplus_of_zero_and_differs_by_sequence_without_an_initial_scale() -> None:
    sigma = ScaleNetworks(6, None, generators(*range(50)))(torch.rand(50, 3, 6, generator=generators(0)[0]))
    assert sigma.shape == (50, 3, 1, 1)
    assert sigma.min() > 0
    assert abs(sigma.mean() - math.log(2)) < 0.1
    assert len(sigma.unique()) == 150


def test_a_run_draws_the_same_noise_whatever_runs_beside_it() -> None:
    alone = NoiseOfRuns(sp.Gumbel(), generators(2)).sample((5, 1, 10, 3, 3))
    together = NoiseOfRuns(sp.Gumbel(), generators(1, 2, 3)).sample((5, 3, 10, 3, 3))
    assert torch.equal(together[:, 1:2], alone)
    assert not torch.equal(together[:, :1], alone)
    assert not torch.equal(together[:, :1], together[:, 2:])
