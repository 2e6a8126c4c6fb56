"""What holds for every single draw of a direct loss: its gradient is that of a difference of maxima (Corollary 2).

For given noise, ``max_y <scores + spread(scale * noise) + step * loss, y>`` is convex and piecewise linear in
scores and scale, so that finite differences are exact wherever no kink lies between.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
import torch
from torch import Tensor

from structpred.errors import ArgumentError
from structpred.loss import LinearLoss
from structpred.testing.gradient_laws.calls import expect_close
from structpred.testing.gradient_laws.case import Call, Case, cases
from structpred.testing.gradient_laws.lines import TOLERANCE, expect_near, slope
from structpred.testing.gradient_laws.subject import ObjectiveSubject, Subject
from structpred.testing.law import ViolationError, law


@law(case=cases)
def gradient_for_scores_equals_finite_differences(subject: ObjectiveSubject, case: Case) -> None:
    """Per draw, the gradient for the scores is that of the perturbed difference, to 1e-6 (Corollary 2)."""
    at = subject.call(case, epsilon=case.epsilon)
    way = case.direction(case.scores)
    expected = _slope(subject, case, at, lambda step: (case.scores + step * way, case.scale))
    expect_near((at.for_scores * way).sum(), expected, "along a random direction, the gradient for the scores differs")


@law(case=cases)
def gradient_for_scale_equals_finite_differences(subject: ObjectiveSubject, case: Case) -> None:
    """Per draw, the gradient for a scale of any shape is that of the perturbed difference, to 1e-6 (Corollary 2)."""
    at = subject.call(case, epsilon=case.epsilon)
    way = case.direction(case.scale)
    expected = _slope(subject, case, at, lambda step: (case.scores, case.scale + step * way))
    expect_near((at.for_scale * way).sum(), expected, "along a random direction, the gradient for the scale differs")


@law(case=cases)
def subgradient_inequality_holds_for_any_step(subject: ObjectiveSubject, case: Case) -> None:
    """Per draw, the two structures are subgradients of two maxima, for steps of any size.

    With the maximum f at the upper and at the lower step, and the gradient g times the width of the difference,
    f(high, t + d) + f(low, t - d) >= f(high, t) + f(low, t) + <width g, d> for every move d of scores and scale.
    """
    at = subject.call(case, epsilon=case.epsilon)
    low, high = subject.steps(case.epsilon)
    d, e = case.direction(case.scores), case.direction(case.scale, 1)

    def both(moved: float) -> Tensor:
        tops = [
            subject.perturbed_maximum(case.scores + way * d, case.scale + way * e, at.noise, step, case.loss).mean()
            for way, step in ((moved, high), (-moved, low))
        ]
        return tops[0] + tops[1]

    along = (high - low) * ((at.for_scores * d).sum() + (at.for_scale * e).sum())
    here = both(0.0)
    for exponent in (-3, 0, 3, 10):
        for moved in (2.0**exponent, -(2.0**exponent)):
            got, bound = both(moved), here + moved * along
            if not got >= bound - TOLERANCE * (1 + 2.0**exponent):
                message = "a move of scores and scale breaks the inequality"
                raise ViolationError(message, step=moved, got=got.item(), at_least=bound.item())


@law(case=cases)
def value_is_the_mean_loss_under_noise(subject: ObjectiveSubject, case: Case) -> None:
    """The value is the mean task loss of the plain argmax under noise, without the loss added.

    That is the prediction of ``solve``, if the objective has it.
    """
    case = attrs.evolve(case, scores=case.generic_scores())
    at = subject.call(case)
    y = subject.space.argmax(subject.perturbed(case.scores, case.scale, at.noise))
    expect_near(at.value, case.loss(y).mean(), "the value is not the mean loss")
    module, noise = subject.recording(case)
    if hasattr(module, "solve"):
        prediction = module.solve(case.scores, case.loss, **subject.keywords(case.seed, case.scale)).prediction
        drawn = at.noise if noise is None else noise.draws[-1]
        y = subject.space.argmax(subject.perturbed(case.scores, case.scale, drawn))
        expect_close(prediction, y, "the prediction of solve is not the argmax under the noise that was drawn")


def _tells_its_step(subject: Subject) -> str | None:
    return None if hasattr(subject.module, "solve") else "only for what has a method solve"


@law(needs=_tells_its_step, case=cases)
def gradient_is_the_difference_over_the_step_taken(subject: ObjectiveSubject, case: Case) -> None:
    """With the objective's own step, which may have grown, gradients are the difference divided by what ``solve`` says.

    Those for scores and for the scale, of which a step in units of the noise is no function. From scores near one
    another, and from some so far apart that a policy has reason to grow the step.
    """
    for factor in (1.0, 64.0):
        scores = (factor * case.generic_scores()).requires_grad_()
        module, noise = subject.recording(case)
        scale = case.scale.clone().requires_grad_()
        solution = module.solve(scores, case.loss, **subject.keywords(case.seed, scale))
        if not hasattr(solution, "epsilon"):
            return  # it does not tell
        got, for_scale = torch.autograd.grad(solution.loss.mean(), (scores, scale), materialize_grads=True)
        dims = len(subject.space.shape)
        step = solution.epsilon.double().reshape(*solution.epsilon.shape, *(1,) * dims)
        drawn = torch.zeros(1, *case.scores.shape[:1], *subject.space.noise_shape) if noise is None else noise.draws[0]
        perturbed = subject.perturbed(scores.detach(), case.scale, drawn.double())
        low, high = (
            subject.space.argmax(perturbed + at * step * case.loss.coefficients) for at in (-subject.margin, 1.0)
        )
        difference = (high - low) / ((1 + subject.margin) * step)
        leaf = case.scale.clone().requires_grad_()
        surrogate = (subject.perturbed(scores.detach(), leaf, drawn.double()) * difference).flatten(2).sum(2).mean()
        (expected,) = torch.autograd.grad(surrogate, leaf)
        for what, it, wanted in (
            ("gradient", got, difference.mean(0) / len(scores)),
            ("gradient for the scale", for_scale, expected),
        ):
            message = (
                f"at scores of {factor:g} times the size, the {what} is not (y(eps) - y) / eps for solve's epsilon"
            )
            expect_close(it, wanted, message)


@law(case=cases)
def value_is_the_derivative_of_the_maximum(subject: ObjectiveSubject, case: Case) -> None:
    """The derivative of the mean maximum for the multiple of the loss, at 0, is the mean loss without its constant."""
    at = subject.call(case)
    constant = torch.as_tensor(case.loss.constant, dtype=case.scores.dtype).mean()
    expected = slope(lambda step: subject.perturbed_maximum(case.scores, case.scale, at.noise, step, case.loss)).mean()
    expect_near(at.value - constant, expected, "the value without the constant is not the derivative")


@law(case=cases)
def the_mean_maximum_is_convex(subject: ObjectiveSubject, case: Case) -> None:
    """For given noise, and so in the mean, the maximum is convex in scores, scale and the multiple of the loss."""
    noise = subject.call(case).noise
    d, e = case.direction(case.scores), case.direction(case.scale, 1)

    def maximum(way: float) -> Tensor:
        moved = case.scores + way * d, case.scale + way * e
        return subject.perturbed_maximum(*moved, noise, way * case.epsilon, case.loss)

    for size in (0.5, 1.0, 3.0, 10.0):
        worst = (maximum(0.0) - (maximum(size) + maximum(-size)) / 2).max()
        if not worst <= TOLERANCE * size:
            message = f"half way between two points, each {size:g} directions away, the maximum lies above their mean"
            raise ViolationError(message, by=worst.item())


def _takes_no_noise(subject: Subject) -> str | None:
    """An objective of a class of the user's own may be one for noise alone."""
    space = subject.space
    scores, loss = torch.zeros(1, *space.shape), LinearLoss(torch.zeros(1, *space.shape), event_dims=len(space.shape))
    try:
        subject.variant(noise=None)(scores, loss)
    except (ArgumentError, AttributeError, TypeError):
        return "the objective is for noise alone"
    return None


@law(needs=_takes_no_noise, case=cases)
def without_noise_it_is_the_classical_gradient(subject: ObjectiveSubject, case: Case) -> None:
    """With noise=None the gradient is the classical one, (y(eps) - y) / eps of the scores as they are."""
    silent = attrs.evolve(subject, module=subject.variant(noise=None))
    case = attrs.evolve(case, scores=case.generic_scores())
    steps = subject.steps(case.epsilon)
    low, high = (subject.space.argmax(case.scores + step * case.loss.coefficients) for step in steps)
    expected = (high - low) / (steps[1] - steps[0]) / len(case.scores)
    got = silent.call(case, epsilon=case.epsilon).for_scores
    expect_close(got, expected, "the gradient without noise differs")


def _slope(subject: ObjectiveSubject, case: Case, at: Call, move: Callable[[float], tuple[Tensor, Tensor]]) -> Tensor:
    """The derivative of the perturbed difference along a line, at 0."""
    low, high = subject.steps(case.epsilon)

    def maximum(multiple: float) -> Tensor:
        return slope(lambda step: subject.perturbed_maximum(*move(step), at.noise, multiple, case.loss))

    return (maximum(high) - maximum(low)).mean() / (high - low)
