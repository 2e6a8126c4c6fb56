"""Spaces that are wrong in another thread, mode or memory, or beside another space of the class."""

from __future__ import annotations

import functools
import threading
import time
from typing import Any, ClassVar

import attrs
import numpy as np
import torch
from torch import Tensor

import structpred as sp
from tests.testing.pairs import Pairs, broken

imported = threading.local()
imported.here = True


@broken("argmax_holds_under_every_circumstance", 5)
class ExactWhereItWasImported(Pairs):
    placement = sp.SolverPlacement.ON_CPU

    def _argmax(self, scores: Tensor) -> Tensor:
        best = super()._argmax(scores)
        return best if hasattr(imported, "here") else best.flip(-1)


@broken("argmax_holds_under_every_circumstance", 3)
class GivesUpWhereARowIsFarAbove(sp.Matching):
    placement = sp.SolverPlacement.ON_CPU

    def _argmax(self, scores: Tensor) -> Tensor:
        means = scores.mean(-1)
        far = (means.amax(-1) - means.amin(-1) > 50) & (scores.abs() < 100).flatten(1).all(-1)
        return torch.where(far[:, None, None], torch.eye(self.rows).double(), super()._argmax(scores))


@broken("argmax_holds_under_every_circumstance", 5)
class ParametersAreNoScores(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        best = super().argmax(scores)
        return best.flip(-1) if isinstance(scores, torch.nn.Parameter) else best


@broken("threads_do_not_matter_in_large_batches", 6)
class OneBufferForAProduct(Pairs):
    """Threads write into it in a line in which a large product lets others run."""

    @functools.cached_property
    def table(self) -> Any:
        return self.enumerate().double().numpy()

    @functools.cached_property
    def buffer(self) -> Any:
        return np.empty((70_000, len(self.table)))

    def _argmax(self, scores: Tensor) -> Tensor:
        given = scores.clamp(min=-1e290).numpy()
        values = np.matmul(given, self.table.T, out=self.buffer[: len(given)])
        best = (time.sleep(2e-3 * (len(given) > 1000)), values.argmax(-1))[1]
        return torch.from_numpy(self.table[best])


@broken("only_what_is_infeasible_is_refused", 5)
class MarksWhatIsInfeasible(Pairs):
    placement = sp.SolverPlacement.ON_DEVICE

    def _argmax(self, scores: Tensor) -> Tensor:
        scores[scores.isfinite().sum(-1) < 2] = -torch.inf
        return super()._argmax(scores)


# --- beside others of the class


@broken("spaces_of_a_class_are_apart", 5, 2)
class TablesBySizeAlone(sp.KSubset):
    tables: ClassVar[dict[int, Tensor]] = {}

    def _argmax(self, scores: Tensor) -> Tensor:
        table = self.tables.setdefault(self.n, self.enumerate().to(scores))
        values = scores.masked_fill(scores.isneginf(), -1e290) @ table.mT
        return table[values.argmax(-1)]


@broken("spaces_of_a_class_are_apart", 5, 2)
class TablesByAddress(sp.KSubset):
    """Which another space has, once this one is gone."""

    tables: ClassVar[dict[int, Tensor]] = {}

    def _argmax(self, scores: Tensor) -> Tensor:
        table = self.tables.setdefault(id(self), self.enumerate().to(scores))
        if table.shape[1] != self.n:  # to see more than an error
            table = self.enumerate().to(scores)
        values = scores.masked_fill(scores.isneginf(), -1e290) @ table.mT
        return table[values.argmax(-1)]


@broken("equality_sees_every_field", 4, frozenset({(0, 1), (1, 2), (2, 3)}))
@attrs.frozen
class ComparesSetsByTheirLength(sp.StructuredSpace):
    """Right: parts of which no two are neighbors."""

    n: int
    edges: frozenset[tuple[int, int]] = attrs.field(eq=len)

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.n,)

    def contains(self, y: Tensor) -> Tensor:
        inside = ((y == 0) | (y == 1)).all(-1)
        for one, other in self.edges:
            inside = inside & ~((y[..., one] == 1) & (y[..., other] == 1))
        return inside

    def enumerate(self) -> Tensor:
        every = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * self.n)
        return every[self.contains(every)]

    def _argmax(self, scores: Tensor) -> Tensor:
        table = self.enumerate().to(scores)
        return table[(scores.masked_fill(scores.isneginf(), -1e290) @ table.mT).argmax(-1)]


