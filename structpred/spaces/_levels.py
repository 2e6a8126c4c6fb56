"""The levels of a directed graph without cycles, and longest paths over them for a batch of scores."""

from __future__ import annotations

import graphlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from attrs import frozen
from torch import Tensor

from structpred._tensors import new_sums

Integers = npt.NDArray[np.int64]
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
class LeveledGraph:
    """What lies between source and target, its nodes numbered level by level: the source is 0, the target last."""

    levels: Integers
    """``(nodes - 1)``: the level of each node but the source."""
    degrees: Integers
    """``(nodes - 1)``: the number of arcs into it."""
    arcs: Integers
    """``(sum of degrees)``: the arcs into the first node, into the second, and so on."""
    tails: Integers
    """``(sum of degrees)``: the numbers of the nodes that they come from."""

    @classmethod
    def of(cls, levels: Sequence[Level], arcs: Sequence[tuple[int, int]]) -> LeveledGraph:
        number = {node: place for place, node in enumerate(node for level in levels for node in level)}
        later = [(depth, entering) for depth, level in enumerate(levels) if depth for entering in level.values()]
        into = [arc for _, entering in later for arc in entering]
        return cls(
            np.array([depth for depth, _ in later]),
            np.array([len(entering) for _, entering in later]),
            np.array(into),
            np.array([number[arcs[arc][0]] for arc in into]),
        )


@frozen(eq=False)
class LongestPaths:
    """Dynamic programming over levels, vectorised over the examples and over the nodes of each level.

    Several graphs are solved as one: their nodes stand side by side in each level, and the source is common to all.
    Each node has a slot for every arc into it, and further slots that repeat one, as many as the other nodes of its
    block: those are maximized at once.
    """

    blocks: tuple[tuple[int, int], ...]
    """Of each block, its nodes and the slots of each node."""
    depth: int
    """The arcs of the longest path."""
    arcs: int
    """Of all graphs together."""
    slots: Tensor
    """``(2, slots)``: the arc in each slot and the node it comes from. The last slot leads from the source to the
    source, by an arc that does not exist."""
    targets: Tensor
    """``(graphs)``: the target of each."""

    @classmethod
    def over(cls, graphs: Sequence[LeveledGraph], arcs: int) -> LongestPaths:
        """The program for graphs of so many arcs at most: those of the second are counted from ``arcs``, and so on."""
        levels, degrees = (np.concatenate([getattr(graph, name) for graph in graphs]) for name in ("levels", "degrees"))
        nodes, used = (np.array([len(getattr(graph, name)) for graph in graphs]) for name in ("levels", "arcs"))
        before = np.cumsum(nodes) - nodes
        arc = np.concatenate([graph.arcs for graph in graphs]) + np.repeat(arcs * np.arange(len(graphs)), used)
        tail = np.concatenate([graph.tails for graph in graphs])
        tail = np.where(tail > 0, tail + np.repeat(before, used), 0)
        # Nodes of one level and of like numbers of arcs make a block, so that filling up at most doubles them.
        size = np.maximum(1, np.ceil(np.log2(degrees))).astype(np.int64)
        order = np.lexsort((size, levels))
        number = np.zeros(len(order) + 1, dtype=np.int64)
        number[1 + order] = np.arange(1, len(order) + 1)
        kind = (64 * levels + size)[order]
        starts = np.flatnonzero(np.diff(kind, prepend=-1))
        counts = np.diff(starts, append=len(order))
        widths = np.maximum.reduceat(degrees[order], starts)
        width = np.repeat(widths, counts)  # of each node
        place = np.arange(width.sum()) - np.repeat(np.cumsum(width) - width, width)
        first, degree = (np.repeat(each[order], width) for each in (np.cumsum(degrees) - degrees, degrees))
        chosen = first + np.where(place < degree, place, 0)
        slots = np.stack([np.append(arc[chosen], arcs * len(graphs)), np.append(number[tail[chosen]], 0)])
        blocks = tuple(zip(counts.tolist(), widths.tolist(), strict=True))
        targets = torch.from_numpy(number[before + nodes])
        return cls(blocks, int(levels.max()), arcs * len(graphs), torch.from_numpy(slots), targets)

    def argmax(self, scores: Tensor) -> Tensor:
        """The arcs of best paths, one for each graph and example: ``(n, arcs) -> (n, arcs)``, bool."""
        arc, tail = self.slots.to(scores.device)
        entered = self._best_slots(scores, arc[:-1], tail[:-1])  # (nodes, n)
        example = torch.arange(len(scores), device=scores.device)
        node = self.targets.to(scores.device)[:, None].expand(-1, len(scores))  # (graphs, n)
        path = []
        for _ in range(self.depth):
            path.append(entered[node, example])
            node = tail[path[-1]]
        y = torch.zeros(len(scores), self.arcs + 1, dtype=torch.bool, device=scores.device)
        return y.scatter_(1, arc[torch.cat(path)].mT, True)[:, :-1]

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
