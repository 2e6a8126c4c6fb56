"""Estimates that are wrong where each variable has a scale of its own, and a loss that is coarse in large batches."""

from __future__ import annotations

import attrs
import torch
from torch import Tensor

import structpred as sp
from structpred.testing import DIRECT_LAWS, MEAN_LAYER_LAWS, SCORE_FUNCTION_LAWS
from tests.testing.broken.shared import layers, objectives

direct, estimate, mean = objectives(DIRECT_LAWS), objectives(SCORE_FUNCTION_LAWS), layers(MEAN_LAYER_LAWS)


def one_for_all_variables(scale: Tensor | float, dims: int) -> Tensor | float:
    """The mean of an example's scales."""
    if not isinstance(scale, Tensor) or not scale.ndim:
        return scale
    return scale.mean(tuple(range(-dims, 0)), keepdim=True).expand_as(scale)


@estimate("many_draws_have_the_mean_of_few", num_samples=2)
class DensityOfTheMeanScale(sp.ScoreFunctionLoss):
    """Its draws are right."""

    def solve(self, scores, supervision, *, scale=None, generator=None):
        solution = super().solve(scores, supervision, scale=scale, generator=generator)
        if solution.noise is None or scale is None or not solution.loss.requires_grad:
            return solution
        mean = one_for_all_variables(scale, len(self.space.shape))
        sized = scores + solution.noise * scale
        log = self.noise.log_prob((sized.detach() - scores) / mean) - torch.as_tensor(mean).log()
        log = log.masked_fill(scores.isneginf(), 0).flatten(-len(self.space.shape)).sum(-1)
        worth = solution.loss.detach() - sp.score_function.others_mean(solution.loss.detach())
        return attrs.evolve(solution, loss=solution.loss.detach() + worth * (log - log.detach()))


@mean("mean_gradient_equals_differences_of_the_loss", num_samples=2)
class GradientOfTheMeanScale(sp.PerturbedArgmax):
    def _structures(self, scores, perturbed):
        scale = perturbed.scale
        pooled = one_for_all_variables(scale, len(self.space.shape))
        if isinstance(scale, Tensor):
            perturbed = attrs.evolve(perturbed, scale=scale.detach() + (pooled - pooled.detach()))
        return super()._structures(scores, perturbed)


@direct("direct_calls_follow_their_definition", epsilon=-1.0, scale=1.0)
class ManyDrawsInFloat32(sp.PerturbedDirectLoss):
    def solve(self, scores, supervision, **given):
        rows = self.num_samples * scores[..., 0].numel()
        solution = super().solve(scores, supervision, **given)
        if rows <= 200_000:
            return solution
        return attrs.evolve(solution, loss=solution.loss.float().to(solution.loss.dtype))


class InPlace(torch.autograd.Function):
    @staticmethod
    def forward(ctx, loss, scores, gradient):
        ctx.gradient = gradient
        return loss.view_as(loss)

    @staticmethod
    def backward(ctx, upstream):
        factor = upstream.reshape(upstream.shape + (1,) * (ctx.gradient.ndim - upstream.ndim))
        return upstream, (ctx.gradient.mul_ if upstream.numel() == 1 else ctx.gradient.mul)(factor), None


@direct("direct_calls_follow_their_definition", epsilon=-1.0)
class WritesIntoTheGradientOfOne(sp.PerturbedDirectLoss):
    def solve(self, scores, supervision, **given):
        solution = super().solve(scores.detach(), supervision, **given)
        if not self.training:
            return solution
        several = self._validate_scores(scores).expand(len(solution.loss), *scores.shape)
        loss = InPlace.apply(solution.loss, several, solution.gradient.clone())
        return attrs.evolve(solution, loss=loss)


def again(cls, space, *settings):
    return cls(space, **dict(zip(("epsilon", "noise", "scale", "num_samples"), settings, strict=True)))


@direct("stored_modules_answer_alike", epsilon=-1.0, scale=1.0)
class StoredWithoutItsReduction(sp.PerturbedDirectLoss):
    def __reduce__(self):
        return again, (type(self), self.space, self.epsilon, self.noise, self.scale, self.num_samples)