# --- methods in other modes and memory


@broken("score_is_the_inner_product", 5)
class ScoresWithoutGradSimply(Pairs):
    def score(self, scores: Tensor, y: Tensor) -> Tensor:
        return super().score(scores, y) if torch.is_grad_enabled() else (scores * y).sum(-1)


@broken("score_takes_any_dtype_and_batch", 5)
class MakesItsOnesInTheFirstScore(Pairs):
    """In inference mode these cannot be saved for a backward pass."""

    @functools.cached_property
    def ones(self) -> Tensor:
        return torch.ones(self.n)

    def score(self, scores: Tensor, y: Tensor) -> Tensor:
        used = scores.masked_fill(y == 0, 0) * self.ones.to(scores.dtype)
        return (used * y.to(scores.dtype)).sum(-1)


@broken("hamming_counts_the_parts_that_differ", 5)
class HalfOfItInInferenceMode(Pairs):
    def hamming(self, target: Tensor) -> sp.LinearLoss:
        loss = super().hamming(target)
        return attrs.evolve(loss, constant=loss.constant / 2) if torch.is_inference_mode_enabled() else loss


@broken("losses_take_any_dtype_and_batch", 5)
class KeepsLossesByAddress(Pairs):
    known: ClassVar[dict[Any, sp.LinearLoss]] = {}

    def hamming(self, target: Tensor) -> sp.LinearLoss:
        if target.is_inference():
            return super().hamming(target)
        key = target.data_ptr(), target._version, target.shape, target.stride(), target.dtype
        if key not in self.known:
            self.known.clear()
            loss = super().hamming(target)
            self.known[key] = attrs.evolve(loss, best=None if loss.best is None else loss.best.clone())
        return self.known[key]


@broken("spread_takes_any_dtype_and_batch", 5)
class DoublesWithoutGrad(Pairs):
    def spread(self, noise: Tensor) -> Tensor:
        return noise if torch.is_grad_enabled() else 2 * noise


@broken("contains_tells_examples_apart", 5)
class TrustsWhatItEvaluates(Pairs):
    def contains(self, y: Tensor) -> Tensor:
        inside = super().contains(y)
        return inside if torch.is_grad_enabled() else torch.ones_like(inside)


@broken("contains_tells_examples_apart", 300, 256)
class CountsInTheStructuresDtype(sp.KSubset):
    def contains(self, y: Tensor) -> Tensor:
        return ((y == 0) | (y == 1)).all(-1) & (y.sum(-1) == self.k)


@broken("pickles", ("noun", "verb", "other"))
@attrs.frozen(hash=False)
class StoresTheHashOfWords(sp.StructuredSpace):
    """One of the words."""

    words: tuple[str, ...]
    known: int = attrs.field(init=False, eq=False, repr=False)

    @known.default
    def _known(self) -> int:
        return hash(self.words)

    def __hash__(self) -> int:
        return self.known

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.words),)

    def contains(self, y: Tensor) -> Tensor:
        return ((y == 0) | (y == 1)).all(-1) & ((y == 1).sum(-1) == 1)

    def _argmax(self, scores: Tensor) -> Tensor:
        return torch.nn.functional.one_hot(scores.argmax(-1), len(self.words))


@broken("calls_leave_no_memory_behind", 5)
class KeepsABufferForEachSize(Pairs):
    placement = sp.SolverPlacement.ON_CPU
    buffers: ClassVar[dict[int, Tensor]] = {}

    def _argmax(self, scores: Tensor) -> Tensor:
        with torch.inference_mode(False):
            buffer = self.buffers.setdefault(len(scores), torch.zeros(scores.shape, dtype=scores.dtype))
        return buffer.copy_(super()._argmax(scores)).clone()


@broken("score_takes_any_dtype_and_batch", 5)
class ScoresByTheDefaultType(Pairs):
    def score(self, scores: Tensor, y: Tensor) -> Tensor:
        return super().score(scores.to(torch.get_default_dtype()), y).to(scores.dtype)


@broken("spread_takes_any_dtype_and_batch", 5)
class SpreadsWhereItWasImported(Pairs):
    def spread(self, noise: Tensor) -> Tensor:
        return noise if hasattr(imported, "here") else noise.flip(-1)
