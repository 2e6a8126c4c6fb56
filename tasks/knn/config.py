"""What one training run is, as frozen values, and the presets."""

from __future__ import annotations

import enum
from typing import Any

import attrs
import torch
from attrs import Attribute, field, frozen, validators

import structpred as sp
from tasks.common.settings import Optimizer, Scale, at_least_one, nonzero, positive


class DataSet(enum.Enum):
    """What is classified."""

    MNIST = "mnist"
    FASHION_MNIST = "fashion-mnist"
    CIFAR_10 = "cifar-10"


class Method(enum.Enum):
    """What the embedding is trained on. But for the first, soft neighbours, chosen by squared distances."""

    DIRECT = "direct"
    """Direct loss minimization, through the neighbours themselves."""
    NEURAL_SORT = "neuralsort"
    STOCHASTIC_NEURAL_SORT = "neuralsort-stochastic"
    RELAX_SUBSAMPLE = "relaxsubsample"

    @property
    def scale(self) -> Scale | None:
        """The noise that it comes with; None where there is a choice."""
        return {Method.DIRECT: None, Method.NEURAL_SORT: Scale.NONE}.get(self, Scale.ONE)


class Network(enum.Enum):
    """What embeds an image; see ``networks.py``."""

    LENET = "lenet"
    RESNET_18 = "resnet-18"


class Loss(enum.Enum):
    """Which linear loss the neighbours are trained on; see ``losses.py``."""

    MATCH = "match"
    """Class match: each neighbour of another class costs 1."""
    DISTANCE = "distance"
    """Class match, weighted by the neighbour's distance in the embedding, held constant."""
    SCALED_MATCH = "scaled-match"
    """Class match, weighted by the mean distance of the step, held constant."""


class Growth(enum.Enum):
    """Which queries share an epsilon, that grows while all their gradients are zero and they have a loss."""

    NONE = "none"
    """Epsilon never grows."""
    BATCH = "batch"
    """All of a step, as in the paper."""
    QUERY = "query"
    """Each query has its own."""


class Schedule(enum.Enum):
    """How the embedding's learning rate goes."""

    CONSTANT = "constant"
    ONE_CYCLE = "one-cycle"
    """Up over the first quarter, then down to nearly nothing."""


@frozen
class Training:
    """How an embedding is trained in which the k nearest images of the training set tell an image's class."""

    dataset: DataSet = field(converter=DataSet)
    """The images."""
    network: Network = field(converter=Network)
    """The embedding."""
    loss: Loss = field(converter=Loss)
    """The linear loss trained on."""
    epochs: int = field(validator=at_least_one)
    """One epoch shows every training image as a candidate once."""
    epsilon: float | None = field(validator=validators.optional(nonzero))
    """The step of the loss perturbation; negative moves towards better neighbours. The objective's default, in units of
    the noise and of the loss, if None."""
    epsilon_limit: float = field(validator=nonzero)
    """Where it stops growing."""
    growth: Growth = field(converter=Growth)
    """Which queries share an epsilon."""
    epsilon_factor: float = field(validator=validators.gt(1))
    """What it grows by."""
    rate: float = field(validator=positive)
    """AdamW's learning rate for the embedding; the highest of it in a one-cycle schedule."""
    schedule: Schedule = field(converter=Schedule)
    """How that rate goes."""
    scale_optimizer: Optimizer = field(converter=Optimizer)
    """What trains the network of sigma."""
    scale_rate: float = field(validator=positive)
    """Its learning rate."""
    initial_scale: float | None = field(validator=validators.optional(positive))
    """Where sigma starts; 1 if None, or where a network learns it about 0.7, as that is initialised."""
    candidates: int = field(validator=at_least_one)
    """Images a step to choose the neighbours from."""
    queries: int = field(default=100, validator=at_least_one)
    """Images a step that neighbours are chosen for."""
    num_samples: int = field(default=1, validator=at_least_one)
    """Noise draws a query."""
    margin: float = field(default=0.0, validator=validators.ge(0))
    """How far the step reaches to the other side of 0, as a share of epsilon; 1 is a central difference."""
    temperature: float | None = field(default=None, validator=validators.optional(positive))
    """Of soft neighbours; the method's own, as ``methods.py`` has it, if None."""
    held_out: int = field(default=5000, validator=validators.ge(0))
    """Training images kept aside, to measure on and to choose by."""
    validate_every: int = field(default=1, validator=at_least_one)
    """Epochs between two measurements on the held-out images."""
    best_epoch: bool = False
    """Keep the weights of the epoch that did best on the held-out images, not the last."""
    augment: bool = False
    """Move and mirror the images of each step at random."""
    weight_decay: float = field(default=0.0, validator=validators.ge(0.0))
    """What the embedding's weights lose in a step, in units of the learning rate."""

    def __attrs_post_init__(self) -> None:
        if self.best_epoch and not self.held_out:
            raise ValueError("held_out: expected at least 1, to tell which epoch is best, got 0; or --no-best-epoch")
        if self.growth is Growth.NONE:
            return
        if self.epsilon is None:
            raise ValueError("growth: expected none, as epsilon is the default step, got another; or give --epsilon")
        if self.epsilon_limit / self.epsilon < 1:
            raise ValueError(
                f"epsilon_limit: expected a number beyond epsilon = {self.epsilon}, with its sign, "
                f"got {self.epsilon_limit}"
            )


