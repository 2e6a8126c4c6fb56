"""Layers that are each wrong in one way."""

from __future__ import annotations

from typing import Any

import attrs
import torch
from torch import Tensor

import structpred as sp
from structpred.epsilon import as_policy
from structpred.testing import DIFFERENCE_LAYER_LAWS, IDENTITY_LAYER_LAWS, MEAN_LAYER_LAWS
from tests.testing.broken.shared import GUMBEL, draw, layers


class _Backward(torch.autograd.Function):
    """Structures of perturbed scores, whose gradient is a function of dL/dy."""

    @staticmethod
    def forward(ctx: Any, perturbed: Tensor, y: Tensor, backward) -> Tensor:
        ctx.gradient = backward
        return y.clone()

    @staticmethod
    def backward(ctx: Any, upstream: Tensor):
        return ctx.gradient(upstream), None, None


@attrs.define(slots=False, eq=False)
class PlainLayer:
    """A layer in a few lines; a subclass has ``gradient(perturbed, upstream)``."""

    space: sp.StructuredSpace
    noise: sp.Noise | None = GUMBEL
    num_samples: int | None = None

    def __call__(self, scores: Tensor, *, scale: Tensor | None = None, generator=None) -> Tensor:
        perturbed = self.perturb(scores, scale, generator)
        y = _Backward.apply(
            perturbed, self.solve(perturbed), lambda upstream: self.gradient(perturbed.detach(), upstream)
        )
        return self.lay_out(y)

    def perturb(self, scores: Tensor, scale: Tensor | None, generator) -> Tensor:
        self.generator = generator
        if self.noise is None:
            return scores[None]
        return scores + self.space.spread(scale * draw(self, scores, generator))

    def solve(self, perturbed: Tensor) -> Tensor:
        return self.space.argmax(perturbed)

    def lay_out(self, y: Tensor) -> Tensor:
        return y[0] if self.num_samples is None else y


CENTRAL = sp.FixedEpsilon(-1.0, margin=1.0)


@attrs.define(slots=False, eq=False)
class PlainDifference(PlainLayer):
    """Right: the step is a fixed number."""

    epsilon: sp.Epsilon | float = -1.0

    def gradient(self, perturbed: Tensor, upstream: Tensor) -> Tensor:
        step = as_policy(self.epsilon)
        return self.difference(perturbed, upstream, -step.margin * step.value, step.value)

    def difference(self, perturbed: Tensor, direction: Tensor, low: float, high: float) -> Tensor:
        one, other = (self.space.argmax(perturbed + step * direction) for step in (low, high))
        return (other - one) / (high - low)


broken = layers(DIFFERENCE_LAYER_LAWS)


@broken("gradient_for_scores_is_the_difference_along_what_arrived")
class SizeOfTheStep(PlainDifference):
    """Divides by the size of the step, which is negative."""

    def difference(self, perturbed, direction, low, high):
        return super().difference(perturbed, direction, low, high) * (high - low) / abs(high - low)


@broken("gradient_for_scores_is_the_difference_along_what_arrived", epsilon=CENTRAL)
class OneStepForTwo(PlainDifference):
    def difference(self, perturbed, direction, low, high):
        return super().difference(perturbed, direction, low, high) * (high - low) / high


@broken("gradient_for_scores_is_the_difference_along_what_arrived")
class TakesTheLossForAMean(PlainDifference):
    def gradient(self, perturbed, upstream):
        return super().gradient(perturbed, upstream.shape[1] * upstream)


@broken("gradient_for_scores_is_the_difference_along_what_arrived")
@broken("noise_is_drawn_once")
class NewNoiseInTheBackwardPass(PlainDifference):
    def perturb(self, scores, scale, generator):
        self.again = lambda: self.space.spread(scale * draw(self, scores, generator)).detach() + scores.detach()
        return super().perturb(scores, scale, generator)

    def gradient(self, perturbed, upstream):
        return (self.space.argmax(self.again() + self.epsilon * upstream) - self.solve(perturbed)) / self.epsilon


@broken("gradient_for_scale_is_the_difference_along_what_arrived")
class NoiseIsAConstant(PlainDifference):
    def perturb(self, scores, scale, generator):
        return super().perturb(scores, scale.detach(), generator) + 0 * scale.sum()


@broken("structures_are_answers_to_the_perturbed_scores")
class ReturnsTheAugmented(PlainDifference):
    def solve(self, perturbed):
        return self.space.argmax(perturbed + self.epsilon)  # the same for subsets, all of one size

    def lay_out(self, y):
        return super().lay_out(1 - y)


@broken("structures_are_answers_to_the_perturbed_scores")
class SamplesLast(PlainDifference):
    def lay_out(self, y):
        return y[0] if self.num_samples is None else y.movedim(0, -1)


@broken("a_generator_repeats_the_call")
class DrawsFromTheGlobalGenerator(PlainDifference):
    def perturb(self, scores, scale, generator):
        return super().perturb(scores, scale, None)


@broken("gradients_keep_dtype_and_shape")
class FloatsOut(PlainDifference):
    def lay_out(self, y):
        return super().lay_out(y).float()


@broken("arguments_are_left_alone")
class StepsInPlace(PlainDifference):
    def __call__(self, scores, *, scale=None, generator=None):
        y = super().__call__(scores, scale=scale, generator=generator)
        scores.data.sub_(scores.data.mean())
        return y


@attrs.frozen
class SameWhateverArrives(sp.Epsilon):
    def start(self, scores, direction, noise_std, event_dims):
        return -torch.ones_like(direction.flatten(-event_dims).sum(-1))


