"""Spaces that are wrong in what lies near their answers: in other dtypes, orders, masks, sizes and fields."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs
import torch
from torch import Tensor

import structpred as sp
from tests.testing.pairs import FromAList, Pairs, broken


class MeanOverTheBatch(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, scores: Tensor, y: Tensor) -> Tensor:
        ctx.save_for_backward(y)
        ctx.dims = scores.ndim
        return (scores.masked_fill(y == 0, 0) * y).sum(-1)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
        gradient = upstream[..., None] * ctx.saved_tensors[0]
        more = gradient.ndim - ctx.dims
        return (gradient.flatten(0, more - 1).mean(0) if more else gradient), None


@broken("score_takes_any_dtype_and_batch", 5)
class TheScoresOfOneGetTheMean(Pairs):
    def score(self, scores: Tensor, y: Tensor) -> Tensor:
        if scores.ndim > 1:
            return super().score(scores, y)
        return MeanOverTheBatch.apply(scores, y.to(scores.dtype))


KNOWN: dict[int, Pairs] = {}


@broken("pickles", 5)
class IsLookedUp(Pairs):
    def __reduce__(self) -> Any:
        return KNOWN.__getitem__, (KNOWN.setdefault(self.n, self).n,)


@broken("equality_sees_every_field", 6, ((0, 1), (2, 3), (4, 5)))
@attrs.frozen
class EqualByDegrees(FromAList):
    """Nodes of which no two are joined by an edge."""

    nodes: int
    edges: tuple[tuple[int, int], ...] = attrs.field(eq=lambda edges: tuple(sorted(sum(edges, ()))))

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.nodes,)

    def enumerate(self) -> Tensor:
        every = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=torch.float64)] * self.nodes)
        return every[self.contains(every)]

    def contains(self, y: Tensor) -> Tensor:
        one, other = torch.tensor(self.edges).T
        return ((y == 0) | (y == 1)).all(-1) & ~((y[..., one] == 1) & (y[..., other] == 1)).any(-1)


@broken("no_fine_difference_is_overlooked", 8)
class RoundedByTheLargest(sp.Matching):
    def _argmax(self, scores: Tensor) -> Tensor:
        largest = scores.where(scores.isfinite(), 0).abs().flatten(1).amax(1).clamp(min=1e-300)[:, None, None]
        return super()._argmax((scores / largest * 2.0**45).round())


@broken("calls_leave_no_memory_behind", 5)
class AnIndexForEachSize(Pairs):
    kept: ClassVar[dict[tuple[int, ...], Tensor]] = {}

    def spread(self, noise: Tensor) -> Tensor:
        if noise.shape not in self.kept:
            self.kept[tuple(noise.shape)] = torch.arange(noise.numel()).reshape(noise.shape)
        return noise.flatten()[self.kept[tuple(noise.shape)]]


PRICES = (37, 41, 53, 29, 61, 73, 3, 31, 47, 59, 2, 67, 71, 43, 1, 83, 89, 97, 5, 79)


@broken("contains_says_the_same_in_every_dtype", PRICES, 521)
class PricesInTheStructuresDtype(sp.Knapsack):
    def contains(self, y: Tensor) -> Tensor:
        self.batch_shape("y", y)
        prices = torch.tensor(self.weights).to(y.dtype if y.is_floating_point() else torch.int64)
        return ((y == 0) | (y == 1)).all(-1) & ((y * prices).sum(-1) <= self.capacity)


@broken("what_contains_accepts_is_an_answer", 6)
class ThreesPassForARoundTrip(sp.Matching):
    """Six stops: each trip is one of six, and two of three are none. The solver tries the trips."""

    placement: ClassVar[sp.SolverPlacement] = sp.SolverPlacement.ON_CPU

    def contains(self, y: Tensor) -> Tensor:
        steps = (y == 1).double()
        back = (torch.linalg.matrix_power(steps, 6) == torch.eye(6)).flatten(-2).all(-1)
        short = (torch.linalg.matrix_power(steps, 2).diagonal(dim1=-2, dim2=-1) != 0).any(-1)
        return super().contains(y) & back & ~short & (steps.diagonal(dim1=-2, dim2=-1) == 0).all(-1)

    def trips(self) -> Tensor:
        after = torch.tensor([[0, *order] for order in torch.cartesian_prod(*[torch.arange(1, 6)] * 5).tolist()])
        after = after[after.sort(-1).values.eq(torch.arange(6)).all(-1)]
        trips = torch.zeros(len(after), 6, 6, dtype=torch.float64)
        trips[torch.arange(len(after))[:, None], after, after.roll(-1, -1)] = 1
        return trips

    def _argmax(self, scores: Tensor) -> Tensor:
        every = self.trips().flatten(1)
        values = torch.where(every > 0, scores.flatten(1)[:, None], 0).sum(-1)
        return every[values.argmax(-1)].reshape(scores.shape)

    def enumerate(self) -> Tensor:
        raise NotImplementedError


@broken("what_is_not_refused_has_an_answer", (0, 1, 2, 3) * 5, 6)
@attrs.frozen
class TakesOneTwice(sp.StructuredSpace):
    """So many people, one of each group at least: the best of each, and then the best of the others."""

    groups: tuple[int, ...]
    size: int
    placement: ClassVar[sp.SolverPlacement] = sp.SolverPlacement.ON_CPU

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.groups),)

    def _of_groups(self) -> list[Tensor]:
        return [(torch.tensor(self.groups) == group).nonzero().flatten() for group in sorted(set(self.groups))]

    def _argmax(self, scores: Tensor) -> Tensor:
        y = torch.zeros_like(scores)
        for own in self._of_groups():
            y[torch.arange(len(y)), own[scores[:, own].argmax(-1)]] = 1
        left = scores.masked_fill(y == 1, -torch.inf)  # as if forbidden
        return y.scatter_(-1, left.topk(self.size - len(set(self.groups)), -1).indices, 1)

    def contains(self, y: Tensor) -> Tensor:
        used = y == 1
        of_all = torch.stack([used[..., own].any(-1) for own in self._of_groups()]).all(0)
        return (used | (y == 0)).all(-1) & (used.sum(-1) == self.size) & of_all


@broken("argmax_holds_under_every_circumstance", 2500)
class PlacesInTheDefaultDtype(sp.OneHot):
    def _argmax(self, scores: Tensor) -> Tensor:
        places = torch.arange(self.n).to(torch.get_default_dtype())
        return places == scores.argmax(-1, keepdim=True).to(places.dtype)
