"""Spaces that are each wrong in one way, with the law that is meant to find it."""

from __future__ import annotations

import itertools
from typing import ClassVar

import attrs
import torch
from torch import Tensor

import structpred as sp

BROKEN_SPACES: list[tuple[sp.StructuredSpace, str]] = []


def broken(law: str, *arguments: object):
    """Registers a space made with these arguments under the law that it breaks."""

    def register(cls: type[sp.StructuredSpace]) -> type[sp.StructuredSpace]:
        cls = attrs.frozen(cls) if attrs.has(cls) else cls
        BROKEN_SPACES.append((cls(*arguments), law))
        return cls

    return register


@attrs.frozen
class Pairs(sp.StructuredSpace):
    """Right: exactly two of n parts. Most of the broken spaces are this one but for a detail."""

    n: int

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.n,)

    def _argmax(self, scores: Tensor) -> Tensor:
        return torch.zeros_like(scores).scatter_(-1, scores.topk(2).indices, 1)

    def contains(self, y: Tensor) -> Tensor:
        return ((y == 0) | (y == 1)).all(-1) & (y.sum(-1) == 2)

    def enumerate(self) -> Tensor:
        chosen = torch.tensor(list(itertools.combinations(range(self.n), 2)))
        return torch.zeros(len(chosen), self.n).scatter_(-1, chosen, 1)


class _NoList:
    def enumerate(self) -> Tensor:
        raise NotImplementedError


# --- answers


@broken("answers_are_structures", 5)
class OneTooMany(Pairs):
    def _argmax(self, scores: Tensor) -> Tensor:
        return torch.zeros_like(scores).scatter_(-1, scores.topk(3).indices, 1)


@broken("answers_are_structures", 5)
class BothWhereTied(Pairs):
    def _argmax(self, scores: Tensor) -> Tensor:
        return (scores >= scores.topk(2).values[:, 1:]).double()


@broken("answers_are_structures", 5)
class NoneWhereTied(Pairs):
    def _argmax(self, scores: Tensor) -> Tensor:
        return (scores > scores.topk(3).values[:, 2:]).double()


def _greedy(scores: Tensor) -> Tensor:
    y = torch.zeros_like(scores)
    for example, matrix in zip(y, scores.clone(), strict=True):
        for _ in range(len(matrix)):
            row, col = divmod(int(matrix.argmax()), matrix.shape[1])
            example[row, col] = 1
            matrix[row, :] = matrix[:, col] = -torch.inf
    return y


@broken("no_structure_scores_higher", 3)
class GreedyMatching(sp.Matching):
    def _argmax(self, scores: Tensor) -> Tensor:
        return _greedy(scores)


@broken("no_other_answer_scores_higher", 4)
class GreedyMatchingWithoutAList(_NoList, sp.Matching):
    def _argmax(self, scores: Tensor) -> Tensor:
        return _greedy(scores)


@broken("no_structure_scores_higher", 5)
class InSinglePrecision(Pairs):
    def _argmax(self, scores: Tensor) -> Tensor:
        return super()._argmax(scores.clamp(-1e38, 1e38).float()).double()


@broken("no_structure_scores_higher", 5)
class TheWorst(Pairs):
    def _argmax(self, scores: Tensor) -> Tensor:
        return super()._argmax(-scores)


@broken("no_other_answer_scores_higher", 8)
class TheWorstWithoutAList(_NoList, Pairs):
    def _argmax(self, scores: Tensor) -> Tensor:
        return super()._argmax(-scores)


@broken("value_grows_with_a_chosen_part", 5)
class BySize(_NoList, Pairs):
    def _argmax(self, scores: Tensor) -> Tensor:
        return super()._argmax(-(scores - scores.mean(-1, keepdim=True)).abs())


@broken("value_stays_when_a_part_not_chosen_loses", 5)
class ByDistanceFromTheLeast(_NoList, Pairs):
    def _argmax(self, scores: Tensor) -> Tensor:
        return super()._argmax((scores - scores.amin(-1, keepdim=True) - 3).abs())


@broken("positive_scaling_changes_nothing", 5)
class AbsoluteTolerance(Pairs):
    def _argmax(self, scores: Tensor) -> Tensor:
        return super()._argmax((scores * 100).round())


# --- forbidden parts


@broken("minus_inf_forbids_a_part", 5)
class ForgetsMinusInf(Pairs):
    def _argmax(self, scores: Tensor) -> Tensor:
        return super()._argmax(scores.masked_fill(scores.isneginf(), 0.0))

    def argmax(self, scores: Tensor) -> Tensor:
        return super().argmax(scores.masked_fill(scores.isneginf(), 0.0))


