"""The levels of a directed graph without cycles, and longest paths over them for a batch of scores."""

from __future__ import annotations

import graphlib
import itertools
from collections.abc import Sequence

import torch
from attrs import frozen
from torch import Tensor

from structpred._tensors import new_sums

Level = dict[int, list[int]]
"""The nodes of one level, each with the arcs into it."""


def levels_between(arcs: Sequence[tuple[int, int]], source: int, target: int) -> list[Level]:
    """The nodes and arcs on paths from source to target, by the length of the longest way from the source.

    The first level is the source alone and the last one the target alone; none where there is no path.
    """
    between = _reached(source, arcs) & _reached(target, [(head, tail) for tail, head in arcs])
    into: Level = {node: [] for node in sorted(between)}
    for arc, (tail, head) in enumerate(arcs):
        if tail in between and head in between:
            into[head].append(arc)
    sorter = graphlib.TopologicalSorter({node: [arcs[arc][0] for arc in entering] for node, entering in into.items()})
    sorter.prepare()
    levels = []
    while sorter.is_active():
        ready = sorter.get_ready()
        levels.append({node: into[node] for node in ready})
        sorter.done(*ready)
    return levels


def _reached(start: int, arcs: Sequence[tuple[int, int]]) -> set[int]:
    following: dict[int, list[int]] = {}
    for tail, head in arcs:
        following.setdefault(tail, []).append(head)
    reached, left = {start}, [start]
    while left:
        new = set(following.get(left.pop(), ())) - reached
        reached |= new
        left.extend(new)
    return reached


@frozen(eq=False)
class LongestPaths:
    """Dynamic programming over levels, vectorised over the examples and over the nodes of each level.

    Nodes are numbered anew, level by level: the source is 0, the target last. Each has a slot for every arc into it,
    and further slots that repeat one, as many as the other nodes of its block: those are maximized at once.
    """

    blocks: tuple[tuple[int, int], ...]
    """Of each block, its nodes and the slots of each node."""
    depth: int
    """The arcs of the longest path."""
    arcs: int
    slots: Tensor
    """``(2, slots)``: the arc in each slot and the node it comes from. The last slot leads from the source to the
    source, by an arc that does not exist."""

    @classmethod
    def over(cls, levels: Sequence[Level], arcs: Sequence[tuple[int, int]]) -> LongestPaths:
        (source,) = levels[0]
        number = {source: 0}
        blocks: list[tuple[int, int]] = []
        slots: list[tuple[int, int]] = []
        for nodes, degree in _blocks(levels[1:]):
            blocks.append((len(nodes), degree))
            for node, entering in nodes.items():
                number[node] = len(number)
                filled = entering + entering[:1] * (degree - len(entering))
                slots += [(arc, number[arcs[arc][0]]) for arc in filled]
        slots.append((len(arcs), 0))
        return cls(tuple(blocks), len(levels) - 1, len(arcs), torch.tensor(slots).T.contiguous())

    def argmax(self, scores: Tensor) -> Tensor:
        """The arcs of a best path for each example: ``(n, arcs) -> (n, arcs)``, bool."""
        arc, tail = self.slots.to(scores.device)
        entered = self._best_slots(scores, arc[:-1], tail[:-1])  # (nodes, n)
        example = torch.arange(len(scores), device=scores.device)
        node = torch.full_like(example, len(entered) - 1)
        path = []
        for _ in range(self.depth):
            path.append(entered[node, example])
            node = tail[path[-1]]
        y = torch.zeros(len(scores), self.arcs + 1, dtype=torch.bool, device=scores.device)
        return y.scatter_(1, arc[torch.stack(path, dim=1)], True)[:, :-1]

    def _best_slots(self, scores: Tensor, arc: Tensor, tail: Tensor) -> Tensor:
        """By which slot the best path from the source enters each node: ``(n, arcs) -> (nodes, n)``."""
        laid = scores.mT.index_select(0, arc)  # (slots, n): examples last, where memory is contiguous
        ids = torch.arange(len(arc) + 1, device=scores.device)
        best = new_sums(scores, 1 + sum(count for count, _ in self.blocks), len(scores))
        entered = ids[-1].expand_as(best).clone()
        node, slot = 1, 0
        for count, degree in self.blocks:
            nodes, slots = slice(node, node + count), slice(slot, slot + count * degree)
            ways = best.index_select(0, tail[slots]).add_(laid[slots]).unflatten(0, (count, degree))
            best[nodes] = torch.amax(ways, 1)
            # The second amax finds the argmax: torch's own, and its max with indices, are far slower here.
            entered[nodes] = ((ways == best[nodes, None]) * ids[slots].view(count, degree, 1)).amax(1)
            node, slot = nodes.stop, slots.stop
        return entered


def _blocks(levels: Sequence[Level]) -> list[tuple[Level, int]]:
    """Nodes of one level and of like numbers of arcs, so that filling up at most doubles them; with the largest."""

    def size_class(item: tuple[int, list[int]]) -> int:
        return max(1, (len(item[1]) - 1).bit_length())

    blocks = []
    for level in levels:
        for _, items in itertools.groupby(sorted(level.items(), key=size_class), key=size_class):
            nodes = dict(items)
            blocks.append((nodes, max(map(len, nodes.values()))))
    return blocks
