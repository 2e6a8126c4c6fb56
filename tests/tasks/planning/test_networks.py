import torch
from torch import nn

from tasks.planning.networks import StackedLinear, cost_networks


def made(seeds: list[int]) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def test_each_layer_is_initialised_and_computed_as_the_linear_layer_of_its_seed() -> None:
    stacked, x = StackedLinear(5, 3, made([7, 8])), torch.randn(2, 4, 5)
    for index, seed in enumerate([7, 8]):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            linear = nn.Linear(5, 3)
        torch.testing.assert_close(stacked.weight[index], linear.weight)
        torch.testing.assert_close(stacked(x)[index], linear(x[index]))


def test_without_hidden_layers_costs_are_linear_in_the_features() -> None:
    networks, x = cost_networks(5, 7, (), made([1, 2, 3])), torch.randn(3, 4, 5)
    torch.testing.assert_close(networks(2 * x) - networks(x), networks(x) - networks(0 * x))
    assert networks(x).shape == (3, 4, 7)


def test_hidden_layers_have_their_widths_and_bend() -> None:
    networks, x = cost_networks(5, 7, (11, 13), made([1, 2, 3])), torch.randn(3, 4, 5)
    assert [layer.weight.shape[1:] for layer in networks[::2]] == [(11, 5), (13, 11), (7, 13)]
    assert not torch.allclose(networks(2 * x) - networks(x), networks(x) - networks(0 * x))
    assert networks(x).shape == (3, 4, 7)
