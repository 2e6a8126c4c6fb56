"""What holds for estimates whose loss need not be linear."""

from __future__ import annotations

import attrs
import torch
from torch import Tensor

from structpred.testing.gradient_laws.calls import expect_close
from structpred.testing.gradient_laws.case import Case, cases
from structpred.testing.gradient_laws.subject import ObjectiveSubject
from structpred.testing.law import law


@law(case=cases)
def a_function_is_as_good_as_its_loss(subject: ObjectiveSubject, case: Case) -> None:
    """Where the objective takes any function of the structures, a linear loss as such has its value and gradients.

    Those for the coefficients too, which the function is computed from.
    """
    try:
        got = subject.call(case, lambda y: case.loss(y))
    except (AttributeError, TypeError, ValueError):
        return  # it takes linear losses alone
    expected = subject.call(case)
    expect_close(got.value, expected.value, "the value for a loss that is a function differs")
    expect_close(got.for_scores, expected.for_scores, "for a loss that is a function, the gradient for scores differs")
    expect_close(got.for_scale, expected.for_scale, "for a loss that is a function, the gradient for sigma differs")
    for_function, for_loss = (_for_coefficients(subject, case, is_function) for is_function in (True, False))
    expect_close(for_function, for_loss, "for a loss that is a function, the gradient for what it is made of differs")


def _for_coefficients(subject: ObjectiveSubject, case: Case, is_function: bool) -> Tensor:
    coefficients = case.loss.coefficients.clone().requires_grad_()
    loss = attrs.evolve(case.loss, coefficients=coefficients, best=None)
    module, _ = subject.recording(case)
    value, _ = subject.value(module, case, case.scores, case.scale, (lambda y: loss(y)) if is_function else loss)
    (gradient,) = torch.autograd.grad(value, coefficients) if value.requires_grad else (torch.zeros_like(coefficients),)
    return gradient
