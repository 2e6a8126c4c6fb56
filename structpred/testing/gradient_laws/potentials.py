"""Objectives that are a potential: a number that is convex in the scores, and the gradient of that number.

    loss = max_y <a s + m, y> - <a s + m, target>,    s = scores + spread(scale * noise)

The module says what a and m are: ``factor`` is a, 1 unless given; ``margin`` whether the loss's coefficients are m.
"""

from __future__ import annotations

import attrs
import torch
from torch import Tensor

from structpred.errors import ArgumentError
from structpred.testing.gradient_laws.calls import expect_close
from structpred.testing.gradient_laws.case import Call, Case, cases
from structpred.testing.gradient_laws.lines import TOLERANCE, expect_near, slope
from structpred.testing.gradient_laws.subject import ObjectiveSubject
from structpred.testing.law import ViolationError, law
from structpred.testing.oracles import best_of, can_list, structures_of
from structpred.testing.oracles import value as inner

_FAR = 1e5  # beyond what noise and margin can make up for


def _has_a_margin(subject: ObjectiveSubject) -> bool:
    return bool(getattr(subject.module, "margin", False))


def _with_a_margin(subject: ObjectiveSubject) -> str | None:
    return None if _has_a_margin(subject) else "only with a margin"


def _without_a_margin(subject: ObjectiveSubject) -> str | None:
    return "only without a margin: a target alone has no loss" if _has_a_margin(subject) else None


def _target(subject: ObjectiveSubject, case: Case) -> Tensor:
    best = case.loss.best
    return subject.space.argmax(-case.loss.coefficients) if best is None else best.double().expand_as(case.scores)


@law(case=cases)
def value_is_its_definition(subject: ObjectiveSubject, case: Case) -> None:
    """The value is max_y <a s + m, y> - <a s + m, target> in the mean over draws, with a ``factor`` a and margin m."""
    at, space = subject.call(case), subject.space
    augmented = getattr(subject.module, "factor", 1.0) * subject.perturbed(case.scores, case.scale, at.noise)
    if _has_a_margin(subject):
        augmented = augmented + case.loss.coefficients
    if can_list(space):
        best, _ = best_of(space, augmented, structures_of(space).double())
    else:
        best = inner(space, augmented, space.argmax(augmented))
    expected = (best - inner(space, augmented, _target(subject, case))).mean()
    expect_near(at.value, expected, "the value is not its definition")


@law(needs=_without_a_margin, case=cases)
def a_target_is_as_good_as_its_loss(subject: ObjectiveSubject, case: Case) -> None:
    """The target structure itself has the value and the gradients of a loss whose best structure it is.

    Of any dtype, and one for all examples, unless the objective refuses that.
    """
    one, target = subject.call(case), _target(subject, case)
    for dtype in (target.dtype, torch.bool, torch.uint8, torch.int64, torch.float16):
        try:
            other = subject.call(case, supervision=target.to(dtype))
        except (ArgumentError, RuntimeError, TypeError):  # as torch refuses to subtract truth values
            if dtype is target.dtype:
                raise
            continue
        for name in ("value", "for_scores", "for_scale"):
            message = f"with the target given, as {dtype}, {name} differs"
            expect_close(getattr(other, name), getattr(one, name), message)
    try:
        shared = subject.call(case, supervision=target[0])
    except (RuntimeError, TypeError, ValueError):
        return
    alike = subject.call(case, supervision=target[:1].expand_as(target).clone())
    for name in ("value", "for_scores", "for_scale"):
        message = f"with one target for all examples, without their dimension, {name} differs"
        expect_close(getattr(shared, name), getattr(alike, name), message)


@law(case=cases)
def gradient_for_scores_is_that_of_the_value(subject: ObjectiveSubject, case: Case) -> None:
    """Per draw, the gradient for the scores is the derivative of the value, to 1e-6."""
    way = case.direction(case.scores)
    expected = slope(lambda step: _value(subject, case, case.scores + step * way, case.scale))
    got = (subject.call(case).for_scores * way).sum()
    expect_near(got, expected, "along a random direction, the gradient for the scores differs")


@law(case=cases)
def gradient_for_scale_is_that_of_the_value(subject: ObjectiveSubject, case: Case) -> None:
    """Per draw, the gradient for a scale of any shape is the derivative of the value, to 1e-6."""
    way = case.direction(case.scale)
    expected = slope(lambda step: _value(subject, case, case.scores, case.scale + step * way))
    got = (subject.call(case).for_scale * way).sum()
    expect_near(got, expected, "along a random direction, the gradient for the scale differs")


@law(case=cases)
def value_is_convex(subject: ObjectiveSubject, case: Case) -> None:
    """For given noise, the value is convex in scores and scale."""
    for size in (0.5, 3.0, 20.0):
        d, e = size * case.direction(case.scores), case.scale * case.direction(case.scale, 1).sigmoid()
        ends = [_value(subject, case, case.scores + way * d, case.scale + way * e) for way in (1, -1)]
        got, most = _value(subject, case, case.scores, case.scale), (ends[0] + ends[1]) / 2
        if not got <= most + TOLERANCE * size:
            message = f"half way between two points, each {size:g} directions away, the value is above their mean"
            raise ViolationError(message, got=got.item(), at_most=most.item())


@law(case=cases)
def value_is_at_least_zero(subject: ObjectiveSubject, case: Case) -> None:
    """The value is at least 0, in every draw, and also where the target wins."""
    ahead = 20 * case.scale.max() * _target(subject, case)
    for scores in (case.scores, case.scores + ahead):
        got = _value(subject, case, scores, case.scale)
        if not got >= -TOLERANCE:
            raise ViolationError("the value is below 0", scores=scores, got=got.item())


@law(case=cases)
def value_is_zero_where_the_target_wins(subject: ObjectiveSubject, case: Case) -> None:
    """Where the target outscores all other structures by more than noise and margin, value and gradient are 0."""
    winning = case.scores + _FAR * (2 * _target(subject, case) - 1)
    at: Call = subject.call(attrs.evolve(case, scores=winning))
    if not at.value.abs() <= TOLERANCE or at.for_scores.any():
        raise ViolationError("the target wins", scores=winning, got=at.value.item(), for_scores=at.for_scores)


@law(needs=_with_a_margin, case=cases)
def value_bounds_the_task_loss(subject: ObjectiveSubject, case: Case) -> None:
    """The value is at least the task loss of the argmax under noise, above that of the target."""
    at = subject.call(case)
    y = subject.space.argmax(subject.perturbed(case.scores, case.scale, at.noise))
    regret = (case.loss(y) - case.loss(_target(subject, case))).mean()
    if not at.value >= regret - TOLERANCE:
        raise ViolationError("the value is below the task loss", got=at.value.item(), at_least=regret.item())


def _value(subject: ObjectiveSubject, case: Case, scores: Tensor, scale: Tensor) -> Tensor:
    module, _ = subject.recording(case)
    with torch.no_grad():
        return subject.value(module, case, scores, scale)[0]
