"""Spaces whose argmax is right in plain calls and wrong in one circumstance, with the law that is meant to find it."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor

import structpred as sp
from tests.testing.pairs import Pairs, broken

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
class SolvesLargeBatchesInHalfPrecision(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        return super().argmax(scores.bfloat16().to(scores.dtype) if scores.numel() >= 512 * self.n else scores)


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


@broken(ANY, 5)
class FlushesDenormalNumbers(Pairs):
    def _argmax(self, scores: Tensor) -> Tensor:
        torch.set_flush_denormal(True)
        return super()._argmax(scores)


@broken("what_are_no_scores_is_refused", 5)
class TakesAShapeThatBroadcasts(Pairs):
    def argmax(self, scores: Any) -> Tensor:
        if isinstance(scores, Tensor) and scores.ndim and scores.shape[-1] == 1:
            scores = scores.expand(*scores.shape[:-1], self.n)
        return super().argmax(scores)
