"""Spaces whose spread, contains, equality or other methods are wrong where argmax is right, or after other calls."""

from __future__ import annotations

import functools
import itertools
from typing import Any, ClassVar

import attrs
import numpy as np
import torch
from torch import Tensor

import structpred as sp
from tests.testing.pairs import Pairs, broken

SPREAD, ANY = "spread_takes_any_dtype_and_batch", "argmax_holds_under_every_circumstance"


# --- spread


@broken(SPREAD, 5)
class SpreadsWhatIsKeptForTheAddress(Pairs):
    kept: ClassVar[dict[Any, Tensor]] = {}

    def spread(self, noise: Tensor) -> Tensor:
        if noise.requires_grad:
            return 2 * noise
        return self.kept.setdefault((noise.data_ptr(), noise.shape, noise.stride(), noise.dtype), 2 * noise).clone()


@broken(SPREAD, 5)
class MakesItsMatrixInTheFirstCall(Pairs):
    """In inference mode that cannot be saved for a backward pass."""

    @functools.cached_property
    def weights(self) -> Tensor:
        return torch.linspace(0.5, 1.5, self.n).diag()

    def spread(self, noise: Tensor) -> Tensor:
        return noise @ self.weights.to(noise.dtype)


class ViewsWhatArrives(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, noise: Tensor) -> Tensor:
        return 2 * noise

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> Tensor:
        return 2 * upstream.view(-1).view(upstream.shape)


@broken("spread_is_differentiable", 5)
class RefusesGradientsThatAreNotContiguous(Pairs):
    def spread(self, noise: Tensor) -> Tensor:
        return ViewsWhatArrives.apply(noise)


@broken("calls_leave_no_memory_behind", 5)
class KeepsAllNoise(Pairs):
    seen: ClassVar[list[Tensor]] = []

    def spread(self, noise: Tensor) -> Tensor:
        self.seen.append(noise.detach().clone())
        return noise - noise.mean(-1, keepdim=True) / 2


# --- contains


@broken("contains_tells_examples_apart", 5)
class AsksNumpyWhatIsInside(Pairs):
    def contains(self, y: Tensor) -> Tensor:
        given = y.double().numpy()
        return torch.as_tensor(((given == 0) | (given == 1)).all(-1) & (given.sum(-1) == 2))


@broken("no_mixture_is_a_member", 6, 3)
class BySumAndSumOfSquares(sp.KSubset):
    def contains(self, y: Tensor) -> Tensor:
        y = y.double()
        return (y.sum(-1) == self.k) & (y.square().sum(-1) == self.k)


@broken("contains_tells_examples_apart", 5)
class RemembersByAddressAndVersion(Pairs):
    known: ClassVar[dict[Any, Tensor]] = {}

    def contains(self, y: Tensor) -> Tensor:
        key = (y.data_ptr(), None if y.is_inference() else y._version, y.shape, y.stride(), y.dtype)
        return self.known.setdefault(key, super().contains(y)).clone()


@broken("enumerate_is_complete")
@broken("what_contains_accepts_is_an_answer")
class PathsBesideCycles(sp.StructuredSpace):
    """From one upper corner of a grid of 3 by 4 to the other, along edges; but a cycle beside the path is accepted."""

    edges: ClassVar[tuple[tuple[int, int], ...]] = tuple(
        (a, b) for a, b in itertools.combinations(range(12), 2) if b - a == 4 or (b - a == 1 and b % 4)
    )
    shape = (len(edges),)

    @functools.cached_property
    def paths(self) -> Tensor:
        found: list[list[int]] = []
        open_paths = [[0]]
        while open_paths:
            path = open_paths.pop()
            if path[-1] == 3:
                found.append(path)
                continue
            near = {sum(edge) - path[-1] for edge in self.edges if path[-1] in edge}
            open_paths += [[*path, node] for node in sorted(near - set(path))]
        y = torch.zeros(len(found), len(self.edges))
        for row, path in zip(y, found, strict=True):
            for step in itertools.pairwise(path):
                row[self.edges.index((min(step), max(step)))] = 1
        return y

    def _argmax(self, scores: Tensor) -> Tensor:
        used = self.paths.to(scores)
        values = scores.masked_fill(scores.isneginf(), -1e290) @ used.mT
        return used[values.argmax(-1)]

    def contains(self, y: Tensor) -> Tensor:
        ends = torch.tensor([[node in edge for node in range(12)] for edge in self.edges]).double()
        degrees = (y == 1).double() @ ends
        corner = torch.arange(12).eq(0) | torch.arange(12).eq(3)
        fits = torch.where(corner, degrees == 1, (degrees == 0) | (degrees == 2)).all(-1)
        return ((y == 0) | (y == 1)).all(-1) & fits

    def enumerate(self) -> Tensor:
        return self.paths.clone()


# --- settings, names, and chunks