@broken("minus_inf_forbids_a_part", 5)
class MinusInfIsMinusThree(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        return super().argmax(scores.masked_fill(scores.isneginf(), -3.0))


@broken("what_alone_is_allowed_is_the_answer", 5)
class FirstPartsWhereMuchIsForbidden(Pairs):
    def _argmax(self, scores: Tensor) -> Tensor:
        return super()._argmax(torch.where(scores.isneginf().sum(-1, keepdim=True) > 2, -1.0, scores))

    def argmax(self, scores: Tensor) -> Tensor:
        y = self._solve(scores.detach().reshape(-1, *self.shape))
        return y.reshape(scores.shape)


@broken("infeasible_examples_are_named", 4)
class SilentWhereNothingIsLeft(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        try:
            return super().argmax(scores)
        except sp.InfeasibleError:
            return torch.zeros_like(scores)


@broken("infeasible_examples_are_named", 4)
class NamesTheFirstOnly(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        try:
            return super().argmax(scores)
        except sp.InfeasibleError as error:
            raise sp.InfeasibleError(error.examples[:1]) from None


@broken("only_what_is_infeasible_is_refused", 4)
class GivesUpEarly(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        few = (scores > -torch.inf).sum(-1) < 3
        if few.any() and scores.ndim == 2:
            raise sp.InfeasibleError([tuple(index) for index in few.nonzero().tolist()])
        return super().argmax(scores)


@broken("nan_and_plus_inf_are_refused", 4)
class TakesNan(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        return super().argmax(scores.nan_to_num(nan=0.0, posinf=torch.inf, neginf=-torch.inf))


@broken("nan_and_plus_inf_are_refused", 4)
class TakesPlusInf(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        return super().argmax(scores.clamp(max=1e4))


@broken("what_are_no_scores_is_refused", 4)
class TakesWholeNumbers(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        return super().argmax(torch.as_tensor(scores).float())


# --- calls


@broken("dtype_device_and_shape_are_kept", 4)
class AlwaysSingle(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        return super().argmax(scores).float()


@broken("dtype_device_and_shape_are_kept", 4)
class FlatBatch(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        return super().argmax(scores).reshape(-1, self.n)


@broken("answer_has_no_gradient", 4)
class StraightThrough(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        return super().argmax(scores) + scores - scores.detach()


@broken("arguments_are_left_alone", 4)
class WorksInPlace(Pairs):
    def _argmax(self, scores: Tensor) -> Tensor:
        y = torch.zeros_like(scores)
        for _ in range(2):
            best = scores.argmax(-1, keepdim=True)
            y.scatter_(-1, best, 1)
            scores.scatter_(-1, best, -torch.inf)
        return y


@broken("arguments_are_left_alone", 4)
class ContainsSorts(Pairs):
    def contains(self, y: Tensor) -> Tensor:
        inside = super().contains(y)
        y.copy_(y.sort(-1, descending=True).values)
        return inside


@broken("batch_equals_loop", 4)
class LastOfALargeBatchIsWrong(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        y = super().argmax(scores)
        if scores.ndim > 1 and len(scores) > torch.get_num_threads():
            y[-1] = y[-1].flip(-1)
        return y


@broken("batch_equals_loop", 4)
class OneAnswerForAll(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        y = super().argmax(scores)
        return y[:1].expand_as(y).clone() if scores.ndim > 1 else y


@broken("batch_equals_loop", 4)
class CentredByTheBatch(Pairs):
    runs: ClassVar[sp.Runs] = sp.Runs.ON_CPU

    def _argmax(self, scores: Tensor) -> Tensor:
        return super()._argmax(scores - scores.masked_fill(scores.isneginf(), 0.0).mean(0))


@broken("an_empty_batch_has_an_empty_answer", 4)
class CrashesWithoutExamples(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        scores.abs().max()
        return super().argmax(scores)


@broken("strided_equals_contiguous", 4)
class ReadsTheMemory(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        memory = scores.detach().untyped_storage()
        flat = torch.empty(0, dtype=scores.dtype).set_(memory)[: scores.numel()]
        return super().argmax(flat.reshape(scores.shape).nan_to_num(nan=0.0))


@broken("threads_do_not_matter", 4)
class ForgetsTheRemainder(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        y = super().argmax(scores)
        if scores.ndim > 1:
            y[len(scores) // torch.get_num_threads() * torch.get_num_threads() :] = 0
        return y


@broken("earlier_calls_do_not_matter", 4)
class AnswersTheCallBefore(Pairs):
    last: ClassVar[dict[tuple[int, ...], Tensor]] = {}

    def argmax(self, scores: Tensor) -> Tensor:
        y = super().argmax(scores)
        before = self.last.get(tuple(scores.shape), y)
        self.last[tuple(scores.shape)] = y
        return before.to(y.dtype)


@broken("earlier_calls_do_not_matter", 4)
class OneBufferForAllAnswers(Pairs):
    buffers: ClassVar[dict[object, Tensor]] = {}

    def argmax(self, scores: Tensor) -> Tensor:
        y = super().argmax(scores)
        return self.buffers.setdefault((y.shape, y.dtype), y).copy_(y)


# --- structures


@broken("enumerate_lists_each_structure_once", 4)
class ListsOneTwice(Pairs):
    def enumerate(self) -> Tensor:
        return torch.cat([super().enumerate(), super().enumerate()[:1]])


@broken("enumerate_lists_each_structure_once", 4)
class ListsAStranger(Pairs):
    def enumerate(self) -> Tensor:
        return torch.cat([super().enumerate(), torch.ones(1, self.n)])


@broken("enumerate_is_complete", 5)
class ForgetsTheLast(Pairs):
    def enumerate(self) -> Tensor:
        return super().enumerate()[:-1]


@broken("enumerate_is_complete", 20)
class AcceptsThreeOfMany(Pairs):
    def contains(self, y: Tensor) -> Tensor:
        return ((y == 0) | (y == 1)).all(-1) & ((y.sum(-1) == 2) | (y.sum(-1) == 3))


@broken("members_are_zeros_and_ones", 4)
class CountsOnly(Pairs):
    def contains(self, y: Tensor) -> Tensor:
        return (y.sum(-1) - 2).abs() < 0.6


@broken("members_are_zeros_and_ones", 4)
class NanIsInside(Pairs):
    def contains(self, y: Tensor) -> Tensor:
        return super().contains(y) | y.isnan().any(-1)


@broken("contains_reads_any_dtype_and_batch", 4)
class WantsFloats(Pairs):
    def contains(self, y: Tensor) -> Tensor:
        return super().contains(y) & torch.tensor(y.is_floating_point())


@broken("contains_reads_any_dtype_and_batch", 4)
class AllOrNothing(Pairs):
    def contains(self, y: Tensor) -> Tensor:
        inside = super().contains(y)
        return inside.all().expand_as(inside)


# --- noise


@broken("spread_is_linear", 4)
class SpreadsTheSize(Pairs):
    def spread(self, noise: Tensor) -> Tensor:
        return noise.abs()


@broken("spread_is_linear", 4)
class SpreadsWithAnOffset(Pairs):
    def spread(self, noise: Tensor) -> Tensor:
        return noise + 1


@broken("spread_treats_examples_apart", 4)
class SpreadsTheMeanOfTheBatch(Pairs):
    def spread(self, noise: Tensor) -> Tensor:
        return noise - noise.mean(0, keepdim=True) if noise.ndim > 1 else noise


@broken("spread_is_differentiable", 4)
class SpreadsAConstant(Pairs):
    def spread(self, noise: Tensor) -> Tensor:
        return noise.detach().clone()


@broken("noise_makes_the_answer_unique", 4)
class OneNoiseForAllParts(Pairs):
    noise_shape: ClassVar[tuple[int, ...]] = (1,)

    def spread(self, noise: Tensor) -> Tensor:
        return noise.expand(*noise.shape[:-1], self.n)


# --- losses


@broken("score_is_the_inner_product", 4)
class MeanForSum(Pairs):
    def score(self, scores: Tensor, y: Tensor) -> Tensor:
        return super().score(scores, y) / 2


@broken("score_is_the_inner_product", 4)
class ForbiddenPartsAreNan(Pairs):
    def score(self, scores: Tensor, y: Tensor) -> Tensor:
        return (scores * y).sum(-1)


@broken("the_gradient_of_score_is_the_structure", 4)
class ScoreWithoutGradient(Pairs):
    def score(self, scores: Tensor, y: Tensor) -> Tensor:
        return super().score(scores.detach(), y) + 0 * scores.masked_fill(scores.isinf(), 0).sum(-1)


@broken("hamming_counts_the_parts_that_differ", 4)
class HammingWithoutConstant(Pairs):
    def hamming(self, target: Tensor) -> sp.LinearLoss:
        return attrs.evolve(super().hamming(target), constant=0.0)


@broken("hamming_counts_the_parts_that_differ", 4)
class CountsMissedPartsOnly(Pairs):
    def hamming(self, target: Tensor) -> sp.LinearLoss:
        return sp.LinearLoss.missed(self.check_members("target", target), event_dims=1)


@broken("hamming_refuses_targets_outside", 4)
class TakesAnyTarget(Pairs):
    def hamming(self, target: Tensor) -> sp.LinearLoss:
        return sp.LinearLoss.hamming(target, event_dims=1)


# --- values


@broken("pickles", 4, lambda scores: scores)
class HoldsALambda(Pairs):
    transform: object


@broken("equals_its_copies", 4)
class NoValue(sp.StructuredSpace):
    def __init__(self, n: int) -> None:
        self.n = n

    shape = property(lambda self: (self.n,))
    _argmax = Pairs._argmax
    contains = Pairs.contains
    enumerate = Pairs.enumerate

    def __repr__(self) -> str:
        return f"NoValue({self.n})"


@broken("reads_well", 4)
class NoRepr(Pairs):
    __repr__ = object.__repr__
