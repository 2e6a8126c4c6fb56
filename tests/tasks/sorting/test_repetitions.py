"""Each repetition's randomness is its own, and stacked networks are the plain ones side by side."""

import math

import attrs
import pytest
import torch
from torch import nn

import structpred as sp
from tasks.sorting.repetitions import NoiseOfRuns, Randomness, ScaleNetworks, ScoreNetworks


def generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def test_streams_of_all_seeds_and_kinds_are_uncorrelated() -> None:
    generators = [generator for seed in range(4) for generator in attrs.astuple(Randomness.of(seed), recurse=False)]
    streams = [torch.rand(1000, generator=generator) for generator in generators]
    correlations = torch.corrcoef(torch.stack(streams)) - torch.eye(len(streams))
    assert correlations.abs().max() < 5 / math.sqrt(1000)


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


def test_a_run_draws_the_same_noise_whatever_runs_beside_it() -> None:
    alone = NoiseOfRuns(sp.Gumbel(), generators(2)).sample((5, 1, 10, 3, 3))
    together = NoiseOfRuns(sp.Gumbel(), generators(1, 2, 3)).sample((5, 3, 10, 3, 3))
    assert torch.equal(together[:, 1:2], alone)
    assert not torch.equal(together[:, :1], alone)
    assert not torch.equal(together[:, :1], together[:, 2:])
