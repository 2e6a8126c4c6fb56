"""What a call in a circumstance is expected to return, and its gradients: from its definition, or from a plain call."""

from __future__ import annotations

from typing import Any

import torch
from attrs import frozen
from torch import Tensor

from structpred.loss import LinearLoss
from structpred.testing.gradient_laws.arguments import Arguments
from structpred.testing.gradient_laws.circumstances import Scale, Upstream
from structpred.testing.gradient_laws.subject import ObjectiveSubject


@frozen(eq=False)
class Found:
    """What a call returned, and the gradients by name, in float64."""

    value: Tensor
    gradients: dict[str, Tensor]


def expected(call: Arguments, *, plain_gradients: bool) -> tuple[Found, dict[str, Tensor]]:
    """By the definition, and the sizes to which differences are compared."""
    it, given, subject = call.it, call.given, call.subject
    scores = given.scores.clone().requires_grad_()
    scale = given.scale.clone().requires_grad_()
    loss = LinearLoss(
        given.coefficients.clone().requires_grad_(),
        call.constant().requires_grad_(),
        event_dims=len(subject.space.shape),
        best=given.best,
    )
    noise = given.noise[: call.samples]
    found = call.definition(subject, scores, scale * noise, loss, it.epsilon)
    if isinstance(subject, ObjectiveSubject):
        value, number = _reduced(call, found)
        bound = found.detach().abs().max()
    else:
        value = found.mean(0) if call.returns_mean else found
        number, bound = (value * call.arriving()).sum(), torch.tensor(1.0)
        leading = () if call.returns_mean or call.is_single else (call.samples,)
        value = value.reshape(*leading, *it.batch, *subject.space.shape)
    leaves = [scores, scale, loss.coefficients, loss.constant]
    if plain_gradients and it.mode.has_gradients:
        gradients = [*_of_the_plain_call(call), *_gradients(number, leaves[2:])]
    else:
        gradients = _gradients(number, leaves)
    names = ("the scores", "the scale", "the coefficients", "the constant")
    shaped, bounds = dict[str, Tensor](), {"value": bound.expand(value.shape).clone()}
    if it.upstream is Upstream.SUM and isinstance(subject, ObjectiveSubject):
        bounds["value"] = bounds["value"] * it.examples
    for name, gradient in zip(names, gradients, strict=True):
        shaped[name], bounds[name] = _shaped(call, name, gradient)
    return Found(value.detach(), shaped), bounds


def _reduced(call: Arguments, losses: Tensor) -> tuple[Tensor, Tensor]:
    """Of losses ``(samples, n)``, what the objective returns, and what is differentiated."""
    each, it = losses.mean(0), call.it
    if not hasattr(call.subject.module, "reduction") or it.upstream is Upstream.MEAN:
        return each.mean(), each.mean()
    if it.upstream is Upstream.SUM:
        return each.sum(), each.sum()
    number = (each * call.weights()).sum() if it.batch else each.sum()
    return each.reshape(it.batch), number


def _shaped(call: Arguments, name: str, gradient: Tensor) -> tuple[Tensor, Tensor]:
    """A gradient as the argument is shaped, and what rounding is measured by."""
    it, space = call.it, call.subject.space
    sizes = gradient.abs()
    largest = sizes.max()

    def summed(tensor: Tensor) -> Tensor:
        if name == "the scores":
            return tensor.reshape(*it.batch, *space.shape)
        if name == "the coefficients":
            return tensor.reshape(*it.batch, *space.shape).sum_to_size(call.loss().coefficients.shape)
        if name == "the constant":
            constant = call.loss().constant
            each = tensor.reshape(it.batch)
            return each.sum_to_size(constant.shape) if isinstance(constant, Tensor) else each
        if it.scale is Scale.PER_VARIABLE:
            return tensor.reshape(*it.batch, *space.noise_shape)
        if it.scale is Scale.SHARED:
            return tensor.sum(0).reshape(*(1,) * len(it.batch), *space.noise_shape)
        if it.scale in (Scale.PER_EXAMPLE, Scale.DOUBLE) or it.scale_is_along_one:
            each = tensor.flatten(1).sum(1).reshape(*it.batch, *(1,) * len(space.noise_shape))
            return each.sum_to_size(call.scale_shape) if it.scale_is_along_one else each
        return tensor.sum().reshape((1,) if it.scale is Scale.ONE_ELEMENT else ())

    return summed(gradient), summed(sizes).clamp(min=float(largest))


def _of_the_plain_call(call: Arguments) -> list[Tensor]:
    """The gradients for scores and scale of a call in float64, for one dimension of examples.

    An estimate's have the unit of the loss, by that of the scores, which are one: it is called with numbers near 1.
    """
    subject, given = call.subject, call.given
    unit = 1.0 if call.own_step else given.unit
    module = call.module(given.noise)
    scores, scale = (given.scores / unit).requires_grad_(), (given.scale / unit).requires_grad_()
    keywords: dict[str, Any] = {"generator": call.generator(0)}
    if subject.noise is not None:
        keywords["scale"] = scale
    if isinstance(subject, ObjectiveSubject):
        if hasattr(module, "reduction"):
            module.reduction = "none"
        coefficients, constant = given.coefficients / unit, call.constant() / unit
        loss = LinearLoss(coefficients, constant, event_dims=len(subject.space.shape))
        each = module(scores, loss, **keywords)
        number = _reduced(call, each[None])[1] if each.ndim else each
    else:
        y = module(scores, **keywords)
        number = (y * call.arriving().reshape(y.shape) / unit).sum()
    return _gradients(number, [scores, scale])


def _gradients(number: Tensor, leaves: list[Any]) -> list[Tensor]:
    found = torch.autograd.grad(number, leaves, allow_unused=True) if number.requires_grad else [None] * len(leaves)
    return [torch.zeros_like(leaf) if it is None else it for it, leaf in zip(found, leaves, strict=True)]
