"""Exactly k parts out of n: top-k, nearest neighbours, feature selection."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, ClassVar

import attrs
import torch
from attrs import field, frozen
from torch import Tensor

from structpred._validation import positive_int, validate_positive_int
from structpred.errors import argument_error
from structpred.spaces._enumerable import validate_enumerable
from structpred.spaces._joint import JointSolver
from structpred.spaces._placement import SolverPlacement
from structpred.spaces.base import StructuredSpace


def _one_or_several(k: object) -> object:
    """Sequences and tensors as tuples, so that the space is a value."""
    if isinstance(k, Tensor):
        k = k.tolist()
    return tuple(k) if isinstance(k, Sequence) and not isinstance(k, str) else k


def _fits_n(space: KSubset, attribute: attrs.Attribute[Any], k: object) -> None:
    if isinstance(k, tuple) and not k:
        raise argument_error("k", "at least one number", k)
    for number in k if isinstance(k, tuple) else (k,):
        if validate_positive_int("k", number) > space.n:
            raise argument_error("k", f"at most n = {space.n}, the number of parts to choose from", number)


@frozen
class KSubset(StructuredSpace):
    """Exactly k of n parts; y has shape ``(n,)``. Solved by ``torch.topk`` on the scores' device.

    With several k, one for each row, y has shape ``(rows, n)``: the rows are one structure, whose loss is the sum of
    theirs.

    Args:
        n: the number of parts to choose from.
        k: how many are chosen; or a sequence, or a tensor of one dimension, with a number for each row.

    Raises:
        ArgumentError: if n or k is not an integer of at least 1, or k exceeds n.

    >>> KSubset(4, 2).argmax(torch.tensor([0.1, 0.7, 0.2, -1.0]))
    tensor([0., 1., 1., 0.])
    >>> KSubset(4, [1, 3]).argmax(torch.tensor([[0.1, 0.7, 0.2, -1.0], [0.1, 0.7, 0.2, -1.0]]))
    tensor([[0., 1., 0., 0.],
            [1., 1., 1., 0.]])
    """

    n: int = field(validator=positive_int)
    k: int | tuple[int, ...] = field(converter=_one_or_several, validator=_fits_n)

    placement: ClassVar[SolverPlacement] = SolverPlacement.ON_DEVICE

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.k), self.n) if isinstance(self.k, tuple) else (self.n,)

    def _argmax(self, scores: Tensor) -> Tensor:
        k = self._k(scores.device)
        if isinstance(k, int):
            chosen = scores.topk(k, dim=-1, sorted=False).indices  # (batch, k)
            return torch.zeros_like(scores).scatter_(-1, chosen, 1)
        return _best(scores, k)

    @classmethod
    def _joint_solver(cls, spaces: Sequence[KSubset]) -> JointSolver:
        return _JointSubsets(spaces)

    def contains(self, y: Tensor) -> Tensor:
        self.batch_shape("y", y)
        inside = _chosen(y, self._k(y.device))  # (*batch) or (*batch, rows)
        return inside.all(-1) if isinstance(self.k, tuple) else inside

    def enumerate(self) -> Tensor:
        rows = self.k if isinstance(self.k, tuple) else (self.k,)
        validate_enumerable(self, math.prod(math.comb(self.n, k) for k in rows))
        subsets = [itertools.combinations(range(self.n), k) for k in rows]
        y = torch.zeros(math.prod(math.comb(self.n, k) for k in rows), len(rows), self.n)
        for structure, chosen in zip(y, itertools.product(*subsets), strict=True):
            for row, parts in zip(structure, chosen, strict=True):
                row[list(parts)] = 1
        return y.reshape(-1, *self.shape)

    def _k(self, device: torch.device) -> int | Tensor:
        return torch.tensor(self.k, device=device) if isinstance(self.k, tuple) else int(self.k)


class _JointSubsets(JointSolver):
    """Of spaces whose k are numbers, or of such with several rows, some of which can lack the last rows."""

    placement = SolverPlacement.ON_DEVICE

    def __init__(self, spaces: Sequence[KSubset]) -> None:
        rows = [space.k if isinstance(space.k, tuple) else (space.k,) for space in spaces]
        most = max(map(len, rows))
        k = torch.tensor([[*own, *(0,) * (most - len(own))] for own in rows])  # (spaces, rows)
        self._k = k if isinstance(spaces[0].k, tuple) else k[:, 0]

    def argmax(self, scores: Tensor, which: Tensor) -> Tensor:
        return _best(scores, self._k[which].to(scores.device))

    def contains(self, y: Tensor) -> Tensor:
        inside = _chosen(y, self._k.to(y.device))
        return inside if self._k.ndim == 1 else inside.all(-1)


def _best(scores: Tensor, k: Tensor) -> Tensor:
    """The k largest of each row, for k that differ: ``(*rows, n)``, and k broadcasts to ``(*rows)``."""
    most = int(k.max())
    chosen = scores.topk(most, dim=-1).indices  # (*rows, most), the best first
    counted = (torch.arange(most, device=k.device) < k[..., None]).to(scores.dtype)  # (..., most)
    return torch.zeros_like(scores).scatter_(-1, chosen, counted.expand(chosen.shape))


def _chosen(y: Tensor, k: int | Tensor) -> Tensor:
    """Whether each row has k ones and else zeros."""
    used = y == 1
    return (used | (y == 0)).all(-1) & (used.sum(-1) == k)
