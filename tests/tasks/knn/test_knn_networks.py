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
every_network = pytest.mark.parametrize("network", Network)


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def same_state(one: nn.Module, other: nn.Module) -> bool:
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


# --- standardised inputs


@gray_and_rgb
def test_every_channel_has_mean_0_and_variance_1_over_the_images(shown: Images) -> None:
    brighter = Images(shown.pixels // 4 + 100, shown.labels)
    for made_from in (shown, brighter):
        inputs = Standardise(made_from)(made_from.pixels)
        assert inputs.dtype == torch.float32
        assert inputs.shape == made_from.pixels.shape
        channels = inputs.double().transpose(0, 1).flatten(1)
        torch.testing.assert_close(channels.mean(1), torch.zeros(len(channels)).double(), atol=1e-5, rtol=0)
        torch.testing.assert_close(channels.std(1, correction=0), torch.ones(len(channels)).double())


@pytest.mark.parametrize("value", [0, 7, 255])
def test_images_of_one_value_become_zeros(value: int) -> None:
    pixels = torch.full((3, 1, 5, 5), value, dtype=torch.uint8)
    assert torch.equal(Standardise(Images(pixels, torch.zeros(3).long()))(pixels), torch.zeros(3, 1, 5, 5))


# --- the embedding


@gray_and_rgb
@pytest.mark.parametrize(("network", "features"), [(Network.LENET, 500), (Network.RESNET_18, 512)])
def test_every_image_gets_a_place(shown: Images, network: Network, features: int) -> None:
    made = embedding(network, shown, seed=0)
    with torch.no_grad():
        places = made.eval()(shown.pixels)
    assert places.shape == (2, features)
    assert places.dtype == torch.float32
    assert places.isfinite().all()
    assert len(places.unique(dim=0)) == 2


@every_network
def test_weights_follow_from_the_seed_whatever_was_drawn_before(network: Network) -> None:
    torch.manual_seed(3)
    first = embedding(network, GRAY, seed=5)
    torch.rand(7)
    torch.manual_seed(4)
    assert same_state(embedding(network, GRAY, seed=5), first)
    assert not same_state(embedding(network, GRAY, seed=6), first)


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


@pytest.fixture(scope="module")
def resnet() -> nn.Sequential:
    return embedding(Network.RESNET_18, RGB, seed=0)


def test_the_resnet_has_the_parameters_of_a_resnet_18_for_small_images_without_classes(resnet: nn.Sequential) -> None:
    assert parameters(resnet) == 11_168_832


# --- the scale


every_dataset = pytest.mark.parametrize(
    ("dataset", "shown"),
    [(DataSet.MNIST, GRAY), (DataSet.FASHION_MNIST, GRAY), (DataSet.CIFAR_10, RGB)],
    ids=["mnist", "fashion", "cifar"],
)


@pytest.mark.parametrize("initial", [None, 0.1, 1.0, 4.0, 30.0])
@every_dataset
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