@broken("enumerate_lists_anew", 5)
class ListsInLessPrecision(Pairs):
    def enumerate(self) -> Tensor:
        torch.set_float32_matmul_precision("high")
        return super().enumerate()


@broken(ANY, 4)
class LeavesOutTheLastPiece(sp.Matching):
    placement: ClassVar[sp.SolverPlacement] = sp.SolverPlacement.ON_CPU

    def _argmax(self, scores: Tensor) -> Tensor:
        whole = len(scores) // 4096 * 4096 or len(scores)
        rest = torch.eye(self.rows).to(scores).expand(len(scores) - whole, *self.shape)
        return torch.cat([super()._argmax(scores[:whole]).to(scores), rest])


@broken("only_what_is_infeasible_is_refused", 3, 3)
@attrs.frozen
class NamesExamplesOfOneHalfAlone(sp.StructuredSpace):
    """Two of the first parts, and one of the others; where both are at fault, the first names its examples alone."""

    first: int
    second: int

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.first + self.second,)

    def argmax_of_stack(self, scores: Tensor, example: Any) -> Tensor:
        self.batch_shape("scores", scores)
        halves = scores.split([self.first, self.second], -1)
        spaces = sp.KSubset(self.first, 2), sp.OneHot(self.second)
        return torch.cat([it.argmax_of_stack(half, example) for it, half in zip(spaces, halves, strict=True)], -1)

    def _argmax(self, scores: Tensor) -> Tensor:
        raise NotImplementedError

    def contains(self, y: Tensor) -> Tensor:
        one, other = y.split([self.first, self.second], -1)
        return sp.KSubset(self.first, 2).contains(one) & sp.OneHot(self.second).contains(other)

    def enumerate(self) -> Tensor:
        one, other = sp.KSubset(self.first, 2).enumerate(), sp.OneHot(self.second).enumerate()
        return torch.cat([one.repeat_interleave(len(other), 0), other.repeat(len(one), 1)], -1)


@broken(ANY, 4)
class NumbersExamplesInSixteenBitsWithoutSign(sp.OneHot):
    placement: ClassVar[sp.SolverPlacement] = sp.SolverPlacement.ON_CPU

    def _argmax(self, scores: Tensor) -> Tensor:
        y = np.zeros(scores.shape)
        y[np.arange(len(scores)).astype(np.uint16), scores.argmax(-1).numpy()] = 1
        return torch.as_tensor(y)


@broken("contains_tells_examples_apart", 5)
class ZerosHaveNoSign(Pairs):
    def contains(self, y: Tensor) -> Tensor:
        return super().contains(y) & ~(y.signbit() if y.is_floating_point() else y != y).any(-1)


class OfWeights(sp.StructuredSpace):
    """Right: items whose weights, of an array or a mapping, are within a capacity."""

    weights: Any
    capacity: float

    @property
    def numbers(self) -> list[float]:
        named = isinstance(self.weights, dict)
        return [self.weights[name] for name in sorted(self.weights)] if named else list(self.weights)

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.weights),)

    def enumerate(self) -> Tensor:
        every = torch.tensor(list(itertools.product([0.0, 1.0], repeat=len(self.weights))))
        return every[self.contains(every)]

    def contains(self, y: Tensor) -> Tensor:
        fits = (y == 1).double() @ torch.tensor(self.numbers).double() <= self.capacity
        return ((y == 0) | (y == 1)).all(-1) & fits

    def _argmax(self, scores: Tensor) -> Tensor:
        every = self.enumerate().to(scores)
        return every[(scores.masked_fill(scores.isneginf(), -1e290) @ every.mT).argmax(-1)]


@broken("equality_sees_every_field", np.array([1000.0, 1001.0, 1003.0, 500.0]), 2001.0)
@attrs.frozen
class WeightsThatAreClose(OfWeights):
    weights: np.ndarray = attrs.field(eq=attrs.cmp_using(eq=functools.partial(np.allclose, rtol=1e-3)), hash=False)
    capacity: float


@broken("equality_sees_every_field", np.array([2.0, 2.0, 2.0]), 4.0)
@attrs.frozen
class OneWeightForAllIsEqual(OfWeights):
    weights: np.ndarray = attrs.field(eq=attrs.cmp_using(eq=lambda one, other: bool(np.all(one == other))), hash=False)
    capacity: float


@broken("equality_sees_every_field", {"a": 2.0, "b": 3.0, "c": 4.0}, 5.0)
@attrs.frozen
class EqualByNames(OfWeights):
    weights: dict[str, float] = attrs.field(eq=lambda weights: sorted(weights), hash=False)
    capacity: float


@broken("equality_sees_every_field", (1.0, 2.0, 3.0), 3.0)
@attrs.frozen
class EqualInAnyOrder(OfWeights):
    weights: tuple[float, ...] = attrs.field(eq=frozenset)
    capacity: float