@broken("gradients_follow_the_unit_of_the_loss", epsilon=SameWhateverArrives())
class FixedInDisguise(sp.Blackbox):
    pass


@broken("gradients_follow_the_unit_of_the_loss", epsilon=sp.RelativeToNoise())
class DividesByTheNormOfTheBatch(sp.Blackbox):
    """Scales dL/dy to norm 1, so that the loss's size is lost."""

    def forward(self, *arguments, **settings):
        y = super().forward(*arguments, **settings)
        y.register_hook(lambda arrived: arrived / arrived.norm())
        return y


@broken("eval_mode_is_without_noise")
class NoisyInEvalMode(sp.ImplicitMLE):
    def _perturb(self, *arguments):
        self.train()
        return super()._perturb(*arguments)


@broken("forbidden_parts_have_no_gradient")
class TriesForbiddenParts(PlainDifference):
    def difference(self, perturbed, direction, low, high):
        return super().difference(perturbed.clamp(min=-1.0), direction, low, high)


# --- identity


@attrs.define(slots=False, eq=False)
class PlainIdentity(PlainLayer):
    """Right: without a projection."""

    def gradient(self, perturbed: Tensor, upstream: Tensor) -> Tensor:
        return upstream.masked_fill(perturbed.isneginf(), 0)


broken_identity = layers(IDENTITY_LAYER_LAWS)


@broken_identity("forbidden_parts_have_no_gradient")
class ThroughForbiddenParts(PlainIdentity):
    def gradient(self, perturbed, upstream):
        return upstream


@broken_identity("gradient_is_what_arrived")
class MinusIdentity(PlainIdentity):
    def gradient(self, perturbed, upstream):
        return -super().gradient(perturbed, upstream)


@broken_identity("gradient_is_what_arrived", projection=sp.Projection.STD)
class WithoutTheJacobian(sp.Identity):
    """The projection is a constant to the backward pass."""

    def _validate_scores(self, scores):
        return scores.where(scores.isneginf(), scores - scores.detach() + super()._validate_scores(scores).detach())


@broken_identity("gradient_is_what_arrived", projection=sp.Projection.NORM)
class NormOfTheBatch(sp.Identity):
    def _validate_scores(self, scores):
        finite = scores.masked_fill(scores.isneginf(), 0)
        return scores / finite.norm()


@broken_identity("gradients_follow_the_unit_of_the_loss")
class SignsOnly(PlainIdentity):
    def gradient(self, perturbed, upstream):
        return super().gradient(perturbed, upstream).sign()


@broken_identity("what_comes_before_receives_the_gradients")
class ForLeavesOnly(PlainIdentity):
    def __call__(self, scores, *, scale=None, generator=None):
        leaf = scores if scores.is_leaf else scores.detach() + 0 * scores
        return super().__call__(leaf, scale=scale, generator=generator)


# --- mean


broken_mean = layers(MEAN_LAYER_LAWS)


@attrs.define(slots=False, eq=False)
class PlainMean:
    """Right: the mean structure under noise, with the score function's derivative."""

    space: sp.StructuredSpace
    noise: sp.Noise = GUMBEL
    num_samples: int = 2

    def __call__(self, scores: Tensor, *, scale: Tensor, generator=None) -> Tensor:
        noise = draw(self, scores, generator)
        y = self.space.argmax(scores + scale * noise)
        log = self.log_density(scores, scale, noise)
        surrogate = (y - self.baseline(y)) * log.reshape(log.shape + (1,) * len(self.space.shape))
        return self.mean(y + surrogate - surrogate.detach())

    def log_density(self, scores: Tensor, scale: Tensor, noise: Tensor) -> Tensor:
        forbidden = scores.isneginf()
        at = (scores + scale * noise).detach()
        log = self.noise.log_prob((at - scores).masked_fill(forbidden, 0) / scale) - torch.as_tensor(scale).log()
        return log.masked_fill(forbidden, 0).flatten(-len(self.space.shape)).sum(-1)

    def baseline(self, y: Tensor) -> Tensor:
        return (y.sum(0) - y) / max(1, len(y) - 1)

    def mean(self, y: Tensor) -> Tensor:
        return y.mean(0)


@broken_mean("mean_is_that_of_its_draws")
class DividesByOneLess(PlainMean):
    def mean(self, y):
        return y.sum(0) / max(1, len(y) - 1)


@broken_mean("mean_is_that_of_its_draws")
class TheFirstDrawForTheMean(PlainMean):
    def mean(self, y):
        return y[0] + 0 * y.mean(0)


@broken_mean("mean_gradient_equals_the_closed_form", sp.OneHot(3))
@broken_mean("mean_gradient_equals_differences_of_the_loss")
class MeanBaselineWithItsOwnDraw(PlainMean):
    def baseline(self, y):
        return y.mean(0)


@broken_mean("mean_gradient_equals_the_quadrature", sp.OneHot(3), noise=sp.Normal())
class StraightThrough(PlainMean):
    """Hands dL/dy on, which is no derivative of the mean."""

    def log_density(self, scores, scale, noise):
        return 0 * super().log_density(scores, scale, noise)

    def __call__(self, scores, *, scale, generator=None):
        y = super().__call__(scores, scale=scale, generator=generator)
        return y + scores - scores.detach()


@broken_mean("many_draws_have_the_mean_of_few")
class MeanBaselineOfTheWholeBatch(PlainMean):
    def baseline(self, y):
        dims = len(self.space.shape)
        return y.flatten(0, -1 - dims).mean(0)
