"""Spaces that are wrong for batches of rare sizes and shapes, or after an example without structures."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

import structpred as sp
from tests.testing.pairs import Pairs, broken

ANY = "argmax_holds_under_every_circumstance"


@broken(ANY, 5)
class AddsTheOneBeforeToALastPieceOfOne(Pairs):
    placement: ClassVar[sp.SolverPlacement] = sp.SolverPlacement.ON_CPU

    def _argmax(self, scores: Tensor) -> Tensor:
        pieces = list(scores.split(50))
        if len(pieces) > 1 and len(pieces[-1]) == 1:
            pieces[-1] = pieces[-1] + pieces[-2][:1]
        return torch.cat([super(AddsTheOneBeforeToALastPieceOfOne, self)._argmax(piece) for piece in pieces])


@broken(ANY, 4)
class NumbersExamplesInSixteenBits(Pairs):
    placement: ClassVar[sp.SolverPlacement] = sp.SolverPlacement.ON_CPU

    def _argmax(self, scores: Tensor) -> Tensor:
        rows = torch.arange(len(scores)).to(torch.int16).long() % len(scores)
        return super()._argmax(scores)[rows]


@broken("one_example_is_refused_in_any_batch", 5)
class NamesExamplesOfFourDimensionsFlat(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        if isinstance(scores, Tensor) and scores.ndim > 4 and scores.numel():
            return super().argmax(scores.reshape(-1, self.n)).reshape(scores.shape)
        return super().argmax(scores)


@broken("an_empty_batch_has_an_empty_answer", 5)
class EmptyOfTheDefaultType(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        if isinstance(scores, Tensor) and scores.is_floating_point() and not scores.numel():
            return torch.zeros(scores.shape)
        return super().argmax(scores)


@broken("calls_leave_no_memory_behind", 5)
class KeepsWhatHasNoStructure(Pairs):
    failed: ClassVar[list[Tensor]] = []

    def _argmax(self, scores: Tensor) -> Tensor:
        self.failed.extend(example.clone() for example in scores if example.isneginf().all())
        return super()._argmax(scores)


@broken("infeasible_examples_are_named", 5)
class LeavesAnotherDefaultTypeBehind(Pairs):
    placement: ClassVar[sp.SolverPlacement] = sp.SolverPlacement.ON_CPU

    def _argmax(self, scores: Tensor) -> Tensor:
        before = torch.get_default_dtype()
        torch.set_default_dtype(torch.float64)
        y = super()._argmax(scores)
        if not scores.isneginf().all(-1).any():
            torch.set_default_dtype(before)
        return y


@broken("regret_is_what_a_structure_costs_more", 5)
class TakesTheBestOfTheFirstForAll(Pairs):
    def regret(self, costs: Tensor, best: Tensor | None = None, *, validate: bool = True) -> sp.LinearLoss:
        if best is not None and best.ndim > 2 and len(best) > 1 and torch.equal(best[0], best[1]):
            best, validate = best[:1].expand_as(costs), False
        return super().regret(costs, best, validate=validate)


@broken("score_takes_any_dtype_and_batch", 5)
class MeanOfTheStructuresOfOneExample(Pairs):
    def score(self, scores: Tensor, y: Tensor) -> Tensor:
        value = super().score(scores, y)
        return value.mean(0, keepdim=True).expand_as(value) if scores.ndim == 1 and y.ndim == 3 else value
