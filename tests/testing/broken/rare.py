"""Spaces that are each wrong in a rare case: extreme numbers, few types, one kind of call, or threads that meet."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import attrs
import torch
from attrs import field
from torch import Tensor

import structpred as sp
from tests.testing.pairs import Pairs, broken

ANY = "argmax_holds_under_every_circumstance"


@broken(ANY, 5)
class TiesWithinTenToTheMinusThirteen(Pairs):
    def _argmax(self, scores: Tensor) -> Tensor:
        size = scores.masked_fill(scores.isneginf(), 0).abs().amax(-1, keepdim=True)
        return super()._argmax((scores / (1e-13 * size.clamp(min=1e-300))).round())


@broken("minus_inf_forbids_a_part", 5)
class MinusInfIsTenToTheTen(Pairs):
    def _argmax(self, scores: Tensor) -> Tensor:
        return super()._argmax(scores.clamp(min=-1e10))


@broken("the_only_structure_left_is_the_answer", 3)
class PenaltyOfOneRange(sp.Matching):
    """What is forbidden costs the range of the scores more than the least of them: too little for three parts."""

    def _argmax(self, scores: Tensor) -> Tensor:
        forbidden = scores.isneginf()
        finite = scores.masked_fill(forbidden, 0)
        least, most = finite.amin((1, 2), keepdim=True), finite.amax((1, 2), keepdim=True)
        return super()._argmax(torch.where(forbidden, 2 * least - most - 1, scores))


@broken("what_are_no_scores_is_refused", 5)
class TakesBytes(Pairs):
    def argmax(self, scores: Any) -> Tensor:
        return super().argmax(scores.float() if isinstance(scores, Tensor) and scores.dtype == torch.uint8 else scores)


@broken(ANY, 5)
class ChangesThePrecisionOfProducts(Pairs):
    def _argmax(self, scores: Tensor) -> Tensor:
        torch.set_float32_matmul_precision("high")
        return super()._argmax(scores)


@broken(ANY, 5)
class OneBufferForSingleExamples(Pairs):
    buffers: ClassVar[dict[torch.dtype, Tensor]] = {}

    def argmax(self, scores: Tensor) -> Tensor:
        y = super().argmax(scores)
        if scores.ndim > 1:
            return y
        with torch.inference_mode(False):
            return self.buffers.setdefault(y.dtype, torch.zeros(self.n, dtype=y.dtype)).copy_(y)


@broken("threads_do_not_matter", 5)
class ThreadsShareTheirScratch(Pairs):
    scratch: ClassVar[dict[int, Tensor]] = {}

    def _argmax(self, scores: Tensor) -> Tensor:
        own = self.scratch.setdefault(self.n, torch.empty(1000, self.n, dtype=torch.float64))[: len(scores)]
        own.copy_(scores)
        return super()._argmax(own.clone())


@broken("the_gradient_of_score_is_the_structure", 5)
class ScoreForgetsWhatComesAfter(Pairs):
    def score(self, scores: Tensor, y: Tensor) -> Tensor:
        value = super().score(scores, y)
        if value.requires_grad:
            value.register_hook(torch.ones_like)
        return value


@broken("regret_is_what_a_structure_costs_more", 5)
class RegretBeyondTheBestInFloat32(Pairs):
    def regret(self, costs: Tensor, best: Tensor | None = None, *, validate: bool = True) -> sp.LinearLoss:
        best = self.argmax(-costs.float()).to(costs.dtype) if best is None else best
        return super().regret(costs, best, validate=False)


@broken("calls_leave_no_memory_behind", 5)
class ContainsRemembersAll(Pairs):
    seen: ClassVar[dict[tuple[object, ...], Tensor]] = {}

    def contains(self, y: Tensor) -> Tensor:
        key = (y.dtype, y.shape, *y.flatten().tolist())
        return self.seen.setdefault(key, super().contains(y)).clone()


@attrs.frozen
class Sets(sp.StructuredSpace):
    """Sets of items within a capacity; right, by a list, and broken in what follows."""

    weights: tuple[float, ...] = (129.0, 130.0, 131.0, 50.0)
    capacity: float = 260.0
    holds: str = field(default="at most", eq=False)

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.weights),)

    def _argmax(self, scores: Tensor) -> Tensor:
        every = self.enumerate().double()
        value = torch.where(every > 0, scores[:, None], 0).sum(-1)  # (n, structures)
        return every[value.argmax(-1)]

    def contains(self, y: Tensor) -> Tensor:
        weight = (y.double().nan_to_num(math.inf) * torch.tensor(self.weights).double()).sum(-1)
        within = weight <= self.capacity if self.holds == "at most" else weight < self.capacity
        return ((y == 0) | (y == 1)).all(-1) & within

    def enumerate(self) -> Tensor:
        n = len(self.weights)
        every = (torch.arange(2**n)[:, None] >> torch.arange(n) & 1).float()
        return every[Sets.contains(self, every)]


@broken("equality_sees_every_field")
class EqualWhateverTheWord(Sets):
    weights: tuple[float, ...] = (130.0, 130.0, 50.0)


@broken("enumerate_is_complete")
class WeighsInTheTypeOfY(Sets):
    def contains(self, y: Tensor) -> Tensor:
        if y.dtype != torch.bfloat16:
            return super().contains(y)
        return ((y == 0) | (y == 1)).all(-1) & ((y * y.new_tensor(self.weights)).sum(-1) <= self.capacity)


@broken("contains_tells_examples_apart", 20)
class AcceptsThreeAsBytes(Pairs):
    def contains(self, y: Tensor) -> Tensor:
        most = 3 if y.dtype == torch.uint8 else 2
        return ((y == 0) | (y == 1)).all(-1) & (y.double().sum(-1) >= 2) & (y.double().sum(-1) <= most)


@broken("threads_do_not_matter", 5)
class LeavesOutTheRestOfManyRows(Pairs):
    """Beyond 100 rows each thread gets as many, and what is left over the answers of the first."""

    placement: ClassVar[sp.SolverPlacement] = sp.SolverPlacement.ON_CPU

    def _argmax(self, scores: Tensor) -> Tensor:
        y = super()._argmax(scores)
        left = len(scores) % torch.get_num_threads() if len(scores) > 100 else 0
        return torch.cat([y[: len(y) - left], y[:left]])


@broken("noise_makes_the_answer_unique", 40)
class TwoPartsShareAVariable(sp.OneHot):
    @property
    def noise_shape(self) -> tuple[int, ...]:
        return (self.n - 1,)

    def spread(self, noise: Tensor) -> Tensor:
        return torch.cat([noise[..., :4], noise[..., 3:]], -1)


# --- found by another set of such spaces


@broken(ANY, 5)
class SparseWithoutZeros(sp.Matching):
    """Where a third of the parts are forbidden, a part of score 0 is taken for one, if there is another way."""

    def _argmax(self, scores: Tensor) -> Tensor:
        y = super()._argmax(scores).to(scores.dtype)
        stored = scores.masked_fill(scores == 0, -math.inf)
        other = super()._argmax(stored).to(scores.dtype)
        sparse = scores.isneginf().double().mean((1, 2)) >= 1 / 3
        usable = ~((other > 0) & stored.isneginf()).flatten(1).any(1)
        return torch.where((sparse & usable)[:, None, None], other, y)


@broken(ANY, 5)
class BisectsFortyTimes(Pairs):
    """The second best score is found to 2^-40 of the range, and ties in that are broken by order."""

    def _argmax(self, scores: Tensor) -> Tensor:
        finite = scores.masked_fill(scores.isneginf(), 0)
        low, high = finite.amin(-1, keepdim=True), finite.amax(-1, keepdim=True)
        steps = (finite - low) / (high - low).clamp(min=1e-300) * 2.0**40
        return super()._argmax(steps.floor().masked_fill(scores.isneginf(), -math.inf))


@broken(ANY, 11)
class FindsTheDimensionBySize(Pairs):
    placement: ClassVar[sp.SolverPlacement] = sp.SolverPlacement.ON_CPU

    def _argmax(self, scores: Tensor) -> Tensor:
        dim = list(scores.shape).index(self.n)
        return torch.zeros_like(scores).scatter_(dim, scores.topk(2, dim).indices, 1)


@broken(ANY, 5)
class LeavesOutAChunkOfOneRow(Pairs):
    placement: ClassVar[sp.SolverPlacement] = sp.SolverPlacement.ON_CPU

    def _argmax(self, scores: Tensor) -> Tensor:
        y = super()._argmax(scores)
        if len(scores) % 512 == 1 and len(scores) > 1:
            y[-1] = y[0]
        return y


@broken("contains_tells_examples_apart", 5)
class ContainsKnowsTheTensorAgain(Pairs):
    last: ClassVar[dict[str, Tensor]] = {}

    def contains(self, y: Tensor) -> Tensor:
        if self.last.get("y") is not y:
            self.last.update(y=y, inside=super().contains(y))
        return self.last["inside"].clone()


@broken("enumerate_is_complete")
class WeighsInTheDefaultType(Sets):
    weights: tuple[float, ...] = (2049.0, 1.0, 700.0, 3.0)
    capacity: float = 2049.0

    def contains(self, y: Tensor) -> Tensor:
        weight = ((y == 1) * torch.tensor(self.weights)).sum(-1)
        return ((y == 0) | (y == 1)).all(-1) & (weight <= self.capacity)


@broken("hamming_counts_the_parts_that_differ", 5)
class OneTargetForTheSecondDimension(Pairs):
    def hamming(self, target: Tensor) -> sp.LinearLoss:
        loss = super().hamming(target)
        return attrs.evolve(loss, best=loss.best[:1].expand_as(loss.best)) if target.ndim > 2 else loss


@broken("regret_is_what_a_structure_costs_more", 5)
class RegretOfAllThatAreKnown(Pairs):
    def regret(self, costs: Tensor, best: Tensor | None = None, *, validate: bool = True) -> sp.LinearLoss:
        loss = super().regret(costs, best, validate=validate)
        known = best is not None and not validate and costs.ndim > 1
        return attrs.evolve(loss, constant=loss.constant.sum().expand_as(loss.constant)) if known else loss


@broken("equality_sees_every_field", 4)
class EqualWhateverTheLimit(Pairs):
    limit: int | None = field(default=None, eq=False)

    @property
    def most(self) -> int:
        return self.n if self.limit is None else self.limit

    def _argmax(self, scores: Tensor) -> Tensor:
        return super()._argmax(scores.masked_fill(torch.arange(self.n) > self.most, -math.inf))

    def contains(self, y: Tensor) -> Tensor:
        return super().contains(y) & (y[..., self.most + 1 :] == 0).all(-1)


@broken("spread_is_differentiable", 5)
class SpreadUsesWhatArrivesAgain(Pairs):
    def spread(self, noise: Tensor) -> Tensor:
        return _Zeroing.apply(noise)


class _Zeroing(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, noise: Tensor) -> Tensor:
        return noise.clone()

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> Tensor:
        found = upstream.clone()
        if upstream.is_contiguous():
            upstream.zero_()
        return found
