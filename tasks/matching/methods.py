"""What networks are trained on. Everything that differs between methods is here."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

import structpred as sp
from tasks.matching.config import Method
from tasks.matching.data import Truth

Learner = Callable[[Tensor, Truth, torch.Generator], Tensor]
"""From scores ``(grids, *shape)``, the predicted weights with their signs turned and -inf where there is no edge, the
truth, and what draws the noise, to the mean loss of the batch."""

UNIT = 30.0
"""About the standard deviation of a two-digit number: true weights are learned in this unit, which is near the size of
what a network first predicts."""

PAPER_LAMBDA = 10.0


def learner(method: Method, space: sp.Matching, num_samples: int) -> Learner:
    """What a method makes of predicted weights; its adaptive step goes on where it was, so one for each training."""
    return _LEARNERS[method](space, num_samples)


def rate_of(method: Method) -> float:
    """The learning rate of a method, chosen in short trainings on other seeds; docs/matching.md says how."""
    return _RATES.get(method, 1e-2)


def hamming(space: sp.Matching, truth: Truth) -> sp.LinearLoss:
    """The number of edges that one of the two matchings has and the other lacks."""
    return space.hamming(truth.matching)


def regret(space: sp.Matching, truth: Truth) -> sp.LinearLoss:
    """By how much a matching is heavier than the lightest one."""
    # Not validated: what is no edge weighs nothing here, and is forbidden by the scores alone.
    return space.regret(truth.weights / UNIT, truth.matching, validate=False)


def squared_error(space: sp.Matching, truth: Truth) -> Callable[[Tensor], Tensor]:
    """Of a structure, for each grid; the Hamming distance, where it is of zeros and ones."""
    return lambda y: (y - truth.matching).square().sum((-2, -1))


def true_weights(scores: Tensor, truth: Truth, generator: torch.Generator) -> Tensor:
    """The squared error of the weights, whatever they are used for."""
    edge = scores.isfinite()
    return (scores + truth.weights / UNIT)[edge].square().mean()


Supervision = Callable[[sp.Matching, Truth], sp.LinearLoss]
Downstream = Callable[[sp.Matching, Truth], Callable[[Tensor], Tensor]]


def _objective(objective: sp.Objective, space: sp.Matching, supervision: Supervision) -> Learner:
    return lambda scores, truth, generator: objective(scores, supervision(space, truth), generator=generator)


def _layer(layer: sp.Layer, space: sp.Matching, loss: Downstream) -> Learner:
    return lambda scores, truth, generator: loss(space, truth)(layer(scores, generator=generator)).mean()


_NORM, _STD = sp.Projection.NORM, sp.Projection.STD

_LEARNERS: dict[Method, Callable[[sp.Matching, int], Learner]] = {
    Method.DIRECT_HAMMING: lambda s, n: _objective(sp.PerturbedDirectLoss(s, num_samples=n), s, hamming),
    Method.DIRECT_REGRET: lambda s, n: _objective(sp.PerturbedDirectLoss(s, num_samples=n), s, regret),
    Method.FENCHEL_YOUNG: lambda s, n: _objective(sp.PerturbedFenchelYoungLoss(s, num_samples=n), s, hamming),
    Method.SPO_PLUS: lambda s, n: _objective(sp.SPOPlusLoss(s), s, regret),
    Method.HINGE: lambda s, n: _objective(sp.StructuredHingeLoss(s), s, hamming),
    Method.PERCEPTRON: lambda s, n: _objective(sp.StructuredPerceptronLoss(s), s, hamming),
    Method.SCORE_FUNCTION: lambda s, n: _objective(sp.ScoreFunctionLoss(s, num_samples=n), s, hamming),
    Method.BLACKBOX: lambda s, n: _layer(sp.Blackbox(s), s, hamming),
    Method.BLACKBOX_PAPER: lambda s, n: _layer(sp.Blackbox(s, epsilon=-PAPER_LAMBDA), s, hamming),
    Method.IMPLICIT_MLE: lambda s, n: _layer(sp.ImplicitMLE(s, num_samples=n), s, hamming),
    Method.ADAPTIVE_IMPLICIT_MLE: lambda s, n: _layer(
        sp.ImplicitMLE(s, epsilon=sp.AdaptiveEpsilon(), num_samples=n), s, hamming
    ),
    Method.IDENTITY_NORM: lambda s, n: _layer(sp.Identity(s, projection=_NORM), s, hamming),
    Method.IDENTITY_STD: lambda s, n: _layer(sp.Identity(s, projection=_STD), s, hamming),
    Method.PERTURBED_ARGMAX: lambda s, n: _layer(sp.PerturbedArgmax(s, num_samples=n), s, squared_error),
    Method.TRUE_WEIGHTS: lambda s, n: true_weights,
}

_RATES = {  # where 1e-2 did worse; without noise, and without a margin, scores can shrink to nothing
    Method.PERCEPTRON: 3e-3,
    Method.BLACKBOX: 1e-3,
    Method.BLACKBOX_PAPER: 3e-3,
    Method.PERTURBED_ARGMAX: 3e-3,
    Method.SCORE_FUNCTION: 1e-3,
}
