"""What one training run is, as frozen values."""

from __future__ import annotations

import enum

from attrs import field, frozen

from tasks.common.settings import not_negative
from tasks.common.treebank.settings import Training


class Method(enum.Enum):
    """What the scores of the arcs are trained on. Relations are always trained by cross-entropy, on the right heads."""

    CROSS_ENTROPY = "cross-entropy"
    """Of each word's head, as if words chose alone: the usual parser."""
    HINGE = "hinge"
    """The structured hinge, with the number of wrong heads as margin."""
    FENCHEL_YOUNG = "fenchel-young"
    """The perturbed Fenchel-Young loss of the right tree."""
    DIRECT = "direct"
    """Direct loss on the number of wrong heads, from the start."""
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
