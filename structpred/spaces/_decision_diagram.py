"""Which capacities tell subsets of items apart: a decision diagram, and best subsets over it for a batch of scores."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from attrs import frozen
from torch import Tensor

from structpred._tensors import new_sums
from structpred.errors import ArgumentError

Integers = npt.NDArray[np.int64]

_MOST_SUMS = 20_000_000
_MOST_TABLE_ENTRIES = 2**23  # of 8 bytes


@frozen
class Layer:
    """The nodes of one item, by their numbers."""

    start: int
    first_with_room: int
    """The nodes from here on have room for the item."""
    stop: int


@frozen(eq=False)
class DecisionDiagram:
    """Dynamic programming over a reduced decision diagram, vectorised over the examples and the nodes of each layer.

    The node (i, c) asks for the best subset of the first i items whose weights sum to at most c. Bellman's dynamic
    program has such a node for every c up to the capacity. Here c is always a sum that some of the first i items
    have, the largest one that fits, because between two such sums more capacity admits no more subsets; and there
    are only nodes that the whole capacity leads to. This makes a threshold BDD (Behle, "Binary decision diagrams and
    integer programming", 2007): of 32 items of weights 300 to 799 under a capacity of 2,000, it has about 1,200 nodes
    instead of 64,000.
    """

    items: Tensor
    """``(items,)``: the item of each layer, heavy ones first, since few sums of these fit."""
    layers: tuple[Layer, ...]
    before: Tensor
    """``(2, nodes)``: where each node leads without its item, and with it. The first node is (0, 0), the last one asks
    for the answer."""

    @classmethod
    def over(cls, weights: Sequence[int], capacity: int) -> DecisionDiagram:
        """Prepares the diagram.

        Raises:
            ArgumentError: if the weights have so many different sums that they would fill the memory.
        """
        capacity = min(capacity, sum(weights))
        order = np.argsort(-np.array(weights), kind="stable")
        heavy_first = np.array(weights)[order].tolist()
        capacities = _distinct_capacities(heavy_first, capacity)
        layers, before, start = [], [np.zeros((2, 1), dtype=np.int64)], 0
        for weight, (previous, own) in zip(heavy_first, itertools.pairwise(capacities), strict=True):
            stop = start + len(previous)
            without_room = int(np.searchsorted(own, weight))
            left = np.where(own < weight, own, own - weight)
            before.append(start + np.stack([_floor(previous, own), _floor(previous, left)]))
            layers.append(Layer(stop, stop + without_room, stop + len(own)))
            start = stop
        return cls(torch.from_numpy(order), tuple(layers), torch.from_numpy(np.concatenate(before, axis=1)))

    def argmax(self, scores: Tensor) -> Tensor:
        """A best subset for each example: ``(n, items) -> (n, items)``, bool."""
        together = max(1, _MOST_TABLE_ENTRIES // self.before.shape[1])
        return torch.cat([self._argmax(some) for some in scores.split(together)])

    def _argmax(self, scores: Tensor) -> Tensor:
        items, (without, with_item) = self.items.to(scores.device), self.before.to(scores.device)
        best = new_sums(scores, len(without), len(scores))  # (nodes, n): examples last, where memory is contiguous
        for layer, score in zip(self.layers, scores.mT.index_select(0, items), strict=True):
            earlier, room = best[: layer.start], slice(layer.first_with_room, layer.stop)
            torch.index_select(earlier, 0, without[layer.start : layer.stop], out=best[layer.start : layer.stop])
            taken = earlier.index_select(0, with_item[room]).add_(score)
            torch.maximum(best[room], taken, out=best[room])
        example = torch.arange(len(scores), device=scores.device)
        node = torch.full_like(example, len(best) - 1)
        chosen = []
        for _ in self.layers:
            chosen.append(best[node, example] > best[without[node], example])
            node = torch.where(chosen[-1], with_item[node], without[node])
        y = torch.empty(len(scores), len(items), dtype=torch.bool, device=scores.device)
        y[:, items] = torch.stack(chosen[::-1], dim=1)
        return y

    def count(self) -> int:
        """The number of subsets within the capacity."""
        counts = np.ones(self.before.shape[1], dtype=object)  # of Python's integers, which do not overflow
        without, with_item = self.before.numpy()
        for layer in self.layers:
            own, room = slice(layer.start, layer.stop), slice(layer.first_with_room, layer.stop)
            counts[own] = counts[without[own]]
            counts[room] += counts[with_item[room]]
        return int(counts[-1])


def _distinct_capacities(weights: Sequence[int], capacity: int) -> list[Integers]:
    """For the first 0, 1, ..., items, in ascending order: sums that they have, and that the whole capacity leads to."""
    sums, count = [np.zeros(1, dtype=np.int64)], 1
    for weight in weights:
        more = sums[-1] + weight
        sums.append(np.union1d(sums[-1], more[more <= capacity]))
        count += len(sums[-1])
        if count > _MOST_SUMS:
            raise ArgumentError(
                f"weights: expected few enough different sums to keep them all, got more than {_MOST_SUMS:,}; "
                "round weights and capacity to larger units, or write an IntegerProgram"
            )
    reached = [sums[-1][-1:]]
    for weight, possible in zip(reversed(weights), reversed(sums[:-1]), strict=True):
        later = reached[-1]
        left = np.concatenate([later, later[later >= weight] - weight])
        reached.append(np.unique(possible[_floor(possible, left)]))
    return reached[::-1]


def _floor(possible: Integers, capacities: Integers) -> Integers:
    """The places of the largest sums, among ascending ones that start with 0, within each capacity."""
    places: Integers = np.searchsorted(possible, capacities, side="right") - 1
    return places
