"""Direct losses that are each wrong in one way."""

from __future__ import annotations

import attrs
import torch
from torch import Tensor

import structpred as sp
from structpred.epsilon import as_policy
from structpred.testing import DIRECT_LAWS, check_objective
from tests.testing.broken.shared import BROKEN, GUMBEL, Broken, Shared, draw, inner, objectives

CENTRAL = sp.FixedEpsilon(-1.0, margin=1.0)


@attrs.define(slots=False, eq=False)
class Plain:
    """Right: the direct loss in a few lines. The broken ones are this one but for a detail."""

    space: sp.StructuredSpace
    noise: sp.Noise | None = GUMBEL
    epsilon: sp.Epsilon | float = -1.0
    num_samples: int = 1

    @property
    def low(self) -> float:
        return -as_policy(self.epsilon).margin * self.high

    @property
    def high(self) -> float:
        return as_policy(self.epsilon).value

    def __call__(self, scores: Tensor, loss: sp.LinearLoss, *, scale: Tensor | None = None, generator=None) -> Tensor:
        perturbed = self.perturb(scores, scale, generator)  # (draws, batch, *shape)
        y = self.space.argmax(perturbed)
        gradient = self.gradient(perturbed.detach(), loss.coefficients)
        value = loss.constant + self.inner(loss.coefficients, y)
        surrogate = self.inner(torch.where(gradient != 0, perturbed, 0), gradient)
        return self.reduce(value + surrogate - surrogate.detach())

    def inner(self, one: Tensor, other: Tensor) -> Tensor:
        return inner(self.space, one, other)

    def draw(self, scores: Tensor, generator) -> Tensor:
        return draw(self, scores, generator)

    def perturb(self, scores: Tensor, scale: Tensor | None, generator) -> Tensor:
        if scale is None:
            return scores[None]
        return scores + self.space.spread(scale * self.draw(scores, generator))

    def gradient(self, perturbed: Tensor, costs: Tensor) -> Tensor:
        high, low = (self.space.argmax(perturbed + step * costs) for step in (self.high, self.low))
        return (high - low) / (self.high - self.low)

    def reduce(self, loss: Tensor) -> Tensor:
        return loss.mean()


broken = objectives(DIRECT_LAWS)


# --- draw by draw


@broken("gradient_for_scores_equals_finite_differences")
@broken("subgradient_inequality_holds_for_any_step")
@broken("mean_gradient_equals_the_score_function_estimate")
@broken("mean_gradient_equals_the_score_function_estimate", sp.Matching(3), epsilon=CENTRAL)
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


@broken("gradient_for_scores_equals_finite_differences", epsilon=CENTRAL)
class CentralWithoutTheTwo(Plain):
    def gradient(self, perturbed, costs):
        return 2 * super().gradient(perturbed, costs)


@broken("gradient_for_scores_equals_finite_differences", epsilon=CENTRAL)
@broken("bias_falls_with_epsilon", sp.OneHot(4), epsilon=CENTRAL)
class OneSideTwice(Plain):
    def gradient(self, perturbed, costs):
        high, plain = (self.space.argmax(perturbed + step * costs) for step in (self.high, 0.0))
        return 2 * (high - plain) / (self.high - self.low)


@broken("bias_falls_with_epsilon", sp.OneHot(4))
class TwiceTheStep(Plain):
    @property
    def high(self):
        return 2 * self.epsilon


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


greedy = sp.PerturbedDirectLoss(GreedyPair(6, 2))
BROKEN.append(Broken(check_objective, greedy, DIRECT_LAWS, "the_mean_maximum_is_convex"))


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
    def draw(self, scores, generator):
        self.num_samples = 1
        return super().draw(scores, generator)


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


@broken("what_comes_after_multiplies_the_gradients")
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


@broken("what_comes_before_receives_the_gradients")
class GradientForALeafOnly(Plain):
    def __call__(self, scores, loss, *, scale=None, generator=None):
        leaf = scores if scores.is_leaf else scores.detach() + 0 * scores
        return super().__call__(leaf, loss, scale=scale, generator=generator)


# --- units


@attrs.frozen
class AlwaysOne(sp.Epsilon):
    """A step of -1 in whatever units."""

    def start(self, scores, direction, noise_std, event_dims):
        return -torch.ones_like(direction.flatten(-event_dims).sum(-1))


@broken("the_unit_of_the_loss_changes_no_structure", epsilon=AlwaysOne())
@broken("a_common_factor_of_scores_and_scale_changes_no_structure", epsilon=AlwaysOne())
class FixedInDisguise(sp.PerturbedDirectLoss):
    pass


@broken("a_constant_of_the_loss_changes_no_structure")
class StepByTheLoss(sp.PerturbedDirectLoss):
    def solve(self, scores, supervision, **settings):
        mean = supervision(self.space.argmax(scores)).abs().mean().item()
        self.epsilon = sp.RelativeToNoise(-1e-6 - mean)
        return super().solve(scores, supervision, **settings)


# --- modules


@broken("eval_mode_is_without_noise")
class NoisyInEvalMode(sp.PerturbedDirectLoss):
    def eval(self):
        return self


@broken("reductions_agree")
class SumOverDrawsToo(sp.PerturbedDirectLoss):
    def forward(self, *arguments, **settings):
        if self.reduction == "sum":
            return self.solve(*arguments, **settings).loss.sum()
        return super().forward(*arguments, **settings)


@broken("solve_returns_what_is_reduced")
class SolvesWithOtherNoise(sp.PerturbedDirectLoss):
    def forward(self, scores, supervision, *, scale=None, generator=None):
        generator.manual_seed(generator.initial_seed() + 1)
        return super().forward(scores, supervision, scale=scale, generator=generator)


# --- in the mean


class HalfOfGumbel(sp.Gumbel):
    """Draws from another distribution than its density says."""

    def _fill(self, draws, generator):
        return super()._fill(draws, generator) / 2


MISNAMED = sp.PerturbedDirectLoss(sp.OneHot(3), noise=HalfOfGumbel())
BROKEN += [
    Broken(check_objective, MISNAMED, DIRECT_LAWS, law)
    for law in (
        "frequencies_are_those_of_the_softmax",
        "mean_gradient_equals_the_closed_form",
        "mean_gradient_equals_the_quadrature",
        "mean_gradient_equals_the_score_function_estimate",
    )
]
