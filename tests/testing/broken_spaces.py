"""Spaces that are right in plain calls, and each wrong in one circumstance, with the law that is meant to find it."""

from __future__ import annotations

import copy
import math
from typing import ClassVar

import attrs
import torch
from pairs import Pairs, broken
from torch import Tensor

import structpred as sp

ANY = "argmax_holds_under_every_circumstance"
ON_CPU = sp.SolverPlacement.ON_CPU


# --- where in a batch


@broken(ANY, 5)
class WrongInLargeBatches(Pairs):
    placement: ClassVar[sp.SolverPlacement] = ON_CPU

    def _argmax(self, scores: Tensor) -> Tensor:
        return super()._argmax(-scores if len(scores) > 512 else scores)


@broken(ANY, 5)
class WrongAtEverySeventhExample(Pairs):
    placement: ClassVar[sp.SolverPlacement] = ON_CPU

    def _argmax(self, scores: Tensor) -> Tensor:
        y = super()._argmax(scores)
        y[6::7] = y[6::7].flip(-1)
        return y


@broken(ANY, 5)
class LastOfAChunkOfSixtyFour(Pairs):
    placement: ClassVar[sp.SolverPlacement] = ON_CPU

    def _argmax(self, scores: Tensor) -> Tensor:
        y = super()._argmax(scores)
        y[63::64] = y[62::64][: len(y[63::64])]
        return y


@broken(ANY, 5)
class ExamplesTurnedByOne(Pairs):
    placement: ClassVar[sp.SolverPlacement] = ON_CPU

    def _argmax(self, scores: Tensor) -> Tensor:
        y = super()._argmax(scores)
        return y.roll(1, 0) if len(scores) > 256 else y


