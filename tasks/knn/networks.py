"""The networks of the paper's C.2: an embedding of images, and the noise scale from a query image."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchvision.models import resnet18

from tasks.common.checkpoint import State
from tasks.common.seeds import seed_for, seeded
from tasks.common.weights import inverse_softplus
from tasks.knn.batches import Stream
from tasks.knn.config import DataSet, Network, Run
from tasks.knn.data import Images


class Standardise(nn.Module):
    """Bytes to numbers of zero mean and unit variance a channel, over the images it is made from.

    ``(n, channels, height, width)`` uint8 -> the same, float32. The statistics are saved with the weights.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, images: Images) -> None:
        super().__init__()
        # By counting bytes: the whole set as floating point numbers would take gigabytes.
        counts = [channel.flatten().bincount(minlength=256).double() for channel in images.pixels.unbind(1)]
        count = torch.stack(counts)  # (channels, 256): how often each byte occurs
        value = torch.arange(256, dtype=torch.float64, device=count.device)
        mean = (count @ value) / count.sum(1)
        variance = (count @ value.square()) / count.sum(1) - mean.square()
        self.register_buffer("mean", mean.float()[:, None, None])
        self.register_buffer("std", variance.clamp(min=1).sqrt().float()[:, None, None])

    def forward(self, pixels: Tensor) -> Tensor:
        return (pixels - self.mean) / self.std


def networks_of(run: Run, train: Images) -> tuple[nn.Sequential, nn.Sequential]:
    """The embedding and the network of sigma as they are before the first step."""
    training = run.training
    return (
        embedding(training.network, train, seed_for(run.seed, Stream.EMBEDDING)),
        scale_network(training.dataset, train, training.initial_scale, seed_for(run.seed, Stream.SCALE)),
    )


def deployed(run: Run, state: State, train: Images) -> nn.Sequential:
    """The embedding that a state's training gives: of its best epoch if the training asks for that, else its last."""
    network = embedding(run.training.network, train[:1], seed=0)  # weights and statistics come with the state
    network.load_state_dict(state["best"] or state["embedding"])
    return network


def embedding(network: Network, images: Images, seed: int) -> nn.Sequential:
    """The embedding h: ``(n, channels, height, width)`` uint8 -> ``(n, features)``, weights from the seed."""
    with seeded(seed):
        body = _lenet(images) if network is Network.LENET else _resnet18(images)
    return nn.Sequential(Standardise(images), body)


def scale_network(dataset: DataSet, images: Images, initial: float | None, seed: int) -> nn.Sequential:
    """The noise scale sigma of each query: ``(n, channels, height, width)`` uint8 -> ``(n, 1)``, positive.

    Args:
        dataset: CIFAR-10 has a smaller network than the others.
        images: what the network is for; the statistics of its inputs are theirs.
        initial: what sigma is near at first; about 0.7, as initialised, if None.
        seed: fixes the weights.
    """
    with seeded(seed):
        body = _convolution(images, 20) if dataset is DataSet.CIFAR_10 else _lenet(images)
        features = body(torch.zeros(1, *images.pixels.shape[1:])).shape[1]
        last = nn.Linear(features, 1)
    if initial is not None:
        with torch.no_grad():
            last.bias.fill_(inverse_softplus(initial))
    return nn.Sequential(Standardise(images), body, last, nn.Softplus())


def _lenet(images: Images) -> nn.Sequential:
    """Two convolutions and a layer of 500: ``(n, channels, height, width) -> (n, 500)``."""
    first = _convolution(images, 20)[:-1]  # without its Flatten
    second = [nn.Conv2d(20, 50, 5), nn.MaxPool2d(2), nn.ReLU(), nn.Flatten()]
    body = nn.Sequential(*first, *second)
    features = body(torch.zeros(1, *images.pixels.shape[1:])).shape[1]
    return body.extend([nn.Linear(features, 500), nn.ReLU()])


def _convolution(images: Images, channels: int) -> nn.Sequential:
    """One 5 x 5 convolution, halved. Pooling first returns what ReLU first would, on a quarter of the numbers."""
    return nn.Sequential(nn.Conv2d(images.pixels.shape[1], channels, 5), nn.MaxPool2d(2), nn.ReLU(), nn.Flatten())


def _resnet18(images: Images) -> nn.Module:
    """torchvision's ResNet-18 for small images, with 512 features and no classes.

    A 3 x 3 convolution of stride 1 instead of the first layers, which would leave 8 of 32 pixels.
    """
    body: nn.Module = resnet18(weights=None)
    body.conv1 = first = nn.Conv2d(images.pixels.shape[1], 64, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(first.weight, mode="fan_out", nonlinearity="relu")  # as torchvision does its own
    body.maxpool = nn.Identity()
    body.fc = nn.Identity()
    return body
