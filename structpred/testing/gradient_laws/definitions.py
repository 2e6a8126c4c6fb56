"""What a call returns for given noise, as each kind of objective and layer is defined: plainly, and in float64.

Autograd differentiates the definitions for scores, scale, and the coefficients and the constant of the loss. Estimates
that are only right in the mean have no definition of their gradient: see ``mean_gradient_...``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from structpred.loss import LinearLoss
from structpred.testing.gradient_laws.projections import projected

if TYPE_CHECKING:
    from structpred.testing.gradient_laws.subject import Subject

Definition = Callable[["Subject", Tensor, Tensor, LinearLoss, float], Tensor]
"""Of subject, scores ``(batch, *shape)``, scaled noise ``(samples, batch, *noise_shape)``, loss and epsilon: the losses
``(samples, batch)`` of an objective, or the structures ``(samples, batch, *shape)`` of a layer, and their gradients."""


def direct_losses(subject: Subject, scores: Tensor, noise: Tensor, loss: LinearLoss, epsilon: float) -> Tensor:
    """The task loss of y, whose gradient for the perturbed scores is (y(eps) - y) / eps."""
    perturbed = scores + subject.space.spread(noise)
    low, high = subject.steps(epsilon)
    y, below, above = (
        subject.space.argmax(perturbed.detach() + step * loss.coefficients.detach()) for step in (0.0, low, high)
    )
    value = loss.constant + inner(subject, loss.coefficients, y)
    return value + carried(subject, perturbed, (above - below) / (high - low))


def potentials(subject: Subject, scores: Tensor, noise: Tensor, loss: LinearLoss, epsilon: float) -> Tensor:
    """max_y <a s + m, y> - <a s + m, target>, with a ``factor`` a, and the coefficients as m if it has a ``margin``."""
    augmented = getattr(subject.module, "factor", 1.0) * (scores + subject.space.spread(noise))
    if getattr(subject.module, "margin", False):
        augmented = augmented + loss.coefficients
    difference = subject.space.argmax(augmented.detach()) - best_of_loss(subject, scores, loss)
    return inner(subject, augmented.where(difference != 0, 0), difference)


def mean_losses(subject: Subject, scores: Tensor, noise: Tensor, loss: LinearLoss, epsilon: float) -> Tensor:
    """The task loss of y; how it depends on scores and scale is an estimate."""
    y = subject.space.argmax((scores + subject.space.spread(noise)).detach())
    return loss.constant + inner(subject, loss.coefficients, y)


def best_of_loss(subject: Subject, scores: Tensor, loss: LinearLoss) -> Tensor:
    """The structure to learn, solved for where the loss does not know it, without forbidden parts."""
    if loss.best is not None:
        return loss.best.to(scores.dtype).expand_as(scores)
    costs = loss.coefficients.detach().expand_as(scores)
    return subject.space.argmax((-costs).masked_fill(scores.isneginf(), -torch.inf))


def difference_layers(subject: Subject, scores: Tensor, noise: Tensor, loss: LinearLoss, epsilon: float) -> Tensor:
    """y, whose gradient for the perturbed scores is (y(eps) - y) / eps, a step along the dL/dy that arrives."""
    perturbed = scores + subject.space.spread(noise)
    low, high = subject.steps(epsilon)

    def backward(arrived: Tensor) -> Tensor:
        below, above = (subject.space.argmax(perturbed.detach() + step * arrived) for step in (low, high))
        return (above - below) / (high - low)

    y: Tensor = _WithBackward.apply(perturbed, subject.space.argmax(perturbed.detach()), backward)
    return y


def identity_layers(subject: Subject, scores: Tensor, noise: Tensor, loss: LinearLoss, epsilon: float) -> Tensor:
    """y, whose dL/dy goes on to the projected scores, but for forbidden parts."""
    perturbed = projected(subject, scores) + subject.space.spread(noise)
    forbidden = scores.isneginf()
    y = subject.space.argmax(perturbed.detach())
    result: Tensor = _WithBackward.apply(perturbed, y, lambda arrived: arrived.masked_fill(forbidden, 0))
    return result


def mean_structures(subject: Subject, scores: Tensor, noise: Tensor, loss: LinearLoss, epsilon: float) -> Tensor:
    """y of every draw; the derivative of their mean is an estimate."""
    return subject.space.argmax((scores + subject.space.spread(noise)).detach())


def inner(subject: Subject, one: Tensor, other: Tensor) -> Tensor:
    """``<one, other>`` over the dimensions of a structure."""
    return (one * other).flatten(-len(subject.space.shape)).sum(-1)


def carried(subject: Subject, scores: Tensor, gradient: Tensor) -> Tensor:
    """0, with this gradient for the scores."""
    surrogate = inner(subject, scores.where(gradient != 0, 0), gradient)
    return surrogate - surrogate.detach()


class _WithBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx, perturbed: Tensor, y: Tensor, backward: Callable[[Tensor], Tensor]) -> Tensor:  # type: ignore[no-untyped-def]
        ctx.gradient = backward
        return y.clone()

    @staticmethod
    def backward(ctx, arrived: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[no-untyped-def]
        return ctx.gradient(arrived), None, None
