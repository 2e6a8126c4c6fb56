"""What the default step must not depend on: the units of the loss, and those of scores and scale.

Factors are powers of 2, by which floating point numbers are multiplied without rounding.
"""

from __future__ import annotations

import attrs
import torch
from hypothesis import strategies as st
from torch import Tensor

from structpred.loss import LinearLoss
from structpred.testing import strategies
from structpred.testing.gradient_laws.subject import Call, DirectGradient, call
from structpred.testing.law import ViolationError, law


def _has_a_default_step(subject: DirectGradient) -> str | None:
    return None if subject.has_a_step_of_its_own else "only for objectives whose epsilon has a default"


_given = law(
    needs=_has_a_default_step,
    scores=lambda subject: strategies.scores(
        subject.space, batch=(3,), dtype=torch.float64, forbidden=False, moderate=True
    ),
    scale=lambda subject: strategies.scales(subject.space),
    loss=lambda subject: strategies.losses(subject.space),
    factor=lambda subject: st.sampled_from([0.125, 8.0, 2.0**-20, 2.0**20]),
    seed=lambda subject: strategies.seeds(),
)


@_given
def the_unit_of_the_loss_changes_no_structure(
    subject: DirectGradient, scores: Tensor, scale: Tensor, loss: LinearLoss, factor: float, seed: int
) -> None:
    """Multiplying the loss by a positive number multiplies value and gradients by it, with the default step."""
    other = attrs.evolve(loss, coefficients=factor * loss.coefficients, constant=factor * loss.constant)
    at, then = (call(subject, scores, scale, it, None, 2, seed) for it in (loss, other))
    _expect_multiplied(at, then, "value", factor)
    _expect_multiplied(at, then, "for_scores", factor)
    _expect_multiplied(at, then, "for_scale", factor)


@_given
def a_constant_of_the_loss_changes_no_structure(
    subject: DirectGradient, scores: Tensor, scale: Tensor, loss: LinearLoss, factor: float, seed: int
) -> None:
    """Adding a constant to the loss changes no gradient, with the default step."""
    other = attrs.evolve(loss, constant=factor + loss.constant)
    at, then = (call(subject, scores, scale, it, None, 2, seed) for it in (loss, other))
    _expect_multiplied(at, then, "for_scores", 1.0)
    _expect_multiplied(at, then, "for_scale", 1.0)


@_given
def a_common_factor_of_scores_and_scale_changes_no_structure(
    subject: DirectGradient, scores: Tensor, scale: Tensor, loss: LinearLoss, factor: float, seed: int
) -> None:
    """Multiplying scores and scale by a positive number leaves the value, and divides the gradients by the number."""
    at = call(subject, scores, scale, loss, None, 2, seed)
    then = call(subject, factor * scores, factor * scale, loss, None, 2, seed)
    _expect_multiplied(at, then, "value", 1.0)
    _expect_multiplied(at, then, "for_scores", 1 / factor)
    _expect_multiplied(at, then, "for_scale", 1 / factor)


def _expect_multiplied(at: Call, then: Call, name: str, factor: float) -> None:
    expected, got = factor * getattr(at, name), getattr(then, name)
    if not torch.allclose(got, expected, rtol=1e-9, atol=1e-9 * float(expected.abs().max())):
        raise ViolationError(f"{name} is not {factor:g} times what it was", got=got, expected=expected)
