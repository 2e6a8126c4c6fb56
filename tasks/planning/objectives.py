"""The methods: what networks are trained on. Everything that differs between them is here.

Each has one knob, in units in which 1 is natural or which its authors use, and is otherwise as the library has it.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import Literal

import torch
from attrs import frozen
from torch import Tensor

import structpred as sp
from tasks.planning.data import Instances, Rows
from tasks.planning.seeds import NoiseOfSeeds, Stream, generators

Objective = Callable[[Tensor, Rows], Tensor]
"""From scores ``(seeds, rows, parts)``, which are predicted costs with their signs turned, and the rows that they are
for, to a loss for each row: ``(seeds, rows)``. Nothing may join rows of different seeds."""


class Method(enum.Enum):
    """How networks are trained; see ``knob``."""

    MSE = "mse"
    """The squared error of the costs, whatever they are used for: the two-stage method. No knob."""
    DIRECT = "direct"
    """``sp.PerturbedDirectLoss`` on the regret, as it comes. The knob is where sigma starts."""
    DIRECT_FIXED = "direct-fixed"
    """The same with a sigma that stays, which is the knob."""
    FENCHEL_YOUNG = "fenchel-young"
    """``sp.PerturbedFenchelYoungLoss``. The knob is sigma."""
    SPO_PLUS = "spo+"
    """``sp.SPOPlusLoss``. The knob multiplies the costs."""
    HINGE = "hinge"
    """``sp.StructuredHingeLoss`` on the regret. The knob multiplies the costs."""
    PERCEPTRON = "perceptron"
    """``sp.StructuredPerceptronLoss``. No knob."""
    SCORE_FUNCTION = "score-function"
    """``sp.ScoreFunctionLoss`` on the regret, with ten draws. The knob is sigma."""
    PG_BACKWARD = "pg-backward"
    """``sp.perturbation_gradient_loss``. The knob is its step."""
    PG_CENTRAL = "pg-central"
    """The same, with central differences."""
    BLACKBOX = "blackbox"
    """``sp.blackbox_loss``. The knob is its step, lambda."""

    @property
    def default(self) -> float:
        """The knob as the library has it."""
        return {Method.PG_BACKWARD: 0.1, Method.PG_CENTRAL: 0.1, Method.BLACKBOX: 10.0}.get(self, 1.0)

    @property
    def knobs(self) -> list[float]:
        """A small grid around the default, which is one of them."""
        match self:
            case Method.MSE | Method.PERCEPTRON:
                return [1.0]
            case Method.BLACKBOX:
                return [0.1, 1.0, 3.0, 10.0, 30.0]
            case Method.PG_BACKWARD | Method.PG_CENTRAL:
                return [0.01, 0.1, 0.3, 1.0, 10.0]
            case _:
                return [0.1, 0.3, 1.0, 3.0, 10.0]


@frozen(eq=False)
class StepOfSeeds(sp.Epsilon):
    """A fixed step for each seed."""

    steps: Tensor
    """``(seeds,)``"""
    central: bool = False

    @property
    def margin(self) -> float:
        return 1.0 if self.central else 0.0

    def start(self, scores: Tensor, direction: Tensor, noise_std: Tensor | None, event_dims: int) -> Tensor:
        return self.steps[:, None].expand(scores.shape[:2])


def objective(method: Method, instances: Instances, knobs: Sequence[float]) -> Objective:
    """What the networks of some seeds are trained on.

    Its noise goes on where it was: make a new one for each training.

    Args:
        method: which.
        instances: whose seeds and space they are.
        knobs: one for each seed.
    """
    knob = torch.tensor(knobs, dtype=torch.get_default_dtype())[:, None, None]
    space = instances.space
    how: Literal["none"] = "none"
    noise = NoiseOfSeeds(sp.Gumbel(), generators(instances.seeds, Stream.NOISE))

    def regret(rows: Rows, factor: Tensor | float = 1.0) -> sp.LinearLoss:
        costs = factor * rows.costs
        optima = (costs * rows.solutions).sum(-1)
        return sp.LinearLoss(costs, -optima, event_dims=1, best=rows.solutions)

    match method:
        case Method.MSE:
            return lambda scores, rows: (scores + rows.costs).square().mean(-1)
        case Method.DIRECT | Method.DIRECT_FIXED:
            scale = knob if method is Method.DIRECT_FIXED else sp.AdaptiveScale(knob)
            step = sp.RelativeToNoise(group_dims=1)
            direct = sp.PerturbedDirectLoss(space, epsilon=step, noise=noise, scale=scale, reduction=how)
            return lambda scores, rows: direct(scores, regret(rows))
        case Method.FENCHEL_YOUNG:
            fenchel_young = sp.PerturbedFenchelYoungLoss(space, noise=noise, scale=knob, reduction=how)
            return lambda scores, rows: fenchel_young(scores, regret(rows))
        case Method.SPO_PLUS:
            spo_plus = sp.SPOPlusLoss(space, reduction=how)
            return lambda scores, rows: spo_plus(scores, regret(rows, knob))
        case Method.HINGE:
            hinge = sp.StructuredHingeLoss(space, reduction=how)
            return lambda scores, rows: hinge(scores, regret(rows, knob))
        case Method.PERCEPTRON:
            perceptron = sp.StructuredPerceptronLoss(space, reduction=how)
            return lambda scores, rows: perceptron(scores, regret(rows))
        case Method.SCORE_FUNCTION:
            score_function = sp.ScoreFunctionLoss(space, noise=noise, scale=knob, reduction=how)
            return lambda scores, rows: score_function(scores, regret(rows))
        case Method.PG_BACKWARD | Method.PG_CENTRAL:
            central = method is Method.PG_CENTRAL
            pg = sp.perturbation_gradient_loss(space, central=central, reduction=how)
            pg.epsilon = StepOfSeeds(knob.flatten(), central)
            return lambda scores, rows: pg(scores, regret(rows))
        case Method.BLACKBOX:
            blackbox = sp.blackbox_loss(space, reduction=how)
            blackbox.epsilon = StepOfSeeds(-knob.flatten())
            return lambda scores, rows: blackbox(scores, regret(rows))
