"""Gradients that are each wrong in one way, with the law that is meant to find it."""

from __future__ import annotations

import attrs
import torch
from torch import Tensor

import structpred as sp
from structpred.testing import DirectGradient


class Plain:
    """Right: the direct gradient in a few lines. The broken ones are this one but for a detail."""

    def __init__(self, space, *, epsilon, noise, num_samples, central):
        self.space, self.noise, self.num_samples = space, noise, num_samples
        self.low, self.high = (-epsilon if central else 0.0), epsilon

    def __call__(self, scores: Tensor, loss: sp.LinearLoss, *, scale: Tensor | None = None, generator=None) -> Tensor:
        perturbed = self.perturb(scores, scale, generator)  # (draws, batch, *shape)
        y = self.space.argmax(perturbed)
        gradient = self.gradient(perturbed.detach(), loss.coefficients)
        value = loss.constant + self.inner(loss.coefficients, y)
        surrogate = self.inner(torch.where(gradient != 0, perturbed, 0), gradient)
        return self.reduce(value + surrogate - surrogate.detach())

    def inner(self, one: Tensor, other: Tensor) -> Tensor:
        return (one * other).flatten(-len(self.space.shape)).sum(-1)

    def draw(self, scores: Tensor, generator) -> Tensor:
        shape = (self.num_samples, *scores.shape[: scores.ndim - len(self.space.shape)], *self.space.noise_shape)
        return self.noise.sample(shape, dtype=scores.dtype, generator=generator)

    def perturb(self, scores: Tensor, scale: Tensor | None, generator) -> Tensor:
        if scale is None:
            return scores[None]
        return scores + self.space.spread(scale * self.draw(scores, generator))

    def gradient(self, perturbed: Tensor, costs: Tensor) -> Tensor:
        high, low = (self.space.argmax(perturbed + step * costs) for step in (self.high, self.low))
        return (high - low) / (self.high - self.low)

    def reduce(self, loss: Tensor) -> Tensor:
        return loss.mean()


BROKEN_GRADIENTS: list[tuple[DirectGradient, str]] = []


def broken(law: str, space: sp.StructuredSpace = sp.KSubset(4, 2), **settings):
    """Registers an objective over this space under the law that it breaks."""

    def register(objective):
        BROKEN_GRADIENTS.append((DirectGradient(space, objective=objective, **settings), law))
        return objective

    return register


@attrs.frozen
class Shared(sp.StructuredSpace):
    """Right: one part out of four, where every two parts share a variable, beside one of their own."""

    shape = (4,)
    noise_shape = (6,)

    def spread(self, noise: Tensor) -> Tensor:
        return noise[..., :4] + noise[..., 4:].repeat_interleave(2, -1)

    def _argmax(self, scores: Tensor) -> Tensor:
        return torch.nn.functional.one_hot(scores.argmax(-1), 4)

    def contains(self, y: Tensor) -> Tensor:
        return ((y == 0) | (y == 1)).all(-1) & (y.sum(-1) == 1)

    def enumerate(self) -> Tensor:
        return torch.eye(4)


# --- draw by draw


@broken("gradient_for_scores_equals_finite_differences")
@broken("subgradient_inequality_holds_for_any_step")
@broken("mean_gradient_equals_the_score_function_estimate")
@broken("mean_gradient_equals_the_score_function_estimate", sp.Matching(3), central=True)
@broken("mean_gradient_equals_the_closed_form", sp.OneHot(4))
@broken("mean_gradient_equals_the_quadrature", sp.OneHot(4), noise=sp.Normal())
class WrongSign(Plain):
    def gradient(self, perturbed, costs):
        return -super().gradient(perturbed, costs)


@broken("gradient_for_scores_equals_finite_differences")
@broken("subgradient_inequality_holds_for_any_step")
class NoOneOverEpsilon(Plain):
    def gradient(self, perturbed, costs):
        return super().gradient(perturbed, costs) * (self.high - self.low)


@broken("gradient_for_scores_equals_finite_differences", central=True)
class CentralWithoutTheTwo(Plain):
    def gradient(self, perturbed, costs):
        return 2 * super().gradient(perturbed, costs)


@broken("gradient_for_scores_equals_finite_differences", central=True)
@broken("bias_falls_with_epsilon", sp.OneHot(4), central=True)
class OneSideTwice(Plain):
    def gradient(self, perturbed, costs):
        high, plain = (self.space.argmax(perturbed + step * costs) for step in (self.high, 0.0))
        return 2 * (high - plain) / (self.high - self.low)