@frozen
class Run:
    """One training: what the random numbers, and with them the weights, follow from."""

    training: Training
    k: int = field(validator=at_least_one)
    """How many neighbours vote."""
    scale: Scale = field(converter=Scale)
    """The noise: sigma = 0, sigma = 1, learned by a network, or adaptive."""
    seed: int = field(validator=validators.ge(0))
    """Fixes weights, batches and noise."""
    world_size: int = field(default=1, validator=at_least_one)
    """Processes that take each step together, every one with its own queries, candidates and noise."""

    method: Method = field(default=Method.DIRECT, converter=Method, kw_only=True)
    """What the embedding is trained on."""

    @property
    def images_a_step(self) -> int:
        """Images embedded in a step, by all processes."""
        return self.world_size * (self.training.queries + self.training.candidates)

    @method.validator
    def _with_its_noise(self, _: Attribute[Any], method: Method) -> None:
        self.scale.require(method.scale, method.value)

    @scale.validator
    def _adapts_with_the_step(self, _: Attribute[Any], scale: Scale) -> None:
        if scale is Scale.ADAPTIVE and self.training.epsilon is not None:
            raise ValueError("scale: expected none, one or learned, as epsilon is a number, got adaptive")

    @k.validator
    def _fewer_than_candidates(self, _: Attribute[Any], k: int) -> None:
        if k >= self.training.candidates:  # one of which may be the query itself, that is no neighbour
            raise ValueError(f"k: expected less than candidates = {self.training.candidates}, got {k}")


@frozen
class Execution:
    """How a machine runs a training; what it learns does not hang on it but for rounding."""

    device: str = "auto"
    """Where: cpu, cuda, or cuda:1; a GPU if there is one unless named."""
    bf16: bool | None = None
    """Networks in bfloat16, on a GPU unless said; distances and neighbours are float32 always."""
    channels_last: bool = True
    """Networks with the channels of a pixel side by side in memory."""
    compile: bool = False
    """Networks through torch.compile."""

    def resolve(self) -> tuple[torch.device, bool]:
        """The device, and whether it computes in bfloat16.

        Raises:
            ArgumentError: if there is no such device.
        """
        name = ("cuda" if torch.cuda.is_available() else "cpu") if self.device == "auto" else self.device
        try:
            device = torch.device(name)
            if device.type not in ("cpu", "cuda"):
                raise RuntimeError("nothing here was tried on another")
            device = torch.empty(0, device=device).device
        except (RuntimeError, AssertionError) as error:  # the latter where torch was built without CUDA
            raise sp.ArgumentError(
                f"device: expected cpu, or cuda where there is a GPU, got {name!r} ({str(error).splitlines()[0]}); "
                "write for example --device cpu"
            ) from error
        return device, device.type == "cuda" if self.bf16 is None else self.bf16


# The paper's 5.2 and C.2. Of the grids that it searched, the epsilon that is in all of them, and the larger rate of
# sigma, at which it moves. For k = 1 it took five draws: --num-samples 5.
PAPER_MNIST = Training(
    dataset=DataSet.MNIST,
    network=Network.LENET,
    loss=Loss.DISTANCE,
    epochs=220,
    epsilon=-0.2,
    epsilon_limit=-0.9999,
    growth=Growth.BATCH,
    epsilon_factor=1.1,
    rate=1e-3,
    schedule=Schedule.CONSTANT,
    scale_optimizer=Optimizer.SGD,
    scale_rate=1e-5,
    initial_scale=None,
    candidates=800,
    best_epoch=True,
)
PAPER_FASHION_MNIST = attrs.evolve(PAPER_MNIST, dataset=DataSet.FASHION_MNIST, network=Network.RESNET_18)
PAPER_CIFAR_10 = attrs.evolve(PAPER_FASHION_MNIST, dataset=DataSet.CIFAR_10, scale_rate=1e-6, candidates=600)

# What two CPU cores train in about a minute, with the library's default step.
QUICK = attrs.evolve(
    PAPER_MNIST,
    loss=Loss.SCALED_MATCH,
    epochs=6,
    epsilon=None,
    growth=Growth.NONE,
    schedule=Schedule.ONE_CYCLE,
    scale_rate=1e-3,
    best_epoch=False,
    validate_every=6,
)
