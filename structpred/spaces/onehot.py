"""One part out of n: classification, or a single choice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from attrs import field, frozen
from torch import Tensor

from structpred._validation import positive_int
from structpred.spaces._enumerable import validate_enumerable
from structpred.spaces._joint import JointSolver
from structpred.spaces._placement import SolverPlacement
from structpred.spaces.base import StructuredSpace


@frozen
class OneHot(StructuredSpace):
    """Exactly one of n parts; y has shape ``(n,)``. Solved in torch on the scores' device.

    >>> OneHot(3).argmax(torch.tensor([0.1, 0.7, 0.2]))
    tensor([0., 1., 0.])
    """

    n: int = field(validator=positive_int)

    placement: ClassVar[SolverPlacement] = SolverPlacement.ON_DEVICE

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.n,)

    def _argmax(self, scores: Tensor) -> Tensor:
        return torch.nn.functional.one_hot(scores.argmax(-1), self.n)

    @classmethod
    def _joint_solver(cls, spaces: Sequence[OneHot]) -> JointSolver:
        return _JointOneHot()

    def contains(self, y: Tensor) -> Tensor:
        self.batch_shape("y", y)
        return _one_of(y)

    def enumerate(self) -> Tensor:
        validate_enumerable(self, self.n)
        return torch.eye(self.n)


class _JointOneHot(JointSolver):
    placement = SolverPlacement.ON_DEVICE

    def argmax(self, scores: Tensor, which: Tensor) -> Tensor:
        return torch.nn.functional.one_hot(scores.argmax(-1), scores.shape[-1])

    def contains(self, y: Tensor) -> Tensor:
        return _one_of(y)


def _one_of(y: Tensor) -> Tensor:
    used = y == 1
    return (used | (y == 0)).all(-1) & (used.sum(-1) == 1)