@broken("bias_falls_with_epsilon", sp.OneHot(4))
class TwiceTheStep(Plain):
    def __init__(self, space, *, epsilon, **settings):
        super().__init__(space, epsilon=2 * epsilon, **settings)


@broken("gradient_for_scores_equals_finite_differences")
class SumForMean(Plain):
    def reduce(self, loss):
        return loss.sum()


@broken("value_is_the_mean_loss_under_noise")
class SumOverDraws(Plain):
    def reduce(self, loss):
        return loss.sum(0).mean()


@broken("gradient_for_scores_equals_finite_differences")
class EpsilonOnTheScores(Plain):
    def gradient(self, perturbed, costs):
        high, low = (self.space.argmax(step * perturbed + costs) for step in (self.high, self.low or 1.0))
        return (high - low) / (self.high - self.low)


@broken("gradient_for_scores_equals_finite_differences")
class WithoutNoiseWhereTheLossIs(Plain):
    def perturb(self, scores, scale, generator):
        self.scores = scores.detach()
        return super().perturb(scores, scale, generator)

    def gradient(self, perturbed, costs):
        low = self.space.argmax(perturbed + self.low * costs)
        return (self.space.argmax(self.scores + self.high * costs).expand_as(low) - low) / (self.high - self.low)


@broken("gradient_for_scale_equals_finite_differences")
class ScaleDetached(Plain):
    def perturb(self, scores, scale, generator):
        return super().perturb(scores, None if scale is None else scale.detach() + 0 * scale, generator)


@broken("gradient_for_scale_equals_finite_differences")
class OneScaleForAll(Plain):
    def perturb(self, scores, scale, generator):
        return super().perturb(scores, None if scale is None else scale.mean(), generator)


@broken("gradient_for_scale_equals_finite_differences")
class ScaleSquared(Plain):
    def perturb(self, scores, scale, generator):
        return super().perturb(scores, None if scale is None else scale.square(), generator)


@broken("gradient_for_scores_equals_finite_differences")
class LossOfTheFirstExample(Plain):
    def gradient(self, perturbed, costs):
        return super().gradient(perturbed, costs[:1].expand_as(costs))


@broken("gradient_for_scores_equals_finite_differences")
class SignOfTheLoss(Plain):
    def gradient(self, perturbed, costs):
        return super().gradient(perturbed, costs.sign())


@broken("gradient_for_scale_equals_finite_differences", Shared())
class ForgetsSharedNoise(Plain):
    def perturb(self, scores, scale, generator):
        if scale is None:
            return scores[None]
        return scores + (scale * self.draw(scores, generator))[..., :4]


@broken("value_is_the_mean_loss_under_noise")
@broken("value_is_the_derivative_of_the_maximum")
class LossOfTheAugmented(Plain):
    def __call__(self, scores, loss, *, scale=None, generator=None):
        perturbed = self.perturb(scores, scale, generator)
        y = self.space.argmax(perturbed.detach() + self.high * loss.coefficients)
        gradient = self.gradient(perturbed.detach(), loss.coefficients)
        surrogate = self.inner(perturbed, gradient)
        return (loss.constant + self.inner(loss.coefficients, y) + surrogate - surrogate.detach()).mean()


@broken("value_is_the_derivative_of_the_maximum")
class ForgetsTheConstant(Plain):
    def __call__(self, scores, loss, *, scale=None, generator=None):
        return super().__call__(scores, attrs.evolve(loss, constant=0.0), scale=scale, generator=generator)


class GreedyPair(sp.KSubset):
    """The first part of the best, and the best of its neighbours: not the best two."""

    def _argmax(self, scores: Tensor) -> Tensor:
        first = scores.argmax(-1, keepdim=True)
        neighbours = torch.cat([(first + 1) % self.n, (first - 1) % self.n], -1)
        second = neighbours.gather(-1, scores.gather(-1, neighbours).argmax(-1, keepdim=True))
        return torch.zeros_like(scores).scatter_(-1, torch.cat([first, second], -1), 1)


BROKEN_GRADIENTS.append((DirectGradient(GreedyPair(6, 2)), "the_mean_maximum_is_convex"))


# --- calls


