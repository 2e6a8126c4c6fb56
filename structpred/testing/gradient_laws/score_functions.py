"""What holds for estimates whose loss need not be linear."""

from __future__ import annotations

from structpred.testing.gradient_laws.calls import expect_close
from structpred.testing.gradient_laws.case import Case, cases
from structpred.testing.gradient_laws.subject import ObjectiveSubject
from structpred.testing.law import law


@law(case=cases)
def a_function_is_as_good_as_its_loss(subject: ObjectiveSubject, case: Case) -> None:
    """Where the objective takes any function of the structures, a linear loss as such has its value and gradients."""
    try:
        got = subject.call(case, lambda y: case.loss(y))
    except (AttributeError, TypeError, ValueError):
        return  # it takes linear losses alone
    expected = subject.call(case)
    expect_close(got.value, expected.value, "the value for a loss that is a function differs")
    expect_close(got.for_scores, expected.for_scores, "for a loss that is a function, the gradient for scores differs")
    expect_close(got.for_scale, expected.for_scale, "for a loss that is a function, the gradient for sigma differs")
