"""A space that is right, most of whose parts the broken ones share, and the list of those that are broken."""

from __future__ import annotations

import itertools

import attrs
import torch
from torch import Tensor

import structpred as sp

BROKEN_SPACES: list[tuple[sp.StructuredSpace, str]] = []


def broken(law: str, *arguments: object):
    """Registers a space made with these arguments under the law that it breaks."""

    def register(cls: type[sp.StructuredSpace]) -> type[sp.StructuredSpace]:
        if attrs.has(cls) and "__attrs_attrs__" not in vars(cls):  # once, where several laws are broken
            cls = attrs.frozen(cls)
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


class FromAList(sp.StructuredSpace):
    """Right: the best of the list."""

    def _argmax(self, scores: Tensor) -> Tensor:
        every = self.enumerate()
        values = torch.where(every != 0, scores.unsqueeze(1), 0.0).flatten(2).sum(-1)
        return every[values.argmax(-1)]

    def contains(self, y: Tensor) -> Tensor:
        return (y.unsqueeze(-2) == self.enumerate().to(y.dtype)).all(-1).any(-1)
