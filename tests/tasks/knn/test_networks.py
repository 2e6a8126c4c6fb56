"""The networks: shapes, what their weights follow from, and that they are the paper's."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tasks.knn.config import DataSet, Network
from tasks.knn.data import Images
from tasks.knn.networks import Standardise, embedding, scale_network


def images(*shape: int, seed: int = 0) -> Images:
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(256, shape, generator=generator, dtype=torch.uint8)
    return Images(pixels, torch.zeros(shape[0], dtype=torch.int64))


GRAY, RGB = images(2, 1, 28, 28), images(2, 3, 32, 32)
gray_and_rgb = pytest.mark.parametrize("shown", [GRAY, RGB], ids=["gray", "rgb"])


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


# --- standardised inputs


@gray_and_rgb
def test_every_channel_has_mean_0_and_variance_1_over_the_images(shown: Images) -> None:
    inputs = Standardise(shown)(shown.pixels)
    assert (inputs.dtype, inputs.shape) == (torch.float32, shown.pixels.shape)
    channels = inputs.double().transpose(0, 1).flatten(1)
    torch.testing.assert_close(channels.mean(1), torch.zeros(len(channels)).double(), atol=1e-5, rtol=0)
    torch.testing.assert_close(channels.std(1, correction=0), torch.ones(len(channels)).double())


# --- the embedding


def test_the_resnet_is_a_resnet_18_for_small_images_without_classes() -> None:
    made = embedding(Network.RESNET_18, RGB, seed=0)
    assert parameters(made) == 11_168_832
    with torch.no_grad():
        places = made.eval()(RGB.pixels)
    assert (places.shape, places.dtype) == ((2, 512), torch.float32)
    assert len(places.unique(dim=0)) == 2


def test_weights_follow_from_the_seed() -> None:
    for make in (
        lambda seed: embedding(Network.LENET, GRAY, seed),
        lambda seed: scale_network(DataSet.CIFAR_10, RGB, 1.0, seed),
    ):
        first, again, other = (nn.utils.parameters_to_vector(make(seed).parameters()) for seed in (5, 5, 6))
        assert torch.equal(first, again)
        assert not torch.equal(first, other)


def lenet(inputs: Tensor, weights: list[Tensor]) -> Tensor:
    """As it is written down: ReLU right after each convolution, and then the pooling."""
    first, first_bias, second, second_bias, last, last_bias = weights
    hidden = functional.max_pool2d(functional.conv2d(inputs, first, first_bias).relu(), 2)
    hidden = functional.max_pool2d(functional.conv2d(hidden, second, second_bias).relu(), 2)
    return functional.linear(hidden.flatten(1), last, last_bias).relu()


@gray_and_rgb
def test_pooling_before_relu_is_the_papers_network_with_relu_before_pooling(shown: Images) -> None:
    made = embedding(Network.LENET, shown, seed=1)
    weights = [parameter.detach() for parameter in made.parameters()]
    assert [tuple(weight.shape) for weight in weights[::2]] == [
        (20, shown.pixels.shape[1], 5, 5),
        (50, 20, 5, 5),
        (500, {1: 50 * 4 * 4, 3: 50 * 5 * 5}[shown.pixels.shape[1]]),
    ]
    with torch.no_grad():
        torch.testing.assert_close(made(shown.pixels), lenet(Standardise(shown)(shown.pixels), weights))


# --- the scale


@pytest.mark.parametrize("initial", [None, 0.1, 30.0])
@pytest.mark.parametrize(("dataset", "shown"), [(DataSet.MNIST, GRAY), (DataSet.CIFAR_10, RGB)], ids=["mnist", "cifar"])
def test_sigma_is_positive_one_for_each_query_and_starts_near_its_initial_value(
    dataset: DataSet, shown: Images, initial: float | None
) -> None:
    with torch.no_grad():
        sigma = scale_network(dataset, shown, initial, seed=0)(shown.pixels)
    assert sigma.shape == (2, 1)
    assert sigma.dtype == torch.float32
    assert len(sigma.unique()) == 2  # it depends on the query
    assert (sigma > 0).all()
    expected = math.log(2) if initial is None else initial
    assert sigma.flatten().tolist() == [pytest.approx(expected, rel=0.5, abs=0.05)] * 2


def test_sigma_has_the_papers_networks() -> None:
    lenet = parameters(embedding(Network.LENET, GRAY, seed=0))
    for dataset in (DataSet.MNIST, DataSet.FASHION_MNIST):
        assert parameters(scale_network(dataset, GRAY, None, seed=0)) == lenet + 500 + 1
    one_convolution = 20 * (3 * 5 * 5 + 1)  # 32 pixels become 28, and those 14
    assert parameters(scale_network(DataSet.CIFAR_10, RGB, None, seed=0)) == one_convolution + 20 * 14 * 14 + 1
