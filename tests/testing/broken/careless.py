"""Spaces of which a method is wrong in what a user seldom looks at: memory, dtypes, what is refused, gradients."""

from __future__ import annotations

from typing import ClassVar

import attrs
import torch
from torch import Tensor

import structpred as sp
from tests.testing.pairs import Pairs, broken


@broken("arguments_are_left_alone", 5)
class SaysYesInOneMemory(Pairs):
    def contains(self, y: Tensor) -> Tensor:
        found = super().contains(y)
        return torch.ones((), dtype=torch.bool).expand(found.shape) if found.all() else found


@broken("regret_is_what_a_structure_costs_more", 5)
class CostsInTheDtypeOfTheBest(Pairs):
    def regret(self, costs: Tensor, best: Tensor | None = None, *, validate: bool = True) -> sp.LinearLoss:
        loss = super().regret(costs, best, validate=validate)
        if best is None or best.is_floating_point() or best.dtype == torch.bool:
            return loss
        return attrs.evolve(loss, constant=-(costs.to(best.dtype) * best).sum(-1).to(costs.dtype))


@broken("regret_is_what_a_structure_costs_more", 5)
class TakesAnyBest(Pairs):
    def regret(self, costs: Tensor, best: Tensor | None = None, *, validate: bool = True) -> sp.LinearLoss:
        return super().regret(costs, best, validate=False)


@broken("hamming_refuses_targets_outside", 5)
class LooksAtTheFirstTargets(Pairs):
    def hamming(self, target: Tensor) -> sp.LinearLoss:
        self.validate_members("target", target.reshape(-1, self.n)[:32])
        loss = sp.LinearLoss.hamming(target, event_dims=1)
        return attrs.evolve(loss, best=target.to(loss.coefficients.dtype))


@broken("losses_take_any_dtype_and_batch", 5)
class CountsByNumpy(Pairs):
    def hamming(self, target: Tensor) -> sp.LinearLoss:
        return super().hamming(torch.from_numpy(target.numpy()))


class Keeping(torch.autograd.Function):
    arrived: ClassVar[list[Tensor]] = []

    @staticmethod
    def forward(ctx, noise):
        return noise.view_as(noise)

    @staticmethod
    def backward(ctx, upstream):
        Keeping.arrived.append(upstream.clone())
        return upstream


@broken("calls_leave_no_memory_behind", 5)
class KeepsWhatArrivesAtItsSpread(Pairs):
    def spread(self, noise: Tensor) -> Tensor:
        return Keeping.apply(noise)


@broken("noise_makes_the_answer_unique", 40)
class TwoPartsWithOneVariable(Pairs):
    """Too many structures to list; few answers differ in these parts alone."""

    @property
    def noise_shape(self) -> tuple[int, ...]:
        return (self.n - 1,)

    def spread(self, noise: Tensor) -> Tensor:
        return torch.cat([noise[..., :1], noise], -1)

    def enumerate(self) -> Tensor:
        raise NotImplementedError


@broken("score_takes_any_dtype_and_batch", 5)
class ScoreIsNoFunctionOfTheOthers(Pairs):
    """The gradient for parts that a structure does not have is 0."""

    def score(self, scores: Tensor, y: Tensor) -> Tensor:
        return super().score(scores.masked_fill(y == 0, 0), y)


@broken("answers_are_structures", 5)
class WarnsAlwaysFromThenOn(Pairs):
    def _argmax(self, scores: Tensor) -> Tensor:
        torch.set_warn_always(True)
        return super()._argmax(scores)


@broken("arguments_are_left_alone", 5)
class NegatesTheScoresAndBack(Pairs):
    """Nothing is changed in the end, but autograd refuses a backward pass through what was written to."""

    def _argmax(self, scores: Tensor) -> Tensor:
        return super()._argmax(scores.neg_().neg_())


@broken("no_mixture_is_a_member", 8, 4)
class ThreeSumsAreRight(sp.KSubset):
    """Of the entries, their squares and their third powers."""

    def contains(self, y: Tensor) -> Tensor:
        self.batch_shape("y", y)
        sums = [y.double().pow(power).sum(-1) for power in (1, 2, 3)]
        return (torch.stack(sums, -1) == self.k).all(-1)


@broken("arguments_are_left_alone", 5)
class OneOfThreeBuffers(Pairs):
    placement: ClassVar[sp.SolverPlacement] = sp.SolverPlacement.ON_CPU
    buffers: ClassVar[dict[tuple[int, ...], list[Tensor]]] = {}

    def _argmax(self, scores: Tensor) -> Tensor:
        kept = self.buffers.setdefault((*scores.shape, scores.element_size()), [])
        if len(kept) < 3:
            kept.insert(0, torch.zeros_like(scores))
        kept.append(kept.pop(0).copy_(super()._argmax(scores)))
        return kept[-1]


@broken("arguments_are_left_alone", 5)
class KeepsItsYes(Pairs):
    kept: ClassVar[dict[tuple[int, ...], Tensor]] = {}

    def contains(self, y: Tensor) -> Tensor:
        found = super().contains(y)
        return self.kept.setdefault(found.shape, found) if found.all() else found


@broken("regret_is_what_a_structure_costs_more", 5)
class TakesWhatIsNearlyTheBest(Pairs):
    def regret(self, costs: Tensor, best: Tensor | None = None, *, validate: bool = True) -> sp.LinearLoss:
        if best is not None and validate:
            worse = super().regret(costs)(best.to(costs.dtype))
            validate = bool((worse > 1e-7 * (1 + costs.abs().flatten(1).sum(1))).any())
        return super().regret(costs, best, validate=validate)


@broken("contains_tells_examples_apart", 5)
class LaysThreeDimensionsOutInAnotherOrder(Pairs):
    def contains(self, y: Tensor) -> Tensor:
        found = super().contains(y)
        if found.ndim != 3:
            return found
        first, second, third = found.shape
        return found.reshape(second, first, third).transpose(0, 1)


@broken("contains_tells_examples_apart", 5)
class KeepsTheLastByItsAddressAndSum(Pairs):
    last: ClassVar[list[object]] = [None, None]

    def contains(self, y: Tensor) -> Tensor:
        key = y.data_ptr(), y.shape, y.dtype, float((y.detach().double() * torch.arange(1, 1 + self.n)).sum())
        if self.last[0] != key:
            self.last[:] = [key, super().contains(y)]
        found = self.last[1]
        assert isinstance(found, Tensor)
        return found.clone()


@broken("score_takes_any_dtype_and_batch", 5)
class ScoresTheFirstDimensionWithoutGradMode(Pairs):
    def score(self, scores: Tensor, y: Tensor) -> Tensor:
        value = super().score(scores, y)
        return value if torch.is_grad_enabled() or value.ndim < 2 else value.flatten(1).sum(1)
