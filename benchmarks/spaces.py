"""Each space's argmax against what one would write by hand, on the very same scores, in turn."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import networkx
import numpy as np
import torch
from scipy.optimize import LinearConstraint
from scipy.sparse import csr_array
from scipy.sparse.csgraph import minimum_spanning_tree
from torch import Tensor
from ufal.chu_liu_edmonds import chu_liu_edmonds

import structpred as sp


def compare(name: str, bare: Callable[[], object], ours: Callable[[], object], rounds: int) -> dict[str, float | str]:
    """Medians over the rounds, and of the ratios within each, after one round that does not count."""
    pairs = [(_seconds(bare), _seconds(ours)) for _ in range(rounds + 1)][1:]
    return {
        "space": name,
        "threads": torch.get_num_threads(),
        "bare_ms": 1e3 * statistics.median(bare for bare, _ in pairs),
        "argmax_ms": 1e3 * statistics.median(ours for _, ours in pairs),
        "ratio": statistics.median(ours / bare for bare, ours in pairs),
    }


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def chain(length: int, labels: int, batch: int, rounds: int) -> dict[str, float | str]:
    """Against the forward recursion of the partition function, without its gradient."""
    space = sp.Chain(length, labels)
    scores = torch.randn(batch, *space.shape)

    def forward() -> Tensor:
        total = scores[:, 0].logsumexp(1)
        for edges in scores[:, 1:].unbind(1):
            total = (total[:, :, None] + edges).logsumexp(1)
        return total.logsumexp(-1)

    return compare(f"Chain({length}, {labels}) x {batch}", forward, lambda: space.argmax(scores), rounds)


def dag_path(size: int, batch: int, rounds: int) -> dict[str, float | str]:
    """Against networkx: of its two functions that fit any signs, the one that is faster on this grid.

    The weights are set beforehand; only the searches are timed.
    """
    space = sp.DagPath.grid(size, size)
    scores = torch.randn(batch, *space.shape)
    graphs = []
    for example in (-scores).tolist():
        graph = networkx.DiGraph()
        graph.add_weighted_edges_from(
            (*arc, weight) for arc, weight in zip(space.graph.edges, example, strict=True)
        )  # fmt: skip
        graphs.append(graph)

    def search() -> None:
        for graph in graphs:
            networkx.bellman_ford_path(graph, space.source, space.target)

    return compare(f"DagPath.grid({size}, {size}) x {batch}", search, lambda: space.argmax(scores), rounds)


def dag_path_as_program(size: int, batch: int, rounds: int) -> dict[str, float | str]:
    """Against the same paths as a flow, a linear program for GLOP, by ``IntegerProgram``."""
    space = sp.DagPath.grid(size, size)
    nodes, arcs = space.graph.nodes, space.graph.edges
    leaves = np.array([[float(tail == node) - float(head == node) for tail, head in arcs] for node in nodes])
    sides = np.array([float(node == space.source) - float(node == space.target) for node in nodes])
    program = sp.IntegerProgram(len(arcs), LinearConstraint(leaves, sides, sides), integrality=0)
    scores = torch.randn(batch, *space.shape)
    name = f"DagPath.grid({size}, {size}) x {batch}, by hand: IntegerProgram"
    return compare(name, lambda: program.argmax(scores), lambda: space.argmax(scores), rounds)


def spanning_tree(nodes: int, edges: int, batch: int, rounds: int) -> dict[str, float | str]:
    """Against scipy on csr matrices that are built beforehand, one call an example, in one thread."""
    graph = networkx.gnm_random_graph(nodes, edges, seed=0)
    space = sp.SpanningTree(graph)
    scores = torch.randn(batch, edges, dtype=torch.float64)
    tails, heads = np.array(space.graph.edges).T
    matrices = [csr_array((-example, (tails, heads)), shape=(nodes, nodes)) for example in scores.numpy()]

    def solve() -> None:
        for matrix in matrices:
            minimum_spanning_tree(matrix)

    name = f"SpanningTree({nodes} nodes, {edges} edges) x {batch}"
    return compare(name, solve, lambda: space.argmax(scores), rounds)


def arborescences(count: int, confident: bool, rounds: int) -> dict[str, float | str]:
    """Sentences of 1 to 40 words against bare calls of the C++ solver, which knows no single root, on matrices that are
    made beforehand. Confident scores are those of a parser that has been trained: nearly every word's best head is
    that of a tree."""
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
    kind = "confident" if confident else "random"
    name = f"SpaceBatch of {count} Arborescence, {kind} scores"
    return compare(
        name, lambda: [chu_liu_edmonds(matrix) for matrix in matrices], lambda: spaces.argmax(scores), rounds
    )


def knapsack(items: int, batch: int, rounds: int) -> dict[str, float | str]:
    """Against the same sets as an integer program for SCIP, by ``IntegerProgram``. Weights as PyEPO draws them."""
    weights = np.random.RandomState(0).choice(range(300, 800), size=items)
    space = sp.Knapsack(weights, 2000)
    program = sp.IntegerProgram(items, LinearConstraint(weights.astype(float)[None], ub=2000.0))
    scores = torch.rand(batch, items)
    name = f"Knapsack({items} items) x {batch}, by hand: IntegerProgram"
    return compare(name, lambda: program.argmax(scores), lambda: space.argmax(scores), rounds)


def different_grids(count: int, rounds: int) -> list[dict[str, float | str]]:
    """A batch of different grids against one graph that has them all, made by hand, and against a loop over them.

    By hand is the largest grid, with an arc to a common target from the last cell of each, and ``-inf`` for the arcs
    that an example lacks.
    """
    sizes = [(rows, cols) for rows in range(3, 18) for cols in range(3, 18)][:count]
    grids = [sp.DagPath.grid(*size) for size in sizes]
    spaces = sp.SpaceBatch(grids)
    scores = [torch.randn(grid.shape) for grid in grids]
    graph = networkx.DiGraph(
        sp.DagPath.grid(max(rows for rows, _ in sizes), max(cols for _, cols in sizes)).graph.edges
    )
    graph.add_edges_from(((rows - 1, cols - 1), "end") for rows, cols in sizes)
    union = sp.DagPath(graph, (0, 0), "end")
    place = {arc: index for index, arc in enumerate(union.graph.edges)}
    by_hand = torch.full((count, *union.shape), -torch.inf)
    for example, grid, (rows, cols), own in zip(by_hand, grids, sizes, scores, strict=True):
        example[[place[arc] for arc in grid.graph.edges]] = own
        example[place[(rows - 1, cols - 1), "end"]] = 0
    padded, name = spaces.pad(scores), f"SpaceBatch of {count} grids"
    loop = compare(
        f"{name}, by hand: a loop",
        lambda: [grid.argmax(own) for grid, own in zip(grids, scores, strict=True)],
        lambda: spaces.argmax(padded),
        rounds,
    )
    made = compare(
        f"{name}, by hand: a loop; made anew each time",
        lambda: [grid.argmax(own) for grid, own in zip(grids, scores, strict=True)],
        lambda: sp.SpaceBatch(grids).argmax(padded),
        rounds,
    )
    return [
        compare(f"{name}, by hand: one graph", lambda: union.argmax(by_hand), lambda: spaces.argmax(padded), rounds),
        loop,
        made,
    ]


def results() -> list[dict[str, float | str]]:
    torch.manual_seed(0)
    return [
        chain(50, 20, batch=128, rounds=100),
        dag_path(30, batch=64, rounds=10),
        dag_path(5, batch=1024, rounds=10),
        dag_path_as_program(5, batch=1024, rounds=10),
        spanning_tree(100, 1000, batch=256, rounds=50),
        knapsack(32, batch=320, rounds=5),
        *different_grids(200, rounds=20),
        arborescences(1000, confident=True, rounds=20),
        arborescences(1000, confident=False, rounds=20),
    ]