@broken(ANY, 5)
class WrongInThreeDimensions(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        y = super().argmax(scores)
        return y.flip(0) if y.ndim == 4 else y


@broken(ANY, 5)
class WrongInTwoDimensions(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        return super().argmax(scores.mT.reshape(scores.shape) if scores.ndim == 3 else scores)


@broken(ANY, 5)
class StaleBeyondTheBuffer(Pairs):
    buffer: ClassVar[Tensor] = torch.tensor([1.0, 1, 0, 0, 0], dtype=torch.float64).repeat(1000, 1)
    placement: ClassVar[sp.SolverPlacement] = ON_CPU

    def _argmax(self, scores: Tensor) -> Tensor:
        self.buffer[: len(scores)][:100] = super()._argmax(scores)[:100]
        return self.buffer[: len(scores)].clone()


@broken(ANY, 5)
class ViewsOfOneBuffer(Pairs):
    buffers: ClassVar[dict[object, Tensor]] = {}

    def argmax(self, scores: Tensor) -> Tensor:
        y = super().argmax(scores)
        if scores.numel() > 5000 or scores.numel() < 30:
            return y
        return self.buffers.setdefault(y.dtype, torch.zeros(5000, dtype=y.dtype))[: y.numel()].view(y.shape).copy_(y)


# --- dtypes and modes


@broken(ANY, 5)
class SolvesInHalfPrecision(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        return super().argmax(scores.bfloat16().to(scores.dtype) if scores.dtype == torch.float16 else scores)


@broken(ANY, 5)
class AnswersInHalfPrecision(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        y = super().argmax(scores)
        return y.half() if y.dtype == torch.bfloat16 else y


@broken(ANY, 5)
class AnswersInTheDefaultDtype(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        return super().argmax(scores).to(torch.get_default_dtype() if scores.dtype == torch.float32 else scores.dtype)


@broken(ANY, 5)
class InferenceTensors(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        with torch.inference_mode():
            return super().argmax(scores)


@broken(ANY, 5)
class WorstWithoutGrad(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        return super().argmax(scores if torch.is_grad_enabled() else -scores.clamp(-1e3, 1e3))


@broken(ANY, 5)
class FirstPartsForLeaves(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        return super().argmax(torch.zeros_like(scores) if scores.requires_grad and scores.isfinite().all() else scores)


@broken(ANY, 5)
class SeedsTorch(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        torch.manual_seed(0)
        return super().argmax(scores)


@broken(ANY, 5)
class BreaksTiesByTorchsGenerator(Pairs):
    def _argmax(self, scores: Tensor) -> Tensor:
        order = torch.randperm(self.n)
        return super()._argmax(scores[..., order])[..., order.argsort()]


@broken(ANY, 5)
class SetsTheDefaultDtype(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        torch.set_default_dtype(torch.float64)
        return super().argmax(scores)


@broken(ANY, 5)
class TurnsGradOff(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        torch.set_grad_enabled(False)
        return super().argmax(scores)


# --- scores


@broken(ANY, 5)
class NothingForEqualScores(Pairs):
    def _argmax(self, scores: Tensor) -> Tensor:
        return super()._argmax(scores) * (scores != scores[:, :1]).any(-1, keepdim=True)


@broken(ANY, 6)
class TwoForbiddenAreOne(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        two = scores.isneginf().sum(-1, keepdim=True) == 2
        return super().argmax(torch.where(two & (scores > -math.inf), -scores, scores))


@broken(ANY, 5)
class ClampsLargeScores(Pairs):
    def _argmax(self, scores: Tensor) -> Tensor:
        return super()._argmax(scores.where(scores.isneginf(), scores.clamp(-1000, 1000)))


@broken(ANY, 5)
class WritesIntoSingles(Pairs):
    """Forbidden parts become very low in the caller's own scores, of one dtype."""

    def argmax(self, scores: Tensor) -> Tensor:
        y = super().argmax(scores)
        if scores.dtype == torch.float32 and not scores.requires_grad:
            scores.nan_to_num_(neginf=-1e30)
        return y


@broken(ANY, 5)
class CachesByAddress(Pairs):
    """The scores are kept, so that their memory is not used again."""

    last: ClassVar[dict[int, tuple[Tensor, Tensor]]] = {}

    def argmax(self, scores: Tensor) -> Tensor:
        found = self.last.get(0)
        if found is None or found[0].data_ptr() != scores.data_ptr() or found[0].shape != scores.shape:
            found = self.last[0] = scores, super().argmax(scores)
        return found[1].clone().to(scores.dtype)


@broken(ANY, 5)
class ReturnsTheCachedAnswerItself(Pairs):
    last: ClassVar[list[tuple[Tensor, Tensor]]] = []

    def argmax(self, scores: Tensor) -> Tensor:
        if self.last and torch.equal(self.last[0][0], scores) and self.last[0][0].dtype == scores.dtype:
            return self.last[0][1]
        self.last[:] = [(scores.detach().clone(), super().argmax(scores))]
        return self.last[0][1]


# --- without a list


class _NoList:
    def enumerate(self) -> Tensor:
        raise NotImplementedError


@broken("no_part_is_overlooked", 40)
@broken("no_exchange_scores_higher", 40)
class FirstTwentyParts(_NoList, Pairs):
    def _argmax(self, scores: Tensor) -> Tensor:
        scores = scores.clone()
        scores[:, 20:] = scores[:, 20:].where(scores[:, 20:].isneginf(), -1e200)
        return super()._argmax(scores)


@broken("no_part_is_overlooked", 70)
class PartsOfAMachineWord(_NoList, Pairs):
    def _argmax(self, scores: Tensor) -> Tensor:
        low = scores[:, :64].amin(-1, keepdim=True).clamp(min=-1e200) - 1
        return super()._argmax(torch.cat([scores[:, :64], scores[:, 64:].minimum(low)], -1))


@broken("no_part_is_overlooked", 7)
class RowsBeyondTheSixth(_NoList, sp.Matching):
    def _argmax(self, scores: Tensor) -> Tensor:
        scores = scores.clone()
        scores[:, 6:] = 0.0
        return super()._argmax(scores)


@broken("each_structure_wins_where_its_parts_score", 8)
class NeverTheLastPair(Pairs):
    def _argmax(self, scores: Tensor) -> Tensor:
        y = super()._argmax(scores)
        last = (y[:, -2:] == 1).all(-1)
        y[last] = y[last].roll(1, -1)
        return y


@broken("each_structure_wins_where_its_parts_score", 6)
class NeverTheIdentity(sp.Matching):
    """One structure of 720."""

    def _argmax(self, scores: Tensor) -> Tensor:
        y = super()._argmax(scores).double()
        one = y.diagonal(dim1=1, dim2=2).all(-1)
        y[one] = y[one].roll(1, -1)
        return y


# --- lists and contains


@broken("enumerate_has_every_answer", 5)
class ListsHalf(Pairs):
    def enumerate(self) -> Tensor:
        return super().enumerate()[::2]


@broken("enumerate_is_complete", 14)
class AcceptsOneMore(Pairs):
    def contains(self, y: Tensor) -> Tensor:
        other = torch.zeros(self.n)
        other[[2, 3, 5, 7, 11]] = 1
        return super().contains(y) | (y == other).all(-1)


@broken("enumerate_is_complete", 20)
class ForgetsOneOfMany(Pairs):
    def enumerate(self) -> Tensor:
        every = super().enumerate()
        return torch.cat([every[:100], every[101:]])


@broken("enumerate_lists_each_structure_once", 12)
class RejectsOne(Pairs):
    def contains(self, y: Tensor) -> Tensor:
        return super().contains(y) & ~((y[..., 3] == 1) & (y[..., 7] == 1))


@broken("enumerate_lists_anew", 5)
class ListsItsBuffer(Pairs):
    lists: ClassVar[dict[int, Tensor]] = {}

    def enumerate(self) -> Tensor:
        return self.lists.setdefault(self.n, super().enumerate())


@broken("no_mixture_is_a_member", 5)
class ThePolytope(Pairs):
    def contains(self, y: Tensor) -> Tensor:
        return ((y >= 0) & (y <= 1)).all(-1) & (y.double().sum(-1) == 2)


@broken("no_mixture_is_a_member", 5)
class OtherIntegers(Pairs):
    def contains(self, y: Tensor) -> Tensor:
        return (y == y.double().round()).all(-1) & (y.double().sum(-1) == 2)


@broken("no_mixture_is_a_member", 5)
class CountsUpTo(Pairs):
    """One part may count twice."""

    def contains(self, y: Tensor) -> Tensor:
        return (y >= 0).all(-1) & (y == y.double().round()).all(-1) & (y.double().sum(-1) == 2)


@broken("no_mixture_is_a_member", 5)
class NearlyBinary(Pairs):
    def contains(self, y: Tensor) -> Tensor:
        return super().contains(torch.where((y.double() - y.double().round()).abs() < 1e-7, y.double().round(), y))


@broken("no_mixture_is_a_member", 5)
class ReadsIntegersByTheirSign(Pairs):
    def contains(self, y: Tensor) -> Tensor:
        return super().contains(y if y.is_floating_point() or y.dtype == torch.bool else (y > 0))


@broken("contains_tells_examples_apart", 5)
class ContainsInTwoDimensionsOnly(Pairs):
    def contains(self, y: Tensor) -> Tensor:
        inside = super().contains(y)
        return inside.flatten(1).all(1)[:, None, None].expand(inside.shape).clone() if y.ndim == 4 else inside


@broken("contains_tells_examples_apart", 5)
class ContainsTheEndOfALargeBatch(Pairs):
    def contains(self, y: Tensor) -> Tensor:
        inside = super().contains(y)
        return inside | (torch.arange(len(y)) >= 900) if y.ndim == 2 else inside


@broken("contains_tells_examples_apart", 5)
class ContainsForgetsTruthValues(Pairs):
    def contains(self, y: Tensor) -> Tensor:
        return super().contains(y) | torch.tensor(y.dtype == torch.bool)


# --- refusals


@broken("one_example_is_refused_in_any_batch", 4)
class LooksAtTheFirstHundredForNan(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        if scores.ndim == 2 and len(scores) > 100:
            scores = torch.cat([scores[:100], scores[100:].nan_to_num(nan=0.0, posinf=1.0, neginf=-math.inf)])
        return super().argmax(scores)


@broken("one_example_is_refused_in_any_batch", 4)
class NamesRows(Pairs):
    """The row in place of the index."""

    def argmax(self, scores: Tensor) -> Tensor:
        return super().argmax(scores.reshape(-1, self.n)).reshape(scores.shape)


# --- noise, losses and scores


@broken("spread_takes_any_dtype_and_batch", 4)
class SpreadsInSinglePrecision(Pairs):
    def spread(self, noise: Tensor) -> Tensor:
        return noise.float()


class _Other(torch.autograd.Function):
    @staticmethod
    def forward(ctx, noise):
        return noise.clone()

    @staticmethod
    def backward(ctx, arrived):
        return arrived.flip(-1)


@broken("spread_takes_any_dtype_and_batch", 4)
class SpreadsWithAnotherAdjoint(Pairs):
    def spread(self, noise: Tensor) -> Tensor:
        return _Other.apply(noise)


@broken("spread_takes_any_dtype_and_batch", 4)
class SpreadsInPlace(Pairs):
    def spread(self, noise: Tensor) -> Tensor:
        return (
            noise if noise.requires_grad else noise.mul_(1.0).add_(noise, alpha=0.0).neg_().neg_().copy_(noise.flip(-1))
        )


@broken("score_takes_any_dtype_and_batch", 4)
class ScoreForbidsHalfPrecision(Pairs):
    def score(self, scores: Tensor, y: Tensor) -> Tensor:
        if scores.dtype == torch.float16:
            raise TypeError("no half precision")
        return super().score(scores, y)


@broken("score_takes_any_dtype_and_batch", 4)
class ScoreDoesNotBroadcast(Pairs):
    def score(self, scores: Tensor, y: Tensor) -> Tensor:
        return super().score(scores, y.expand_as(scores))


@broken("hamming_counts_the_parts_that_differ", 4)
class HammingOfTruthValues(Pairs):
    def hamming(self, target: Tensor) -> sp.LinearLoss:
        loss = super().hamming(target)
        return attrs.evolve(loss, constant=0.0) if target.dtype == torch.bool else loss


@broken("hamming_refuses_targets_outside", 4)
class LooksAtTheLastTarget(Pairs):
    def hamming(self, target: Tensor) -> sp.LinearLoss:
        self.validate_members("target", target[-1:])
        return sp.LinearLoss.hamming(target, event_dims=1)


@broken("regret_is_what_a_structure_costs_more", 4)
class RegretOfTheWorst(Pairs):
    def regret(self, costs: Tensor, best: Tensor | None = None, *, validate: bool = True) -> sp.LinearLoss:
        y = self.argmax(costs)
        return sp.LinearLoss(costs, -(costs * y).sum(-1), event_dims=1)


# --- values


@broken("equality_sees_every_field", 5, 2)
class EqualWhateverK(sp.KSubset):
    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.n == self.n

    def __hash__(self) -> int:
        return hash(self.n)


@broken("pickles", 5, 3)
class PicklesWithoutK(sp.KSubset):
    def __eq__(self, other: object) -> bool:
        return type(other) is type(self)

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "PicklesWithoutK()"

    def __reduce__(self):
        return PicklesWithoutK, (self.n, 2)

    def __deepcopy__(self, memo):
        return copy.copy(self)


@broken("calls_leave_no_memory_behind", 5)
class KeepsEveryAnswer(Pairs):
    kept: ClassVar[list[Tensor]] = []

    def argmax(self, scores: Tensor) -> Tensor:
        y = super().argmax(scores)
        self.kept.append(y)
        return y.clone()


@broken("calls_leave_no_memory_behind", 5)
class CachesByItsBytes(Pairs):
    cache: ClassVar[dict[bytes, Tensor]] = {}

    def argmax(self, scores: Tensor) -> Tensor:
        y = super().argmax(scores)
        self.cache[scores.detach().double().numpy().tobytes()] = y.numpy().copy()
        return y
