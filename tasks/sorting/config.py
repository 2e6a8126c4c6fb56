"""What one training run is, as a frozen value, and the presets."""

from __future__ import annotations

import enum

import attrs
from attrs import field, frozen, validators

import structpred as sp
from tasks.baselines import GumbelSinkhorn
from tasks.common.settings import Optimizer, Scale, at_least_one, nonzero, not_negative, positive
from tasks.sorting.published import AddedUp


class Method(enum.Enum):
    """What the score network is trained on."""

    DIRECT = "direct"
    """Direct loss minimization, through the matching itself."""
    GUMBEL_SINKHORN = "gumbel-sinkhorn"
    """The squared error of the list that a soft matching sorts."""

    @property
    def scale(self) -> Scale | None:
        """The noise that it comes with; None where there is a choice."""
        return Scale.ONE if self is Method.GUMBEL_SINKHORN else None


class Decomposition(enum.Enum):
    """Which linear loss stands for the squared error of the sorted list; see ``losses.py``."""

    SQUARED = "squared"
    PAPER = "paper"
    PUBLISHED = "published"
    HAMMING = "hamming"


class Estimator(enum.Enum):
    """How the direct gradient is had from y and y(eps)."""

    EQUATIONS = "equations"
    """As the equations say; where epsilon grows, each step starts again where the first did."""
    PUBLISHED = "published"
    """As the authors' published code has it; see ``published.py``."""


class Weights(enum.Enum):
    """Which weights of the score network sort the test sequence."""

    LAST = "last"
    BEST = "best"
    """Those of the epoch with the least training loss."""
    AVERAGE = "average"
    """The mean over the epochs from ``average_from`` on."""


@frozen
class Training:
    """One repetition: ten fixed training sequences, one batch an epoch, one unseen test sequence."""

    decomposition: Decomposition
    """The linear loss trained on."""
    epochs: int = field(validator=at_least_one)
    """The most epochs to train for."""
    patience: int | None = field(validator=validators.optional(at_least_one))
    """Stop after this many epochs without a lower training loss; never if None."""
    weights: Weights
    """Which weights sort the test sequence."""
    score_rate: float = field(validator=positive)
    """Adam's learning rate for the score network."""
    scale_optimizer: Optimizer
    """What trains the scale network; its gradient grows with the sequence's length, which Adam evens out."""
    scale_rate: float = field(validator=positive)
    """The learning rate for the scale network."""
    initial_scale: float | None = field(validator=validators.optional(positive))
    """Where sigma starts; the scale network's own initialisation, about 0.7, if None."""
    average_from: int = field(default=0, validator=not_negative)
    """How many epochs pass before the weights count in the average."""
    epsilon: float | None = field(default=None, validator=validators.optional(nonzero))
    """The step of the loss perturbation; negative moves towards better matchings. The objective's default, in units of
    the noise and of the repetition's loss, if None."""
    epsilon_factor: float = field(default=1.1, validator=validators.gt(1))
    """What epsilon grows by where all gradients of a repetition are zero and its loss is not. The
    default step does not grow."""
    num_samples: int = field(default=5, validator=at_least_one)
    """Noise draws a sequence."""
    sequences: int = field(default=10, validator=at_least_one)
    """Training sequences a repetition."""
    estimator: Estimator = Estimator.EQUATIONS
    """How the direct gradient is had."""
    noise_variance: float | None = field(default=None, validator=validators.optional(positive))
    """Of the noise where sigma is 1; that of the Gumbel distribution, pi^2 / 6, if None."""
    temperature: float = field(default=1.0, validator=positive)
    """Of Gumbel-Sinkhorn's soft matchings."""
    beta2: float = field(default=0.999, validator=[validators.ge(0), validators.lt(1)])
    """Of Adam for the score network: how much of its mean of squared gradients is kept in each step."""

    def objective(self, method: Method, scale: Scale, length: int) -> sp.Objective:
        """The objective for sequences of this length, whose first batch dimension is the repetitions."""
        space, noise = sp.Matching(length), None if scale is Scale.NONE else sp.Gumbel()
        if method is Method.GUMBEL_SINKHORN:
            return GumbelSinkhorn(space, temperature=self.temperature, reduction="none")
        epsilon: sp.Epsilon
        if self.epsilon is None:  # the library's own, for each repetition by itself
            own = sp.PerturbedDirectLoss(space, noise=noise).epsilon
            assert isinstance(own, sp.RelativeToNoise)
            epsilon = attrs.evolve(own, group_dims=1)
        elif self.estimator is Estimator.PUBLISHED:
            epsilon = AddedUp(self.epsilon, self.epsilon_factor)
        else:
            epsilon = sp.GrowUntilNonzero(self.epsilon, factor=self.epsilon_factor, group_dims=1)
        return sp.PerturbedDirectLoss(
            space, epsilon=epsilon, noise=noise, num_samples=self.num_samples, reduction="none"
        )

    def __attrs_post_init__(self) -> None:
        if self.weights is Weights.AVERAGE and self.average_from >= self.epochs:
            raise ValueError(f"average_from: expected an epoch before epochs = {self.epochs}, got {self.average_from}")
        if self.estimator is Estimator.PUBLISHED and self.epsilon is None:
            raise ValueError("epsilon: expected a number, as the estimator is the published one, got none")


@frozen
class Run:
    """One repetition: what its random numbers, and with them its weights, follow from."""

    training: Training
    length: int
    """How many numbers a sequence has."""
    scale: Scale = field()
    seed: int
    method: Method = field(default=Method.DIRECT, kw_only=True)
    """What the score network is trained on."""

    @method.validator
    def _with_its_noise(self, _: object, method: Method) -> None:
        self.scale.require(method.scale, method.value)

    @scale.validator
    def _adapts_in_all_runs(self, _: object, scale: Scale) -> None:
        if scale is Scale.ADAPTIVE and self.training.patience is not None:
            raise ValueError("scale: expected none, one or learned, as the training may stop early, got adaptive")


PAPER = Training(
    decomposition=Decomposition.PAPER,
    epochs=2000,
    patience=50,
    weights=Weights.BEST,
    score_rate=0.1,
    scale_optimizer=Optimizer.SGD,
    scale_rate=1e-6,
    initial_scale=None,
    epsilon=-12.0,
)

# What the authors' published code does, where it and the paper differ; docs/sorting.md has the list.
AUTHORS = attrs.evolve(
    PAPER,
    decomposition=Decomposition.PUBLISHED,
    estimator=Estimator.PUBLISHED,
    weights=Weights.LAST,
    noise_variance=3.0,
)

BEST = Training(
    decomposition=Decomposition.HAMMING,
    epochs=250,
    patience=None,
    weights=Weights.AVERAGE,
    average_from=100,
    score_rate=0.3,
    scale_optimizer=Optimizer.ADAM,
    scale_rate=2e-4,
    initial_scale=6.0,
    num_samples=1,
    beta2=0.9,  # direct gradients become rare and large, which a long memory of squares lets leap
)
