"""Spaces that keep something of a call, or of what they are, with the law that is meant to find it."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import torch
from attrs import field
from torch import Tensor

import structpred as sp
from tests.testing.pairs import Pairs, broken

ANY = "argmax_holds_under_every_circumstance"


@broken(ANY, 5)
class ScratchOfInferenceMode(Pairs):
    """Scratch memory grows as needed; what is made in inference mode cannot be written to outside."""

    scratch: dict[torch.dtype, Tensor] = field(init=False, factory=dict, eq=False, repr=False)

    def _argmax(self, scores: Tensor) -> Tensor:
        found = self.scratch.get(scores.dtype, scores[:0])
        if len(found) < len(scores):
            found = self.scratch[scores.dtype] = torch.empty_like(scores)
        found[: len(scores)] = scores
        return super()._argmax(found[: len(scores)])


@broken("calls_leave_no_memory_behind", 20)
class RemembersWhatWasAllowed(Pairs):
    allowed: dict[bytes, Tensor] = field(init=False, factory=dict, eq=False, repr=False)

    def _argmax(self, scores: Tensor) -> Tensor:
        y = torch.zeros_like(scores)
        for example, structure in zip(scores, y, strict=True):
            forbidden = example.isneginf()
            if not forbidden.any():
                structure[:] = super()._argmax(example[None])[0]
                continue
            parts = self.allowed.setdefault(forbidden.numpy().tobytes(), (~forbidden).nonzero()[:, 0])
            best = parts[example[parts].topk(min(2, len(parts))).indices] if len(parts) > 1 else torch.tensor([0, 1])
            structure[best] = 1
        return y


@broken("threads_do_not_matter", 5)
class ThreadsShareWhatAHelperFills(Pairs):
    """Filled and read in another method than ``_argmax``."""

    buffer: Any = field(init=False, factory=lambda: np.zeros(5), eq=False, repr=False)

    def _argmax(self, scores: Tensor) -> Tensor:
        return torch.stack([self._of_one(example) for example in scores])

    def _of_one(self, example: Tensor) -> Tensor:
        self.buffer[:] = example.numpy()
        order = np.argsort(-self.buffer, kind="stable")
        y = torch.zeros_like(example)
        y[order[:2].copy()] = 1
        return y


@broken("equals_its_copies", 4)
class EqualToAllOfItsSize(Pairs):
    def __eq__(self, other: object) -> bool:
        return bool(getattr(other, "n", None) == self.n)

    def __hash__(self) -> int:
        return hash(self.n)


@broken("reads_well", 4)
class ReadsHowOftenItWasCalled(Pairs):
    calls: list[int] = field(init=False, factory=lambda: [0], eq=False)

    def _argmax(self, scores: Tensor) -> Tensor:
        self.calls[0] += 1
        return super()._argmax(scores)


@attrs.frozen
class Intervals(sp.StructuredSpace):
    """Right: one or more parts in a row."""

    n: int

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.n,)

    def _argmax(self, scores: Tensor) -> Tensor:
        listed = self.enumerate().to(scores.dtype)
        uses = scores.isneginf().to(scores.dtype) @ listed.mT > 0
        values = (scores.masked_fill(scores.isneginf(), 0) @ listed.mT).masked_fill(uses, -torch.inf)
        return listed[values.argmax(-1)]

    def contains(self, y: Tensor) -> Tensor:
        listed = self.enumerate().double()
        return (y.double()[..., None, :] == listed).all(-1).any(-1)

    def enumerate(self) -> Tensor:
        first, last = torch.triu_indices(self.n, self.n)[:, :, None]
        part = torch.arange(self.n)
        return ((first <= part) & (part <= last)).float()


@broken(ANY, 5)
class SolvesOnceWhatIsEqualInFloat32(Intervals):
    placement = sp.SolverPlacement.ON_CPU

    def _argmax(self, scores: Tensor) -> Tensor:
        _, which = scores.float().unique(dim=0, return_inverse=True)
        first = [int((which == it).nonzero()[0]) for it in range(int(which.max()) + 1)]
        return super()._argmax(scores[first])[which]


@broken("losses_take_any_dtype_and_batch", 5)
class KeepsTheRegretOfTheLastTensor(Pairs):
    last: dict[str, Any] = field(init=False, factory=dict, eq=False, repr=False)

    def regret(self, costs: Tensor, best: Tensor | None = None, *, validate: bool = True) -> sp.LinearLoss:
        if best is not None:
            return super().regret(costs, best, validate=validate)
        if self.last.get("costs") is not costs:
            self.last.update(costs=costs, loss=super().regret(costs, validate=validate))
        return self.last["loss"]


@broken("arguments_are_left_alone", 5)
class OneMemoryForManyEqualRows(Pairs):
    placement = sp.SolverPlacement.ON_DEVICE  # of threads each copies its rows

    def _argmax(self, scores: Tensor) -> Tensor:
        alike = len(scores) > 15 and bool((scores == scores[:1]).all())
        return super()._argmax(scores[:1]).expand_as(scores) if alike else super()._argmax(scores)
