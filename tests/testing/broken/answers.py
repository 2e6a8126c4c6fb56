"""Spaces that answer wrongly, each in one way, with the law that is meant to find it."""

from __future__ import annotations

import time
from typing import ClassVar

import torch
from torch import Tensor

import structpred as sp
from tests.testing.pairs import Pairs, broken


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


@broken("argmax_holds_under_every_circumstance", 5)
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


@broken("argmax_holds_under_every_circumstance", 5)
class SmallDifferencesAreTies(Pairs):
    def _argmax(self, scores: Tensor) -> Tensor:
        return super()._argmax((scores * 1e8).round())


@broken("argmax_holds_under_every_circumstance", 5)
class RoundsAllButDoublePrecision(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        return super().argmax(scores if scores.dtype == torch.float64 else scores.bfloat16()).to(scores.dtype)


@broken("no_structure_scores_higher", 5)
class TakesZeroForForbidden(Pairs):
    def _argmax(self, scores: Tensor) -> Tensor:
        return super()._argmax(scores.masked_fill(scores == 0, -1e300))


@broken("no_structure_scores_higher", 5)
class TheWorstWhereAllAreNegative(Pairs):
    def _argmax(self, scores: Tensor) -> Tensor:
        return super()._argmax(torch.where((scores < 0).all(-1, keepdim=True) & scores.isfinite(), -scores, scores))


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


@broken("one_example_is_refused_in_any_batch", 4)
class TakesNan(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        return super().argmax(scores.nan_to_num(nan=0.0, posinf=torch.inf, neginf=-torch.inf))


@broken("one_example_is_refused_in_any_batch", 4)
class TakesPlusInf(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        return super().argmax(scores.clamp(max=1e4))


@broken("what_are_no_scores_is_refused", 4)
class TakesWholeNumbers(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        return super().argmax(torch.as_tensor(scores).float())


# --- calls


@broken("argmax_holds_under_every_circumstance", 4)
class AlwaysSingle(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        return super().argmax(scores).float()


@broken("argmax_holds_under_every_circumstance", 4)
class FlatBatch(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        return super().argmax(scores).reshape(-1, self.n)


@broken("argmax_holds_under_every_circumstance", 4)
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


@broken("arguments_are_left_alone", 6)
class ReturnsScoresThatAreStructures(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        y = super().argmax(scores)
        return scores.detach() if torch.equal(y, scores) else y


@broken("argmax_holds_under_every_circumstance", 4)
class WrongFromTheTwentiethExample(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        y = super().argmax(scores)
        if scores.ndim > 1:
            y[20:] = y[20:].flip(-1)
        return y


@broken("argmax_holds_under_every_circumstance", 4)
class LastOfALargeBatchIsWrong(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        y = super().argmax(scores)
        if scores.ndim > 1 and len(scores) > torch.get_num_threads():
            y[-1] = y[-1].flip(-1)
        return y


@broken("argmax_holds_under_every_circumstance", 4)
class OneAnswerForAll(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        y = super().argmax(scores)
        return y[:1].expand_as(y).clone() if scores.ndim > 1 else y


@broken("argmax_holds_under_every_circumstance", 4)
class CentredByTheBatch(Pairs):
    placement: ClassVar[sp.SolverPlacement] = sp.SolverPlacement.ON_CPU

    def _argmax(self, scores: Tensor) -> Tensor:
        return super()._argmax(scores - scores.masked_fill(scores.isneginf(), 0.0).mean(0))


@broken("an_empty_batch_has_an_empty_answer", 4)
class CrashesWithoutExamples(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        scores.abs().max()
        return super().argmax(scores)


@broken("argmax_holds_under_every_circumstance", 4)
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


@broken("threads_do_not_matter", 4)
class OneBufferForAllChunks(Pairs):
    buffers: ClassVar[dict[object, Tensor]] = {}

    def _argmax(self, scores: Tensor) -> Tensor:
        y = super()._argmax(scores)
        buffer = self.buffers.setdefault(y.shape, y).copy_(y)
        time.sleep(1e-4)  # while another thread may write
        return buffer


@broken("argmax_holds_under_every_circumstance", 4)
class RemembersByAddress(Pairs):
    answers: ClassVar[dict[object, tuple[Tensor, Tensor]]] = {}

    def argmax(self, scores: Tensor) -> Tensor:
        key = scores.data_ptr(), scores.shape, scores.stride(), scores.dtype
        if key not in self.answers:
            self.answers[key] = scores, super().argmax(scores)  # with the scores, so that their memory is kept
        return self.answers[key][1].clone()


@broken("argmax_holds_under_every_circumstance", 4)
class AnswersTheCallBefore(Pairs):
    last: ClassVar[dict[tuple[int, ...], Tensor]] = {}

    def argmax(self, scores: Tensor) -> Tensor:
        y = super().argmax(scores)
        before = self.last.get(tuple(scores.shape), y)
        self.last[tuple(scores.shape)] = y
        return before.to(y.dtype)


@broken("argmax_holds_under_every_circumstance", 4)
class OneBufferForAllAnswers(Pairs):
    buffers: ClassVar[dict[object, Tensor]] = {}

    def argmax(self, scores: Tensor) -> Tensor:
        y = super().argmax(scores)
        return self.buffers.setdefault((y.shape, y.dtype), y).copy_(y)
