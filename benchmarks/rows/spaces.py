"""Each space's argmax against what one would write by hand, on the very same scores.

What can be made beforehand is: graphs with their weights, matrices, integer programs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import networkx
import numpy as np
import torch
from scipy.optimize import LinearConstraint
from scipy.sparse import csr_array
from scipy.sparse.csgraph import minimum_spanning_tree
from torch import Tensor
from ufal.chu_liu_edmonds import chu_liu_edmonds

import structpred as sp
from benchmarks.row import Case, Group, Quality, Row


def _against(
    space: sp.StructuredSpace, scores: Tensor, by_hand: Callable[[], object], values: Callable[[], Tensor]
) -> Case:
    """``values`` are those of the answers by hand."""

    def quality() -> Quality:
        return Quality.of_values(space.score(scores.double(), space.argmax(scores)), values())

    return Case(lambda: space.argmax(scores), by_hand, quality)


def _chain(length: int, labels: int, batch: int) -> Case:
    """Against the forward recursion, which comes to the best value without the labels that have it."""
    space = sp.Chain(length, labels)
    scores = torch.randn(batch, *space.shape)

    def forward(scores: Tensor) -> Tensor:
        total = scores[:, 0].amax(1)
        for edges in scores[:, 1:].unbind(1):
            total = (total[:, :, None] + edges).amax(1)
        return total.amax(-1)

    return _against(space, scores, lambda: forward(scores), lambda: forward(scores.double()))


def _paths(size: int, batch: int) -> Case:
    """Against networkx: of its two functions that fit any signs, the one that is faster on this grid."""
    space = sp.DagPath.grid(size, size)
    scores = torch.randn(batch, *space.shape)
    graphs = []
    for example in (-scores.double()).tolist():
        graph = networkx.DiGraph()
        graph.add_weighted_edges_from((*arc, weight) for arc, weight in zip(space.graph.edges, example, strict=True))
        graphs.append(graph)

    def search() -> list[list[object]]:
        return [networkx.bellman_ford_path(graph, space.source, space.target) for graph in graphs]

    def values() -> Tensor:
        found = zip(graphs, search(), strict=True)
        return -torch.tensor([networkx.path_weight(*it, "weight") for it in found], dtype=torch.float64)

    return _against(space, scores, search, values)


def _against_program(space: sp.StructuredSpace, scores: Tensor, program: sp.IntegerProgram) -> Case:
    def solve() -> Tensor:
        return program.argmax(scores)

    return _against(space, scores, solve, lambda: program.score(scores.double(), solve()))


def _paths_as_program(size: int, batch: int) -> Case:
    """Against the same paths as a flow, a linear program for GLOP."""
    space = sp.DagPath.grid(size, size)
    nodes, arcs = space.graph.nodes, space.graph.edges
    leaves = np.array([[float(tail == node) - float(head == node) for tail, head in arcs] for node in nodes])
    sides = np.array([float(node == space.source) - float(node == space.target) for node in nodes])
    program = sp.IntegerProgram(len(arcs), LinearConstraint(leaves, sides, sides), integrality=0)
    return _against_program(space, torch.randn(batch, *space.shape), program)


def _knapsack(items: int, batch: int) -> Case:
    """Against the same sets as an integer program for SCIP. Weights as PyEPO draws them."""
    weights = np.random.RandomState(0).choice(range(300, 800), size=items)
    program = sp.IntegerProgram(items, LinearConstraint(weights.astype(float)[None], ub=2000.0))
    return _against_program(sp.Knapsack(weights, 2000), torch.rand(batch, items), program)


def _trees(nodes: int, edges: int, batch: int) -> Case:
    """Against scipy on csr matrices, one call an example."""
    space = sp.SpanningTree(networkx.gnm_random_graph(nodes, edges, seed=0))
    scores = torch.randn(batch, edges, dtype=torch.float64)
    tails, heads = np.array(space.graph.edges).T
    matrices = [csr_array((-example, (tails, heads)), shape=(nodes, nodes)) for example in scores.numpy()]

    def solve() -> list[csr_array]:
        return [minimum_spanning_tree(matrix) for matrix in matrices]

    return _against(space, scores, solve, lambda: -torch.tensor([tree.sum() for tree in solve()]))


def _arborescences(count: int, confident: bool) -> Case:
    """Sentences of 1 to 40 words against bare calls of the C++ solver, which knows no single root. Confident scores are
    those of a parser that has been trained: nearly every word's best head is that of a tree."""
    lengths = (1 + torch.rand(count).square() * 40).long().tolist()
    spaces = sp.SpaceBatch(sp.Arborescence(length, single_root=True) for length in lengths)
    scores = torch.randn(count, *spaces.shape, dtype=torch.float64)
    if confident:
        scores += 10 * spaces.argmax(torch.randn(scores.shape))
    matrices = []
    for length, example in zip(lengths, scores.numpy(), strict=True):
        matrix = np.zeros((length + 1, length + 1))
        matrix[1:] = example[: length + 1, :length].T
        matrices.append(matrix)

    def solve() -> list[tuple[list[int], float]]:
        return [chu_liu_edmonds(matrix) for matrix in matrices]

    return _against(spaces, scores, solve, lambda: torch.tensor([value for _, value in solve()], dtype=torch.float64))