@broken("noise_is_drawn_once")
class NewNoiseForEachSolve(Plain):
    def __call__(self, scores, loss, *, scale=None, generator=None):
        if scale is None:
            return super().__call__(scores, loss, scale=scale, generator=generator)
        one, other = (self.perturb(scores, scale, generator) for _ in range(2))
        y = self.space.argmax(one)
        gradient = (self.space.argmax(other + self.high * loss.coefficients) - y) / self.high
        surrogate = self.inner(one, gradient)
        return (loss.constant + self.inner(loss.coefficients, y) + surrogate - surrogate.detach()).mean()


@broken("noise_is_drawn_once")
class OneDrawWhateverIsAsked(Plain):
    def __init__(self, space, *, num_samples, **settings):
        super().__init__(space, num_samples=1, **settings)


@broken("noise_is_drawn_once")
class OneNoiseForTheBatch(Plain):
    def draw(self, scores, generator):
        return super().draw(scores[:1], generator)


@broken("noise_is_drawn_once")
class NoiseOfItsOwn(Plain):
    def draw(self, scores, generator):
        return torch.randn(self.num_samples, *scores.shape, dtype=scores.dtype, generator=generator)


@broken("a_generator_repeats_the_call")
class IgnoresTheGenerator(Plain):
    def draw(self, scores, generator):
        return super().draw(scores, None)


@broken("without_noise_it_is_the_classical_gradient")
class AlwaysNoisy(Plain):
    def perturb(self, scores, scale, generator):
        self.noise = self.noise or sp.Gumbel()
        return super().perturb(scores, 1.0 if scale is None else scale, generator)


@broken("gradients_follow_the_chain_rule")
class IgnoresWhatFollows(Plain):
    class Fixed(torch.autograd.Function):
        @staticmethod
        def forward(ctx, value, surrogate):
            return value.clone()

        @staticmethod
        def backward(ctx, upstream):
            return None, torch.ones_like(upstream)

    def __call__(self, scores, loss, *, scale=None, generator=None):
        value = super().__call__(scores, loss, scale=scale, generator=generator)
        return self.Fixed.apply(value.detach(), value)


@broken("forbidden_parts_have_no_gradient")
class MinusInfTimesZero(Plain):
    def __call__(self, scores, loss, *, scale=None, generator=None):
        perturbed = self.perturb(scores, scale, generator)
        y = self.space.argmax(perturbed)
        surrogate = self.inner(perturbed, self.gradient(perturbed.detach(), loss.coefficients))
        return (loss.constant + self.inner(loss.coefficients, y) + surrogate - surrogate.detach()).mean()


@broken("forbidden_parts_have_no_gradient")
class GradientEverywhere(Plain):
    def __call__(self, scores, loss, *, scale=None, generator=None):
        scores.register_hook(lambda gradient: gradient + 1e-3)
        return super().__call__(scores, loss, scale=scale, generator=generator)


@broken("gradients_keep_dtype_and_shape")
class DoubleOnly(Plain):
    def __call__(self, scores, loss, *, scale=None, generator=None):
        if scores.dtype != torch.float64:
            raise TypeError("expected float64")
        return super().__call__(scores, loss, scale=scale, generator=generator)


@broken("arguments_are_left_alone")
class AddsNoiseInPlace(Plain):
    def perturb(self, scores, scale, generator):
        if scale is not None:
            scores.data += 1e-12
        return super().perturb(scores, scale, generator)


# --- units


@broken("the_unit_of_the_loss_changes_no_structure")
@broken("a_common_factor_of_scores_and_scale_changes_no_structure")
class FixedByDefault(sp.PerturbedDirectLoss):
    def __init__(self, space, *, epsilon=-1.0, **settings):
        super().__init__(space, epsilon=epsilon, **settings)


@broken("a_constant_of_the_loss_changes_no_structure")
class StepByTheLoss(sp.PerturbedDirectLoss):
    def solve(self, scores, supervision, **settings):
        self.epsilon = -1e-6 - supervision(self.space.argmax(scores)).abs().mean().item()
        return super().solve(scores, supervision, **settings)


# --- in the mean


class HalfOfGumbel(sp.Gumbel):
    """Draws from another distribution than its density says."""

    def _fill(self, draws, generator):
        return super()._fill(draws, generator) / 2


MISNAMED = DirectGradient(sp.OneHot(3), noise=HalfOfGumbel())
BROKEN_GRADIENTS += [
    (MISNAMED, "frequencies_are_those_of_the_softmax"),
    (MISNAMED, "mean_gradient_equals_the_closed_form"),
    (MISNAMED, "mean_gradient_equals_the_quadrature"),
    (MISNAMED, "mean_gradient_equals_the_score_function_estimate"),
]
