"""Objectives with a potential that are each wrong in one way."""

from __future__ import annotations

from typing import ClassVar

import attrs
import torch
from torch import Tensor

import structpred as sp
from structpred.testing import POTENTIAL_LAWS
from tests.testing.broken.shared import GUMBEL, draw, inner, objectives


@attrs.define(slots=False, eq=False)
class PlainPotential:
    """Right: ``max_y <a s + m, y> - <a s + m, target>`` in a few lines; autograd differentiates it."""

    space: sp.StructuredSpace
    noise: sp.Noise | None = GUMBEL
    num_samples: int = 1
    factor: float = 1.0
    margin: bool = False

    def __call__(self, scores: Tensor, supervision, *, scale: Tensor | None = None, generator=None) -> Tensor:
        perturbed = scores[None] if scale is None else self.perturb(scores, scale, generator)
        margin = supervision.coefficients if self.margin else torch.zeros_like(scores)
        return self.value(perturbed, margin, self.target(supervision, scores)).mean()

    def perturb(self, scores: Tensor, scale: Tensor, generator) -> Tensor:
        return scores + self.space.spread(scale * draw(self, scores, generator))

    def target(self, supervision, scores: Tensor) -> Tensor:
        if isinstance(supervision, Tensor):
            return supervision
        if supervision.best is not None:
            return supervision.best.expand_as(scores)
        return self.space.argmax((-supervision.coefficients).masked_fill(scores.isneginf(), -torch.inf))

    def value(self, perturbed: Tensor, margin: Tensor, target: Tensor) -> Tensor:
        augmented = self.factor * perturbed + margin
        return self.difference(augmented, self.space.argmax(augmented), target)

    def difference(self, augmented: Tensor, y: Tensor, target: Tensor) -> Tensor:
        """``<augmented, y - target>``, of finite scores where the difference is not 0."""
        return inner(self.space, augmented.where(y != target, 0), y - target)


broken = objectives(POTENTIAL_LAWS)


@broken("value_is_its_definition", margin=True)
@broken("value_bounds_the_task_loss", margin=True)
class MarginOfTheWrongSign(PlainPotential):
    def value(self, perturbed, margin, target):
        return super().value(perturbed, -margin, target)


@broken("value_is_its_definition")
@broken("value_is_at_least_zero")
@broken("gradient_for_scale_is_that_of_the_value", num_samples=2)
class ForgetsTheNoiseOnTheTarget(PlainPotential):
    def __call__(self, scores, supervision, *, scale=None, generator=None):
        self.plain = scores
        return super().__call__(scores, supervision, scale=scale, generator=generator)

    def value(self, perturbed, margin, target):
        y = self.space.argmax(perturbed)
        noisy = (perturbed - perturbed.detach()) + self.plain.detach()  # the gradient of the right one
        return (
            inner(self.space, perturbed.detach(), y)
            + inner(self.space, noisy - self.plain.detach(), y - target)
            - (inner(self.space, self.plain.detach(), target))
        )


@broken("value_is_its_definition", margin=True, factor=2.0)
class FactorOneForTwo(PlainPotential):
    def value(self, perturbed, margin, target):
        return super().value(perturbed / 2, margin, target)


@broken("gradient_for_scores_is_that_of_the_value")
class GradientWithoutTheTarget(PlainPotential):
    def difference(self, augmented, y, target):
        value = super().difference(augmented, y, target).detach()
        slope = inner(self.space, augmented, y)
        return value + slope - slope.detach()


@broken("gradient_for_scores_is_that_of_the_value", margin=True, factor=2.0)
class HalfTheGradient(PlainPotential):
    def difference(self, augmented, y, target):
        return super().difference((augmented + augmented.detach()) / 2, y, target)


@broken("gradient_for_scale_is_that_of_the_value")
class ScaleWithoutGradient(PlainPotential):
    def perturb(self, scores, scale, generator):
        return super().perturb(scores, scale.detach(), generator) + 0 * scale.sum()


@broken("value_is_convex", margin=True)
class MarginOnlyInTheSearch(PlainPotential):
    def value(self, perturbed, margin, target):
        return self.difference(perturbed, self.space.argmax(perturbed + margin), target)


@broken("value_is_convex")
class Ramp(PlainPotential):
    def value(self, perturbed, margin, target):
        return super().value(perturbed, margin, target).clamp(max=1.0)


@broken("value_is_zero_where_the_target_wins")
class Softened(PlainPotential):
    def difference(self, augmented, y, target):
        return super().difference(augmented, y, target) + 1e-3


@broken("value_is_zero_where_the_target_wins")
class KeepsItsGradient(PlainPotential):
    def difference(self, augmented, y, target):
        pull = 1e-3 * inner(self.space, augmented.where(y != 0, 0), y)
        return super().difference(augmented, y, target) + pull - pull.detach()


@broken("a_target_is_as_good_as_its_loss")
class TargetOfTheFirstExample(PlainPotential):
    def target(self, supervision, scores):
        given = super().target(supervision, scores)
        return given[:1].expand_as(scores) if isinstance(supervision, Tensor) else given


@broken("value_is_its_definition")
class TheWorstForTheBest(PlainPotential):
    def target(self, supervision, scores):
        if isinstance(supervision, sp.LinearLoss) and supervision.best is None:
            return self.space.argmax(supervision.coefficients)
        return super().target(supervision, scores)


@broken("value_is_its_definition")
class SumOverTheDraws(PlainPotential):
    def value(self, perturbed, margin, target):
        return len(perturbed) * super().value(perturbed, margin, target)


@broken("forbidden_parts_have_no_gradient")
class InfinityLessInfinity(PlainPotential):
    def difference(self, augmented, y, target):
        return inner(self.space, augmented, y) - inner(self.space, augmented, target)


@broken("eval_mode_is_without_noise")
class KeepsItsNoise(sp.PerturbedFenchelYoungLoss):
    def solve(self, *arguments, **settings):
        self.train()
        return super().solve(*arguments, **settings)


@broken("value_is_its_definition")
class OnlyThePerceptron(sp.PerturbedFenchelYoungLoss):
    """Never perturbs anything."""

    converters: ClassVar = sp.PerturbedFenchelYoungLoss.converters

    def _perturb(self, scores, scale, num_samples, generator):
        drawn = super()._perturb(scores, scale, num_samples, generator)
        return attrs.evolve(drawn, scores=scores.expand_as(drawn.scores))
