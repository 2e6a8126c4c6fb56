"""What holds for layers: which structures they return, and that their gradients follow the unit of the loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import torch
from torch import Tensor

from structpred.testing.gradient_laws.calls import expect_close
from structpred.testing.gradient_laws.case import BATCH, Case, cases
from structpred.testing.gradient_laws.projections import projected
from structpred.testing.gradient_laws.subject import LayerSubject
from structpred.testing.gradient_laws.units import has_a_relative_step
from structpred.testing.law import ViolationError, law


@law(needs=has_a_relative_step, case=cases)
def gradients_follow_the_unit_of_the_loss(subject: LayerSubject, case: Case) -> None:
    """Twice the loss has twice the gradients, 0 times the loss none, the mean those of the sum divided by its size."""
    module, _ = subject.recording(case)

    def gradients(reduced: Callable[[Tensor], Tensor]) -> list[Tensor]:
        own = subject.recording(case)[0] if subject.keeps_a_state else module  # the same, whatever unit came before
        return _gradients(own, subject, case, reduced)

    expected = gradients(lambda losses: losses.sum())
    for what, factor, loss in (
        ("twice the loss", 2.0, lambda losses: 2 * losses.sum()),
        ("the loss times 2^-20", 2.0**-20, lambda losses: 2.0**-20 * losses.sum()),
        ("0 times the loss", 0.0, lambda losses: 0 * losses.sum()),
        ("the mean over the batch", 1 / BATCH[0], lambda losses: losses.mean(-1).sum()),
        ("the loss again", 1.0, lambda losses: losses.sum()),
    ):
        for name, got, was in zip(("scores", "scale"), gradients(loss), expected, strict=True):
            if not torch.allclose(got, factor * was, rtol=1e-9, atol=1e-9 * factor):
                message = f"{what}: the gradient for the {name} is not {factor:g} times what it was"
                raise ViolationError(message, got=got, expected=factor * was)


@law(case=cases)
def structures_are_answers_to_the_perturbed_scores(subject: LayerSubject, case: Case) -> None:
    """The structures are the argmax of the scores under noise; where there is a number of samples, they come first.

    A layer with a ``projection`` projects the scores before.
    """
    case = attrs.evolve(case, scores=case.generic_scores())
    at = subject.call(case)
    y = subject.space.argmax(subject.perturbed(projected(subject, case.scores), case.scale, at.noise))
    assert at.y is not None
    expect_close(
        at.y,
        y[0] if case.num_samples is None else y,
        "other structures than those of the scores under the noise that was drawn",
    )


@law(case=cases)
def mean_is_that_of_its_draws(subject: LayerSubject, case: Case) -> None:
    """What is returned is the mean over the draws of the argmax of the scores under noise."""
    at = subject.call(case)
    assert at.y is not None
    expected = subject.space.argmax(subject.perturbed(case.scores, case.scale, at.noise)).mean(0)
    expect_close(at.y, expected, "not the mean of the structures under the noise that was drawn")


@law(case=cases)
def gradient_for_scores_is_the_difference_along_what_arrived(subject: LayerSubject, case: Case) -> None:
    """Per draw, the gradient for the scores is (y(eps) - y) / eps, a step along the dL/dy that arrived.

    In a second backward pass, in which another arrives, too.
    """
    got, expected = _difference(subject, case)
    expect_close(got[0], expected[0], "the gradient for the scores differs")
    module, _ = subject.recording(case, epsilon=case.epsilon)
    scores = case.generic_scores().requires_grad_()
    y = module(scores, **subject.keywords(case.seed, case.scale))
    arriving = case.loss.coefficients.expand_as(y)
    found = [torch.autograd.grad(y, scores, way * arriving, retain_graph=True)[0] for way in (1, -1, 1)]
    other = module(scores, **subject.keywords(case.seed, case.scale))
    (alone,) = torch.autograd.grad(other, scores, -arriving)
    expect_close(found[1], alone, "after a backward pass another has a gradient that it has not alone")
    expect_close(found[2], found[0], "a third backward pass differs from the first")


@law(case=cases)
def gradient_for_scale_is_the_difference_along_what_arrived(subject: LayerSubject, case: Case) -> None:
    """Per draw, the gradient for the scale is that of the difference, by the chain rule through the noise."""
    got, expected = _difference(subject, case)
    expect_close(got[1], expected[1], "the gradient for the scale differs")


@law(case=cases)
def gradient_is_what_arrived(subject: LayerSubject, case: Case) -> None:
    """The dL/dy that arrived goes to the perturbed scores, and on through the projection that the layer has."""
    forbidden = (case.direction(case.scores) < 0) & (subject.space.argmax(case.scores) == 0)
    for unit in (1.0, 2.0**-40):  # a projection takes it away
        own = attrs.evolve(case, scores=unit * case.generic_scores().masked_fill(forbidden, -torch.inf))
        at = subject.call(own)
        scores, scale = own.scores.clone().requires_grad_(), own.scale.clone().requires_grad_()
        perturbed = subject.perturbed(projected(subject, scores), scale, at.noise)
        assert at.arrived is not None
        arrived = at.arrived.reshape(perturbed.shape).masked_fill(forbidden, 0)
        expected = _pulled_back(perturbed, arrived, scores, scale)
        expect_close(
            unit * at.for_scores, unit * expected[0], f"scores times {unit:g}: the gradient for the scores differs"
        )
        expect_close(at.for_scale, expected[1], f"scores times {unit:g}: the gradient for the scale differs")


def _gradients(module: Any, subject: LayerSubject, case: Case, reduced: Callable[[Tensor], Tensor]) -> list[Tensor]:
    leaves = [case.scores.clone().requires_grad_(), case.scale.clone().requires_grad_()]
    y = module(leaves[0], **subject.keywords(case.seed, leaves[1]))
    found = torch.autograd.grad(reduced(case.downstream(y)), leaves, allow_unused=True)
    return [torch.zeros_like(leaf) if it is None else it for it, leaf in zip(found, leaves, strict=True)]


def _difference(subject: LayerSubject, case: Case) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """The gradients for scores and scale, and what the difference along dL/dy makes them."""
    case = attrs.evolve(case, scores=case.generic_scores())
    at = subject.call(case, epsilon=case.epsilon)
    scores, scale = case.scores.clone().requires_grad_(), case.scale.clone().requires_grad_()
    perturbed = subject.perturbed(scores, scale, at.noise)
    assert at.arrived is not None
    direction = at.arrived.reshape(perturbed.shape)
    steps = subject.steps(case.epsilon)
    low, high = (subject.space.argmax(perturbed + step * direction) for step in steps)
    expected = _pulled_back(perturbed, (high - low) / (steps[1] - steps[0]), scores, scale)
    return (at.for_scores, at.for_scale), expected


def _pulled_back(perturbed: Tensor, gradient: Tensor, scores: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """The gradients for scores and scale of a gradient for the perturbed scores."""
    value = (perturbed.where(gradient != 0, 0) * gradient).sum()  # a score may be -inf where the gradient is 0
    for_scores, for_scale = torch.autograd.grad(value, [scores, scale])
    return for_scores, for_scale
