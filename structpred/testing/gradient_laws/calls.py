"""How an objective may be called: its noise, no noise at all, its place in a larger graph, types, forbidden parts."""

from __future__ import annotations

import torch
from hypothesis import strategies as st
from torch import Tensor

from structpred.loss import LinearLoss
from structpred.testing import strategies
from structpred.testing.gradient_laws.subject import DirectGradient, Recorded, call
from structpred.testing.law import ViolationError, law
from structpred.testing.oracles import first

_given = law(
    scores=lambda subject: strategies.scores(
        subject.space, batch=(3,), dtype=torch.float64, forbidden=False, moderate=True
    ),
    scale=lambda subject: strategies.scales(subject.space),
    loss=lambda subject: strategies.losses(subject.space),
    epsilon=lambda subject: st.sampled_from([-1.0, 1.0, -5.0]),
    seed=lambda subject: strategies.seeds(),
)


@_given
def noise_is_drawn_once(
    subject: DirectGradient, scores: Tensor, scale: Tensor, loss: LinearLoss, epsilon: float, seed: int
) -> None:
    """All structures of a call see the same noise: one sample of shape (num_samples, *batch, *noise_shape)."""
    noise = Recorded(subject.noise)
    subject.make(epsilon, 2, noise)(scores, loss, scale=scale, generator=torch.Generator().manual_seed(seed))
    got, expected = [tuple(draw.shape) for draw in noise.draws], [(2, 3, *subject.space.noise_shape)]
    if got != expected:
        raise ViolationError("other noise is drawn; the shapes of the samples", got=got, expected=expected)


@_given
def a_generator_repeats_the_call(
    subject: DirectGradient, scores: Tensor, scale: Tensor, loss: LinearLoss, epsilon: float, seed: int
) -> None:
    """Generators of equal state give equal values and gradients, and the global generator is left alone."""
    before = torch.get_rng_state()
    one, other = (call(subject, scores, scale, loss, epsilon, 2, seed) for _ in range(2))
    if not torch.equal(torch.get_rng_state(), before):
        raise ViolationError("the global generator moved, although one was given")
    for name in ("value", "for_scores", "for_scale"):
        got, expected = getattr(other, name), getattr(one, name)
        if not torch.equal(got, expected):
            raise ViolationError(f"another call with an equal generator: {name} differs", got=got, expected=expected)


@_given
def without_noise_it_is_the_classical_gradient(
    subject: DirectGradient, scores: Tensor, scale: Tensor, loss: LinearLoss, epsilon: float, seed: int
) -> None:
    """With noise=None the gradient is the classical one, (y(eps) - y) / eps of the scores as they are."""
    scores = scores + torch.randn(scores.shape, generator=torch.Generator().manual_seed(seed), dtype=scores.dtype)
    low, high = (subject.space.argmax(scores + step * loss.coefficients) for step in subject.steps(epsilon))
    width = subject.steps(epsilon)[1] - subject.steps(epsilon)[0]
    leaf = scores.clone().requires_grad_()
    (got,) = torch.autograd.grad(subject.make(epsilon, 2, None)(leaf, loss), leaf)
    _expect_close(got, (high - low) / width / 3, "the gradient without noise differs")


@_given
def gradients_follow_the_chain_rule(
    subject: DirectGradient, scores: Tensor, scale: Tensor, loss: LinearLoss, epsilon: float, seed: int
) -> None:
    """What comes after the objective scales its gradients, and what comes before them receives them."""
    plain = call(subject, scores, scale, loss, epsilon, 2, seed)
    before, log_scale = (scores / 2).requires_grad_(), scale.log().requires_grad_()
    objective = subject.make(epsilon, 2, Recorded(subject.noise))
    value = objective(2 * before, loss, scale=log_scale.exp(), generator=torch.Generator().manual_seed(seed))
    got = torch.autograd.grad(-3 * value, [before, log_scale])
    _expect_close(got[0], -6 * plain.for_scores, "after 2 x before, and times -3, the gradient for scores / 2 differs")
    _expect_close(got[1], -3 * scale * plain.for_scale, "times -3, the gradient for log(scale) differs")


@_given
def forbidden_parts_have_no_gradient(
    subject: DirectGradient, scores: Tensor, scale: Tensor, loss: LinearLoss, epsilon: float, seed: int
) -> None:
    """A part whose score is -inf has gradient 0, and every gradient is finite."""
    kept = subject.space.argmax(scores) != 0
    coin = torch.rand(scores.shape, generator=torch.Generator().manual_seed(seed)) < 0.5
    masked = scores.masked_fill(coin & ~kept, -torch.inf)
    at = call(subject, masked, scale, loss, epsilon, 2, seed)
    if not (at.value.isfinite() and at.for_scores.isfinite().all() and at.for_scale.isfinite().all()):
        raise ViolationError(
            "not finite", scores=masked, got=at.for_scores, for_scale=at.for_scale, value=at.value.item()
        )
    for index in first((masked.isneginf() & (at.for_scores != 0)).flatten(1).any(1)):
        raise ViolationError("a forbidden part has a gradient", scores=masked[index], got=at.for_scores[index])


@_given
def gradients_keep_dtype_and_shape(
    subject: DirectGradient, scores: Tensor, scale: Tensor, loss: LinearLoss, epsilon: float, seed: int
) -> None:
    """Gradients have the dtype and shape of scores and scale; half precision trains too."""
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        at = call(subject, scores.to(dtype), scale.to(dtype), loss, epsilon, 2, seed)
        got = (at.for_scores.dtype, at.for_scale.dtype, at.for_scores.shape, at.for_scale.shape, at.value.shape)
        expected = (dtype, dtype, scores.shape, scale.shape, torch.Size())
        if got != expected:
            raise ViolationError("other dtypes or shapes", got=got, expected=expected)


@_given
def arguments_are_left_alone(
    subject: DirectGradient, scores: Tensor, scale: Tensor, loss: LinearLoss, epsilon: float, seed: int
) -> None:
    """The call and its backward pass change neither scores nor scale nor the loss."""
    arguments = {"scores": scores, "scale": scale, "loss.coefficients": loss.coefficients}
    before = {name: tensor.clone() for name, tensor in arguments.items()}
    leaf = scores.requires_grad_()
    objective = subject.make(epsilon, 2, subject.noise)
    objective(leaf, loss, scale=scale, generator=torch.Generator().manual_seed(seed)).backward()
    for name, tensor in arguments.items():
        if not torch.equal(tensor, before[name]):
            raise ViolationError(f"{name} was changed", got=tensor, expected=before[name])


def _expect_close(got: Tensor, expected: Tensor, message: str) -> None:
    if not torch.allclose(got, expected, rtol=1e-9, atol=1e-9):
        raise ViolationError(message, got=got, expected=expected)
