"""What one training run is, as frozen values."""

from __future__ import annotations

import enum

from attrs import field, frozen

from tasks.common.settings import not_negative
from tasks.common.treebank.settings import Training


class Method(enum.Enum):
    """What the scores of tags, and of tags that follow one another, are trained on."""

    CROSS_ENTROPY = "cross-entropy"
    """Of each word's tag alone; tags that follow one another have no score."""
    PERCEPTRON = "perceptron"
    """The structured perceptron."""
    DIRECT = "direct"
    """Direct loss on the number of wrong tags, from the start."""
    DIRECT_WARM = "direct-warm"
    """Cross-entropy for the first half of the training, then direct loss."""


@frozen
class Run:
    """One training: what the random numbers, and with them the weights, follow from."""

    training: Training
    method: Method
    seed: int = field(validator=not_negative)
    """Fixes weights, batches, dropout and noise."""

    @property
    def name(self) -> str:
        return f"{self.method.value}, seed {self.seed}"
