"""What a training is made with: the method, its step, its noise, and how fast all learn."""

from __future__ import annotations

import enum

from attrs import frozen


class Method(enum.Enum):
    """What networks are trained on."""

    DIRECT = "direct"
    """``sp.PerturbedDirectLoss``."""
    FENCHEL_YOUNG = "fenchel-young"
    SPO_PLUS = "spo+"
    HINGE = "hinge"
    IMPLICIT_MLE = "implicit-mle"
    ADAPTIVE_IMPLICIT_MLE = "adaptive-implicit-mle"
    """``sp.ImplicitMLE`` with ``sp.AdaptiveEpsilon``."""


class Unit(enum.Enum):
    """What the range of the loss is the mean of, in the unit of the step."""

    BATCH = "batch"
    """All examples of the batch, as in ``sp.RelativeToNoise``."""
    EXAMPLE = "example"
    """Each example by itself."""
    RUNNING = "running"
    """All batches so far, with a weight that falls by a tenth from one to the next."""


class Learning(enum.Enum):
    """How sigma changes."""

    FIXED = "fixed"
    ADAPTIVE = "adaptive"
    """``sp.AdaptiveScale``: by Euler's theorem, from the gradient for the scores."""
    CHAIN = "chain"
    """By the chain rule through the noise, as in the paper, and otherwise as the former."""
    VARIABLE = "variable"
    """By the chain rule, a sigma for each variable."""
    NETWORK = "network"
    """By the chain rule, at the network's own rate."""


@frozen(kw_only=True)
class Setting:
    """What is varied; by default as the library has it."""

    method: Method = Method.DIRECT
    ratio: float = -256.0
    """The step, in units of the noise and of the loss."""
    margin: float = 0.05
    """How far it reaches to the other side, as a share of the step."""
    unit: Unit = Unit.BATCH
    draws: int | None = None
    """An example; the problem's own number if None."""
    sigma: float = 1.0
    """At the start; 0 is no noise."""
    learning: Learning = Learning.ADAPTIVE
    pace: float = 0.1
    """The learning rate of log sigma, AdaGrad's, where it adapts."""
    averaged: bool = True
    """Whether the weights that are judged are a mean over the end of the training."""
    rate: float = 1.0
    """The network's learning rate, as a multiple of the problem's own."""
    output: float = 1.0
    """A factor on what the network puts out."""
    loss: float = 1.0
    """A factor on the loss; for margins and SPO+ a knob, for the direct loss a change of its unit."""