class _Grids:
    """Grids of 3 x 3 to 17 x 17, one for each example, with their scores."""

    def __init__(self, count: int) -> None:
        self.sizes = [(rows, cols) for rows in range(3, 18) for cols in range(3, 18)][:count]
        self.grids = [sp.DagPath.grid(*size) for size in self.sizes]
        self.scores = [torch.randn(grid.shape) for grid in self.grids]
        self.together = sp.SpaceBatch(self.grids)
        self.padded = self.together.pad(self.scores)

    def loop(self) -> list[Tensor]:
        return [grid.argmax(own) for grid, own in zip(self.grids, self.scores, strict=True)]

    def values_of_loop(self) -> Tensor:
        solved = zip(self.grids, self.scores, self.loop(), strict=True)
        return torch.stack([grid.score(own.double(), y) for grid, own, y in solved])

    def against_loop(self) -> Case:
        return _against(self.together, self.padded, self.loop, self.values_of_loop)

    def made_anew(self) -> Case:
        case = self.against_loop()
        return Case(lambda: sp.SpaceBatch(self.grids).argmax(self.padded), case.reference, case.quality)

    def against_one_graph(self) -> Case:
        """The largest grid, with an arc from the last cell of each to a common target; ``-inf`` for what one lacks."""
        largest = (max(rows for rows, _ in self.sizes), max(cols for _, cols in self.sizes))
        graph = networkx.DiGraph(sp.DagPath.grid(*largest).graph.edges)
        graph.add_edges_from(((rows - 1, cols - 1), "end") for rows, cols in self.sizes)
        union = sp.DagPath(graph, (0, 0), "end")
        place = {arc: index for index, arc in enumerate(union.graph.edges)}
        by_hand = torch.full((len(self.grids), *union.shape), -torch.inf)
        for example, grid, (rows, cols), own in zip(by_hand, self.grids, self.sizes, self.scores, strict=True):
            example[[place[arc] for arc in grid.graph.edges]] = own
            example[place[(rows - 1, cols - 1), "end"]] = 0

        def solve() -> Tensor:
            return union.argmax(by_hand)

        return _against(self.together, self.padded, solve, lambda: union.score(by_hand.double(), solve()))


def _row(name: str, reference: str, make: Callable[[], Case]) -> Row:
    return Row(Group.SPACES, name, reference, make)


_PROGRAM = "`IntegerProgram`"
_BATCH = "`SpaceBatch` of 200 grids"
_SENTENCES = "`SpaceBatch` of 1,000 `Arborescence`"
_SOLVER = "C++ solver on matrices, no single root"

ROWS = [
    _row("`Chain(50, 20)` x 128", "forward recursion in torch", partial(_chain, 50, 20, 128)),
    _row("`DagPath.grid(30, 30)` x 64", "networkx, one by one", partial(_paths, 30, 64)),
    _row("`DagPath.grid(5, 5)` x 1,024", "networkx, one by one", partial(_paths, 5, 1024)),
    _row("`DagPath.grid(5, 5)` x 1,024", f"{_PROGRAM}, GLOP", partial(_paths_as_program, 5, 1024)),
    _row("`SpanningTree`, 100 nodes, 1,000 edges, x 256", "scipy, one by one", partial(_trees, 100, 1000, 256)),
    _row("`Knapsack`, 32 items, x 320", f"{_PROGRAM}, SCIP", partial(_knapsack, 32, 320)),
    _row(_BATCH, "one graph of them all", lambda: _Grids(200).against_one_graph()),
    _row(_BATCH, "a loop over the grids", lambda: _Grids(200).against_loop()),
    _row(f"{_BATCH}, made anew each time", "a loop over the grids", lambda: _Grids(200).made_anew()),
    _row(f"{_SENTENCES}, a trained parser's scores", _SOLVER, partial(_arborescences, 1000, True)),
    _row(f"{_SENTENCES}, random scores", _SOLVER, partial(_arborescences, 1000, False)),
]
