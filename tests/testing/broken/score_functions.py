"""Score-function estimates that are each wrong in one way."""

from __future__ import annotations

import attrs
import torch
from torch import Tensor

import structpred as sp
from structpred.testing import SCORE_FUNCTION_LAWS
from tests.testing.broken.shared import GUMBEL, draw, inner, objectives


@attrs.define(slots=False, eq=False)
class PlainScoreFunction:
    """Right: the score-function estimate in a few lines."""

    space: sp.StructuredSpace
    noise: sp.Noise = GUMBEL
    num_samples: int = 2

    def __call__(self, scores: Tensor, loss: sp.LinearLoss, *, scale: Tensor, generator=None) -> Tensor:
        noise = draw(self, scores, generator)
        y = self.space.argmax(scores + scale * noise)
        worth = loss.constant + inner(self.space, loss.coefficients, y)
        surrogate = (worth - self.baseline(worth)).detach() * self.log_density(scores, scale, noise)
        return (worth + surrogate - surrogate.detach()).mean()

    def baseline(self, worth: Tensor) -> Tensor:
        return (worth.sum(0) - worth) / max(1, len(worth) - 1)

    def log_density(self, scores: Tensor, scale: Tensor, noise: Tensor) -> Tensor:
        forbidden = scores.isneginf()
        at = (scores + scale * noise).detach()
        log = self.noise.log_prob((at - scores).masked_fill(forbidden, 0) / scale) - torch.as_tensor(scale).log()
        return log.masked_fill(forbidden, 0).flatten(-len(self.space.shape)).sum(-1)


broken = objectives(SCORE_FUNCTION_LAWS)


@broken("mean_gradient_equals_differences_of_the_loss")
@broken("mean_gradient_equals_the_closed_form", sp.OneHot(3))
@broken("mean_gradient_equals_the_quadrature", sp.OneHot(3), noise=sp.Normal())
class BaselineWithItsOwnDraw(PlainScoreFunction):
    def baseline(self, worth):
        return worth.mean(0)


@broken("mean_gradient_equals_differences_of_the_loss", sp.Matching(2, 3))
@broken("mean_gradient_equals_the_quadrature", sp.OneHot(4), noise=sp.Logistic())
class DensityOfNoiseOfScaleOne(PlainScoreFunction):
    def log_density(self, scores, scale, noise):
        return super().log_density(scores, torch.ones_like(scale), scale.detach() * noise) + 0 * scale.sum()


@broken("mean_gradient_equals_the_closed_form", sp.OneHot(3))
class ScaleWithoutGradient(PlainScoreFunction):
    def log_density(self, scores, scale, noise):
        return super().log_density(scores, scale.detach(), noise) + 0 * scale.sum()


@broken("mean_gradient_equals_differences_of_the_loss", sp.OneHot(3))
class DensityOfTheChosenPartsOnly(PlainScoreFunction):
    def __call__(self, scores, loss, *, scale, generator=None):
        self.chosen = self.space.argmax(scores)
        return super().__call__(scores, loss, scale=scale, generator=generator)

    def log_density(self, scores, scale, noise):
        forbidden = scores.isneginf()
        at = (scores + scale * noise).detach()
        log = self.noise.log_prob((at - scores).masked_fill(forbidden, 0) / scale) - torch.as_tensor(scale).log()
        return inner(self.space, log.masked_fill(forbidden, 0), self.chosen)


@broken("value_is_the_mean_loss_under_noise")
class ReportsTheAdvantage(PlainScoreFunction):
    def __call__(self, scores, loss, *, scale, generator=None):
        value = super().__call__(scores, loss, scale=scale, generator=generator)
        return value - torch.as_tensor(loss.constant).mean()


@broken("noise_is_drawn_once", num_samples=2)
class BaselineFromNewDraws(PlainScoreFunction):
    def __call__(self, scores, loss, *, scale, generator=None):
        other = self.space.argmax(scores + scale * draw(self, scores, generator))
        self.other = loss.constant + inner(self.space, loss.coefficients, other)
        return super().__call__(scores, loss, scale=scale, generator=generator)

    def baseline(self, worth):
        return self.other


@broken("many_draws_have_the_mean_of_few")
class BaselineOfTheWholeBatch(PlainScoreFunction):
    """With each example's own share, of which little is seen where there are many."""

    def baseline(self, worth):
        return worth.mean()
