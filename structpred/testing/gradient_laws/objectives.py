"""What holds for every objective: its reductions, and its place before other operations."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from structpred.testing.gradient_laws.arguments import Scripted
from structpred.testing.gradient_laws.calls import expect_close
from structpred.testing.gradient_laws.case import BATCH, Case, cases
from structpred.testing.gradient_laws.subject import ObjectiveSubject
from structpred.testing.law import ViolationError, law


def _reduces(subject: ObjectiveSubject) -> str | None:
    return None if hasattr(subject.module, "reduction") else "the objective has no reduction"


def _solves(subject: ObjectiveSubject) -> str | None:
    return None if hasattr(subject.module, "solve") else "the objective has no method solve"


@law(case=cases)
def what_comes_after_multiplies_the_gradients(subject: ObjectiveSubject, case: Case) -> None:
    """-3 times the value has -3 times the gradients, and 2^20 and 2^-40 times the value so many times them."""
    plain = subject.call(case)
    for factor in (-3.0, 2.0**20, 2.0**-40):
        scores, scale = case.scores.clone().requires_grad_(), case.scale.clone().requires_grad_()
        value, _ = subject.value(subject.recording(case)[0], case, scores, scale)
        for_scores, for_scale = torch.autograd.grad(factor * value, [scores, scale], allow_unused=True)
        expect_close(for_scores / factor, plain.for_scores, f"times {factor:g}, the gradient for the scores differs")
        for_scale = torch.zeros_like(scale) if for_scale is None else for_scale
        expect_close(for_scale / factor, plain.for_scale, f"times {factor:g}, the gradient for the scale differs")


@law(needs=_reduces, case=cases)
def reductions_agree(subject: ObjectiveSubject, case: Case) -> None:
    """``"none"`` has one loss an example, ``"sum"`` their sum, and ``"mean"`` their mean; gradients likewise."""
    found = {}
    for reduction in ("none", "sum", "mean"):
        scores = case.scores.clone().requires_grad_()
        value, _ = subject.value(subject.recording(case, reduction=reduction)[0], case, scores, case.scale)
        shape = BATCH if reduction == "none" else ()
        if value.shape != shape:
            raise ViolationError(f"{reduction}: another shape", got=tuple(value.shape), expected=shape)
        found[reduction] = value.detach().sum(), torch.autograd.grad(value.sum(), scores)[0]
    for reduction, factor in (("sum", 1), ("mean", BATCH[0])):
        for what, got, expected in zip(("values", "gradients"), found[reduction], found["none"], strict=True):
            message = f"{factor} times the {what} of {reduction!r} are not those of 'none'"
            expect_close(factor * got, expected, message)


@law(needs=_solves, case=cases)
def solve_returns_what_is_reduced(subject: ObjectiveSubject, case: Case) -> None:
    """The loss of ``solve`` has the value as its mean, with its gradients, and one prediction a draw and example."""
    module, noise = subject.recording(case)
    leaves = [case.scores.clone().requires_grad_(), case.scale.clone().requires_grad_()]
    value, _ = subject.value(module, case, leaves[0], leaves[1])
    solution = module.solve(leaves[0], case.loss, **subject.keywords(case.seed, leaves[1]))
    expect_close(solution.loss.mean(), value, "the mean of solve's loss is not the value")
    pairs = zip(_gradients(value, leaves), _gradients(solution.loss.mean(), leaves), strict=True)
    for name, (expected_gradient, gradient) in zip(("scores", "scale"), pairs, strict=True):
        expect_close(
            gradient, expected_gradient, f"the gradient of solve's loss for the {name} is not that of the value"
        )
    if noise is not None and not torch.equal(solution.noise, noise.draws[-1]):
        raise ViolationError("the noise of the solution was not drawn", got=solution.noise, expected=noise.draws[-1])
    if noise is not None:
        _expect_each_draw(subject, case, solution.noise, leaves)
    samples = 1 if subject.noise is None else case.num_samples
    got = tuple(solution.loss.shape), tuple(solution.prediction.shape)
    expected = (samples, *BATCH), (samples, *case.scores.shape)
    if got != expected:
        raise ViolationError("the shapes of loss and prediction", got=got, expected=expected)
    if not subject.space.contains(solution.prediction).all():
        raise ViolationError("the prediction is not in the space", got=solution.prediction)


def _expect_each_draw(subject: ObjectiveSubject, case: Case, noise: Tensor, leaves: list[Tensor]) -> None:
    """Raises unless the losses of ``solve``, each with a weight, have the gradients of calls with one draw each."""
    if subject.keeps_a_state or 1 not in subject.sample_counts:  # which hang together where one is too few
        return
    settings: dict[str, Any] = {"epsilon": case.epsilon} if subject.has_a_step else {}

    def solved(draws: Tensor) -> Tensor:
        assert subject.noise is not None
        scripted = Scripted(subject.noise, [draws], seeded=True)
        module = subject.variant(num_samples=len(draws), noise=scripted, **settings)
        loss: Tensor = module.solve(leaves[0], case.loss, **subject.keywords(case.seed, leaves[1])).loss
        return loss

    each = [solved(noise[draw : draw + 1]).sum() for draw in range(len(noise))]
    weights = torch.arange(1.0, len(noise) + 1, dtype=torch.float64)
    got = _gradients((weights * solved(noise).flatten(1).sum(1)).sum(), leaves)
    expected = _gradients((weights * torch.stack(each)).sum(), leaves)
    for name, one, other in zip(("scores", "scale"), got, expected, strict=True):
        expect_close(one, other, f"of draws with weights, the gradient for the {name} is not that of each draw alone")


def _gradients(value: Tensor, leaves: list[Tensor]) -> list[Tensor]:
    found = torch.autograd.grad(value, leaves, allow_unused=True)
    return [torch.zeros_like(leaf) if it is None else it for it, leaf in zip(found, leaves, strict=True)]
