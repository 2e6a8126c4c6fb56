"""What the step must not depend on: the units of the loss, and those of scores and scale.

Factors are powers of 2, by which floating point numbers are multiplied without rounding.
"""

from __future__ import annotations

import attrs
import torch

from structpred.epsilon import FixedEpsilon, GrowUntilNonzero
from structpred.testing.gradient_laws.case import Call, Case, cases
from structpred.testing.gradient_laws.subject import ObjectiveSubject, Subject
from structpred.testing.law import ViolationError, law

_FACTORS = (8.0, 2.0**-20)


def has_a_relative_step(subject: Subject) -> str | None:
    """Why a subject's step depends on units, or None."""
    epsilon = getattr(subject.module, "epsilon", None)
    start = getattr(epsilon, "initial", epsilon)
    return "the step is a number, in units of its own" if isinstance(start, FixedEpsilon | float | int) else None


@law(needs=has_a_relative_step, case=cases)
def the_unit_of_the_loss_changes_no_structure(subject: ObjectiveSubject, case: Case) -> None:
    """Multiplying the loss by a positive number multiplies value and gradients by it, with a step that is no number."""
    for own in (case, case.of_one()):
        at = subject.call(own)
        for factor in _FACTORS:
            coefficients, constant = factor * own.loss.coefficients, factor * own.loss.constant
            loss = attrs.evolve(own.loss, coefficients=coefficients, constant=constant)
            then = subject.call(attrs.evolve(own, loss=loss))
            for name in ("value", "for_scores", "for_scale"):
                _expect_multiplied(at, then, name, factor)


def is_blind_to_the_value(subject: Subject) -> str | None:
    """Why a subject's step depends on the value of the loss, or None."""
    if isinstance(getattr(subject.module, "epsilon", None), GrowUntilNonzero):
        return "the step grows as long as the mean loss is positive"
    return has_a_relative_step(subject)


@law(needs=is_blind_to_the_value, case=cases)
def a_constant_of_the_loss_changes_no_structure(subject: ObjectiveSubject, case: Case) -> None:
    """Adding a constant to the loss changes no gradient, with a step that is no number."""
    at = subject.call(case)
    for constant in (8.0, -(2.0**20)):
        loss = attrs.evolve(case.loss, constant=constant + case.loss.constant)
        then = subject.call(attrs.evolve(case, loss=loss))
        for name in ("for_scores", "for_scale"):
            _expect_multiplied(at, then, name, 1.0)


@law(needs=has_a_relative_step, case=cases)
def a_common_factor_of_scores_and_scale_changes_no_structure(subject: ObjectiveSubject, case: Case) -> None:
    """Multiplying scores and scale by a positive number leaves the value, and divides the gradients by the number."""
    at = subject.call(case)
    for factor in _FACTORS:
        then = subject.call(attrs.evolve(case, scores=factor * case.scores, scale=factor * case.scale))
        _expect_multiplied(at, then, "value", 1.0)
        _expect_multiplied(at, then, "for_scores", 1 / factor)
        _expect_multiplied(at, then, "for_scale", 1 / factor)


def _expect_multiplied(at: Call, then: Call, name: str, factor: float) -> None:
    expected, got = factor * getattr(at, name), getattr(then, name)
    if not torch.allclose(got, expected, rtol=1e-9, atol=1e-9 * float(expected.abs().max())):
        raise ViolationError(f"{name} is not {factor:g} times what it was", got=got, expected=expected)
