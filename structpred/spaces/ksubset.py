"""Exactly k parts out of n: top-k, nearest neighbours, feature selection."""

from __future__ import annotations

import itertools
import math
from typing import Any, ClassVar

import attrs
import torch
from attrs import field, frozen
from torch import Tensor

from structpred._checks import positive_int
from structpred.errors import argument_error
from structpred.spaces.base import Runs, StructuredSpace, check_enumerable


def _at_most_n(space: KSubset, attribute: attrs.Attribute[Any], k: int) -> None:
    if k > space.n:
        raise argument_error("k", f"at most n = {space.n}, the number of parts to choose from", k)


@frozen
class KSubset(StructuredSpace):
    """Exactly k of n parts; y has shape ``(n,)``. Solved by ``torch.topk`` on the scores' device.

    Raises:
        ArgumentError: if n or k is no whole number of at least 1, or k exceeds n.

    >>> KSubset(4, 2).argmax(torch.tensor([0.1, 0.7, 0.2, -1.0]))
    tensor([0., 1., 1., 0.])
    """

    n: int = field(validator=positive_int)
    k: int = field(validator=[positive_int, _at_most_n])

    runs: ClassVar[Runs] = Runs.ON_DEVICE

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.n,)

    def _argmax(self, scores: Tensor) -> Tensor:
        chosen = scores.topk(self.k, dim=-1, sorted=False).indices  # (batch, k)
        return torch.zeros_like(scores).scatter_(-1, chosen, 1)

    def contains(self, y: Tensor) -> Tensor:
        self.batch_shape("y", y)
        used = y == 1
        return (used | (y == 0)).all(-1) & (used.sum(-1) == self.k)

    def enumerate(self) -> Tensor:
        check_enumerable(self, math.comb(self.n, self.k))
        chosen = torch.tensor(list(itertools.combinations(range(self.n), self.k)))
        return torch.zeros(len(chosen), self.n).scatter_(-1, chosen, 1)
