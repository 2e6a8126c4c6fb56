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


def test_each_channel_has_its_own_statistics_and_keeps_its_place() -> None:
    pixels = torch.tensor([[10, 20], [0, 4]], dtype=torch.uint8).reshape(2, 2, 1, 1)
    standardise = Standardise(Images(pixels, torch.zeros(2).long()))
    assert standardise.mean.flatten().tolist() == [5, 12]
    assert standardise.std.flatten().tolist() == [5, 8]
    assert standardise(torch.tensor([15, 28]).byte().reshape(1, 2, 1, 1)).flatten().tolist() == [2, 2]


@pytest.mark.parametrize("value", [0, 7, 255])
def test_images_of_one_value_become_zeros(value: int) -> None:
    pixels = torch.full((3, 1, 5, 5), value, dtype=torch.uint8)
    assert torch.equal(Standardise(Images(pixels, torch.zeros(3).long()))(pixels), torch.zeros(3, 1, 5, 5))


def test_the_statistics_are_saved_and_are_not_trained() -> None:
    standardise = Standardise(RGB)
    assert set(standardise.state_dict()) == {"mean", "std"}
    assert parameters(standardise) == 0


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


def test_torchs_own_generator_stays_as_it_was() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    for network in Network:
        embedding(network, GRAY, seed=5)
    scale_network(DataSet.MNIST, GRAY, None, seed=5)
    assert torch.equal(torch.get_rng_state(), before)


def test_inputs_are_standardised_by_the_images_that_the_network_is_for() -> None:
    dark = Images(GRAY.pixels // 4, GRAY.labels)
    bright = Images(255 - 2 * dark.pixels, dark.labels)
    for made, of_bright in (
        (embedding(Network.LENET, dark, seed=0), embedding(Network.LENET, bright, seed=0)),
        (scale_network(DataSet.MNIST, dark, 1.0, seed=0), scale_network(DataSet.MNIST, bright, 1.0, seed=0)),
    ):
        inputs = Standardise(dark)(dark.pixels)
        with torch.no_grad():
            torch.testing.assert_close(made(dark.pixels), made[1:](inputs))
            torch.testing.assert_close(of_bright(bright.pixels), made[1:](-inputs))


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


def test_the_resnet_keeps_all_32_pixels_at_first_and_leaves_4(resnet: nn.Sequential) -> None:
    sizes = {}
    for name in ("conv1", "layer1", "layer2", "layer3", "layer4"):
        layer = resnet[1].get_submodule(name)
        layer.register_forward_hook(lambda _, __, output, name=name: sizes.update({name: tuple(output.shape[1:])}))
    with torch.no_grad():
        resnet.eval()(RGB.pixels[:1])
    assert sizes == {
        "conv1": (64, 32, 32),
        "layer1": (64, 32, 32),
        "layer2": (128, 16, 16),
        "layer3": (256, 8, 8),
        "layer4": (512, 4, 4),
    }


def test_the_first_convolution_is_initialised_as_the_other_convolutions_are(resnet: nn.Sequential) -> None:
    for name in ("conv1", "layer1.0.conv1"):
        weight = resnet[1].get_submodule(name).weight
        assert weight.shape[0] == 64
        assert weight.std().item() == pytest.approx(math.sqrt(2 / (64 * 3 * 3)), rel=0.1)


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


@pytest.mark.parametrize("initial", [1e-6, 0.1, 30.0, 1e4])
def test_sigma_is_its_initial_value_where_the_features_say_nothing(initial: float) -> None:
    made = scale_network(DataSet.MNIST, GRAY, initial, seed=0)
    nn.init.zeros_(made[-2].weight)
    with torch.no_grad():
        assert made(GRAY.pixels).flatten().tolist() == [pytest.approx(initial, rel=1e-4)] * 2


@every_dataset
def test_weights_of_sigma_follow_from_the_seed_whatever_was_drawn_before(dataset: DataSet, shown: Images) -> None:
    torch.manual_seed(3)
    first = scale_network(dataset, shown, 1.0, seed=5)
    torch.manual_seed(4)
    assert same_state(scale_network(dataset, shown, 1.0, seed=5), first)
    assert not same_state(scale_network(dataset, shown, 1.0, seed=6), first)


def test_sigma_has_the_papers_networks() -> None:
    lenet = parameters(embedding(Network.LENET, GRAY, seed=0))
    for dataset in (DataSet.MNIST, DataSet.FASHION_MNIST):
        assert parameters(scale_network(dataset, GRAY, None, seed=0)) == lenet + 500 + 1
    one_convolution = 20 * (3 * 5 * 5 + 1)  # 32 pixels become 28, and those 14
    assert parameters(scale_network(DataSet.CIFAR_10, RGB, None, seed=0)) == one_convolution + 20 * 14 * 14 + 1


def test_the_initial_value_changes_no_weight_but_that_it_sets() -> None:
    plain, large = (dict(scale_network(DataSet.MNIST, GRAY, value, 0).named_parameters()) for value in (None, 4.0))
    differing = [name for name in plain if not torch.equal(plain[name], large[name])]
    assert [plain[name].shape for name in differing] == [(1,)]
