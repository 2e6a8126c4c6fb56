"""Objectives and layers that are wrong for many samples, large and zero gradients, whole numbers, or functions."""

from __future__ import annotations

import attrs
import torch
from torch import Tensor

import structpred as sp
from structpred.testing import DIFFERENCE_LAYER_LAWS, DIRECT_LAWS, POTENTIAL_LAWS, SCORE_FUNCTION_LAWS
from tests.testing.broken.shared import layers, objectives

potential, estimate = objectives(POTENTIAL_LAWS), objectives(SCORE_FUNCTION_LAWS)
direct, difference = objectives(DIRECT_LAWS), layers(DIFFERENCE_LAYER_LAWS)
FOLLOWS = "potential_calls_follow_their_definition"


def hooked(solution, hook):
    """The solution, the gradient of whose loss passes through a hook."""
    loss = 1.0 * solution.loss
    if loss.requires_grad:
        loss.register_hook(hook)
    return attrs.evolve(solution, loss=loss)


@potential("what_comes_after_multiplies_the_gradients")
class ClipsWhatArrives(sp.PerturbedFenchelYoungLoss):
    def solve(self, scores, supervision, **given):
        return hooked(super().solve(scores, supervision, **given), lambda upstream: upstream.clamp(-1000, 1000))


@potential(FOLLOWS)
class WholeNumbersAreNoScale(sp.PerturbedFenchelYoungLoss):
    def solve(self, scores, supervision, *, scale=None, generator=None):
        known = scale if isinstance(scale, float | Tensor) else None
        return super().solve(scores, supervision, scale=known, generator=generator)


@potential(FOLLOWS)
class SamplesInWholePiecesOfFortyEight(sp.PerturbedFenchelYoungLoss):
    def solve(self, scores, supervision, **given):
        found = super().solve(scores, supervision, **given)
        whole = len(found.loss) // 48 * 48
        if not whole:
            return found
        rest = found.loss[:whole].mean(0).expand(len(found.loss) - whole, *found.loss.shape[1:])
        return attrs.evolve(found, loss=torch.cat([found.loss[:whole], rest]))


@potential("a_target_is_as_good_as_its_loss")
class OneTargetIsForTheFirstAlone(sp.PerturbedFenchelYoungLoss):
    def solve(self, scores, supervision, **given):
        if isinstance(supervision, Tensor) and supervision.ndim < scores.ndim:
            other = self.space.argmax(-scores.detach().nan_to_num(neginf=0)).to(supervision.dtype)
            supervision = torch.cat([supervision[None], other[1:]])
        return super().solve(scores, supervision, **given)


@potential("eval_mode_is_without_noise")
class EvaluatesByOneMethodAlone(sp.PerturbedFenchelYoungLoss):
    def eval(self):
        return super().train(False)

    def train(self, mode=True):
        return super().train(True) if mode else self


@direct("direct_calls_follow_their_definition", epsilon=-1.0, scale=1.0)
class TwiceWhereItIsDifferentiatedAgain(sp.PerturbedDirectLoss):
    def solve(self, scores, supervision, **given):
        found = super().solve(scores, supervision, **given)
        return hooked(found, lambda upstream: upstream * (2 if torch.is_grad_enabled() else 1))


@estimate("estimates_do_not_depend_on_circumstances", num_samples=3)
class MeanOfAConstantThatBroadcasts(sp.ScoreFunctionLoss):
    def solve(self, scores, supervision, **given):
        constant = getattr(supervision, "constant", 0.0)
        examples = scores[..., 0].numel()
        if isinstance(constant, Tensor) and 1 < constant.numel() < examples:
            supervision = attrs.evolve(supervision, constant=constant.mean())
        return super().solve(scores, supervision, **given)


@estimate("a_function_is_as_good_as_its_loss", num_samples=3)
class FunctionsAreRewards(sp.ScoreFunctionLoss):
    def solve(self, scores, supervision, **given):
        found = super().solve(scores, supervision, **given)
        if isinstance(supervision, sp.LinearLoss):
            return found
        return attrs.evolve(found, loss=2 * found.loss.detach() - found.loss)


@attrs.frozen
class ByTheNormOfTheBatch(sp.Epsilon):
    """Not a number where nothing arrives."""

    def start(self, scores, direction, noise_std, event_dims):
        norm = direction.flatten(-event_dims).norm(dim=-1)
        return -1.0 / norm.mean() * torch.ones_like(norm)


@difference("gradients_follow_the_unit_of_the_loss", epsilon=ByTheNormOfTheBatch())
class StepByTheNormOfTheBatch(sp.ImplicitMLE):
    pass
