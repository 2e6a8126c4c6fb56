"""What one training run is, as frozen values, and the presets."""

from __future__ import annotations

import enum

import attrs
from attrs import field, frozen, validators

from tasks.common.settings import at_least_one, not_negative, positive
from tasks.matching.board import even


class Method(enum.Enum):
    """What the network is trained on; see ``methods.py``."""

    DIRECT_HAMMING = "direct-hamming"
    DIRECT_REGRET = "direct-regret"
    FENCHEL_YOUNG = "fenchel-young"
    SPO_PLUS = "spo-plus"
    HINGE = "hinge"
    PERCEPTRON = "perceptron"
    SCORE_FUNCTION = "score-function"
    BLACKBOX = "blackbox"
    BLACKBOX_PAPER = "blackbox-paper"
    IMPLICIT_MLE = "implicit-mle"
    ADAPTIVE_IMPLICIT_MLE = "adaptive-implicit-mle"
    IDENTITY_NORM = "identity-norm"
    IDENTITY_STD = "identity-std"
    PERTURBED_ARGMAX = "perturbed-argmax"
    TRUE_WEIGHTS = "true-weights"
    """No matching, but the squared error of the weights: what the others are to be compared with."""

    @property
    def knows_weights(self) -> bool:
        """Whether it learns from the true weights, and so from the digits; the others see lightest matchings alone."""
        return self in (Method.DIRECT_REGRET, Method.SPO_PLUS, Method.TRUE_WEIGHTS)


class EdgeWeights(enum.Enum):
    """How the weight of an edge is made of its two digits."""

    KNOWN = "known"
    """A number for each digit; the two are read as one, 10 a + b, as in the paper."""
    LEARNED = "learned"
    """Features of each digit, and a small network on ordered pairs of them."""


@frozen
class Training:
    """How a network is trained, whatever the method."""

    epochs: int = field(validator=at_least_one)
    """Passes over the training grids."""
    grids: int = field(default=10_000, validator=at_least_one)
    """Training grids."""
    digits: int | None = field(default=None, validator=validators.optional(at_least_one))
    """Training images that these are drawn from, the same in every run; all but those held out if None."""
    batch_size: int = field(default=70, validator=at_least_one)
    """Grids a step; those that are left at the end of a pass sit it out."""
    rate: float | None = field(default=None, validator=validators.optional(positive))
    """The highest learning rate of Adam's, which goes up over the first quarter, then down to nearly nothing. The
    method's own, as ``methods.py`` has it, if None."""
    num_samples: int = field(default=5, validator=at_least_one)
    """Noise draws a grid, for methods with noise."""
    edge_weights: EdgeWeights = EdgeWeights.KNOWN
    """How the weight of an edge is made of its two digits."""

    def __attrs_post_init__(self) -> None:
        if self.batch_size > self.grids:
            raise ValueError(f"batch_size: expected at most grids = {self.grids}, got {self.batch_size}")


@frozen
class Run:
    """One training: what the random numbers, and with them the weights, follow from."""

    training: Training
    k: int = field(validator=even)
    """Cells in a row of the grid, and in a column."""
    method: Method
    """What the network is trained on."""
    seed: int = field(validator=not_negative)
    """Fixes grids, initial weights, batches and noise."""


# The paper's grids, of 1,000 images, in a sixth of its epochs.
QUICK = Training(epochs=5, digits=1000)
ALL_IMAGES = attrs.evolve(QUICK, digits=None)
LEARNED = attrs.evolve(QUICK, edge_weights=EdgeWeights.LEARNED)
