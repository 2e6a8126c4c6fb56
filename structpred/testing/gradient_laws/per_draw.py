"""What holds for every single draw: the gradient is that of a difference of two maxima (Corollary 2).

For given noise, ``max_y <scores + spread(scale * noise) + step * loss, y>`` is convex and piecewise linear in
scores and scale, so that finite differences are exact wherever no kink lies between.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from hypothesis import reject
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from torch import Tensor

from structpred.loss import LinearLoss
from structpred.testing import strategies
from structpred.testing.gradient_laws.subject import Call, DirectGradient, call
from structpred.testing.law import ViolationError, law

_TOLERANCE = 1e-6


def _scores(subject: DirectGradient) -> SearchStrategy[Tensor]:
    return strategies.scores(subject.space, batch=(3,), dtype=torch.float64, forbidden=False, moderate=True)


_given = law(
    scores=_scores,
    scale=lambda subject: strategies.scales(subject.space),
    loss=lambda subject: strategies.losses(subject.space),
    epsilon=lambda subject: st.sampled_from([-1.0, 1.0, -5.0, 0.3]),
    num_samples=lambda subject: st.integers(1, 3),
    seed=lambda subject: strategies.seeds(),
)
"""The inputs of every law here: what an objective is called with; the seed is that of its noise."""


@_given
def gradient_for_scores_equals_finite_differences(
    subject: DirectGradient,
    scores: Tensor,
    scale: Tensor,
    loss: LinearLoss,
    epsilon: float,
    num_samples: int,
    seed: int,
) -> None:
    """Per draw, the gradient for the scores is that of the perturbed difference, to 1e-6 (Corollary 2)."""
    at = call(subject, scores, scale, loss, epsilon, num_samples, seed)
    way = _direction(scores, seed)
    expected = _slope(at, lambda step: (scores + step * way, scale))
    _expect_near((at.for_scores * way).sum(), expected, "along a random direction, the gradient for the scores differs")


@_given
def gradient_for_scale_equals_finite_differences(
    subject: DirectGradient,
    scores: Tensor,
    scale: Tensor,
    loss: LinearLoss,
    epsilon: float,
    num_samples: int,
    seed: int,
) -> None:
    """Per draw, the gradient for a scale of any shape is that of the perturbed difference, to 1e-6 (Corollary 2)."""
    at = call(subject, scores, scale, loss, epsilon, num_samples, seed)
    way = _direction(scale, seed)
    expected = _slope(at, lambda step: (scores, scale + step * way))
    _expect_near((at.for_scale * way).sum(), expected, "along a random direction, the gradient for the scale differs")


@_given
def subgradient_inequality_holds_for_any_step(
    subject: DirectGradient,
    scores: Tensor,
    scale: Tensor,
    loss: LinearLoss,
    epsilon: float,
    num_samples: int,
    seed: int,
) -> None:
    """Per draw, the two structures are subgradients of two maxima, for steps of any size.

    With the maximum f at the upper and at the lower step, and the gradient g times the width of the difference,
    f(high, t + d) + f(low, t - d) >= f(high, t) + f(low, t) + <width g, d> for every move d of scores and scale.
    """
    at = call(subject, scores, scale, loss, epsilon, num_samples, seed)
    low, high = subject.steps(epsilon)

    def both(moved: float) -> Tensor:
        tops = [
            subject.perturbed_maximum(scores + way * d, scale + way * e, at.noise, step, loss).mean()
            for way, step in ((moved, high), (-moved, low))
        ]
        return tops[0] + tops[1]

    d, e = _direction(scores, seed), _direction(scale, seed + 1)
    slope = (high - low) * ((at.for_scores * d).sum() + (at.for_scale * e).sum())
    here = both(0.0)
    for exponent in (-3, 0, 3, 10):
        for moved in (2.0**exponent, -(2.0**exponent)):
            got, bound = both(moved), here + moved * slope
            if not got >= bound - _TOLERANCE * (1 + 2.0**exponent):
                raise ViolationError(
                    "a move of scores and scale breaks the inequality",
                    step=moved,
                    got=got.item(),
                    at_least=bound.item(),
                )


@_given
def value_is_the_mean_loss_under_noise(
    subject: DirectGradient,
    scores: Tensor,
    scale: Tensor,
    loss: LinearLoss,
    epsilon: float,
    num_samples: int,
    seed: int,
) -> None:
    """The value is the mean task loss of the plain argmax under noise, without the loss added."""
    at = call(subject, scores, scale, loss, epsilon, num_samples, seed)
    y = subject.space.argmax(scores + subject.space.spread(scale * at.noise))
    expected = (loss.constant + (loss.coefficients * y).flatten(-len(subject.space.shape)).sum(-1)).mean()
    _expect_near(at.value, expected, "the value is not the mean loss")


@_given
def value_is_the_derivative_of_the_maximum(
    subject: DirectGradient,
    scores: Tensor,
    scale: Tensor,
    loss: LinearLoss,
    epsilon: float,
    num_samples: int,
    seed: int,
) -> None:
    """The derivative of the mean maximum for the multiple of the loss, at 0, is the mean loss without its constant."""
    at = call(subject, scores, scale, loss, epsilon, num_samples, seed)
    constant = torch.as_tensor(loss.constant, dtype=scores.dtype).mean()

    def maximum(step: float) -> Tensor:
        return subject.perturbed_maximum(scores, scale, at.noise, step, loss)

    expected = _one_sided_slopes_agree(maximum).mean()
    _expect_near(at.value - constant, expected, "the value without the constant is not the derivative")


@_given
def the_mean_maximum_is_convex(
    subject: DirectGradient,
    scores: Tensor,
    scale: Tensor,
    loss: LinearLoss,
    epsilon: float,
    num_samples: int,
    seed: int,
) -> None:
    """For given noise, and so in the mean, the maximum is convex in scores, scale and the multiple of the loss."""
    generator = torch.Generator().manual_seed(seed)
    shape = (num_samples, *scores.shape[:1], *subject.space.noise_shape)
    noise = subject.noise.sample(shape, dtype=scores.dtype, generator=generator)
    d, e = 3 * _direction(scores, seed), 3 * _direction(scale, seed + 1)

    def maximum(way: float) -> Tensor:
        return subject.perturbed_maximum(scores + way * d, scale + way * e, noise, way * epsilon, loss)

    between, ends = maximum(0.0), (maximum(1.0) + maximum(-1.0)) / 2
    worst = (between - ends).max()
    if not worst <= _TOLERANCE:
        raise ViolationError("half way between two points the maximum lies above their mean", by=worst.item())


def _direction(like: Tensor, seed: int) -> Tensor:
    return torch.randn(like.shape, generator=torch.Generator().manual_seed(seed), dtype=like.dtype)


def _slope(at: Call, move: Callable[[float], tuple[Tensor, Tensor]]) -> Tensor:
    """The derivative of the perturbed difference along a line, at 0."""
    low, high = at.subject.steps(at.epsilon or 0.0)

    def maximum(multiple: float) -> Tensor:
        return _one_sided_slopes_agree(
            lambda step: at.subject.perturbed_maximum(*move(step), at.noise, multiple, at.loss)
        )

    return (maximum(high) - maximum(low)).mean() / (high - low)


def _one_sided_slopes_agree(function: Callable[[float], Tensor]) -> Tensor:
    """The derivative at 0, entry by entry, of a convex piecewise linear function; exact where no kink is near."""
    centre = function(0.0)
    for step in (1e-5, 1e-6, 1e-7):
        right, left = (function(step) - centre) / step, (centre - function(-step)) / step
        if torch.allclose(right, left, rtol=0, atol=_TOLERANCE / 10):
            return (right + left) / 2
    reject()  # a kink within 1e-7 of this input
    raise AssertionError("unreachable")


def _expect_near(got: Tensor, expected: Tensor, message: str) -> None:
    if not (got - expected).abs() <= _TOLERANCE * (1 + expected.abs()):
        raise ViolationError(message, got=got.item(), expected=expected.item())
