"""The spaces with solvers of their own against the same structures as linear programs, at sizes too large to list."""

import networkx
import numpy as np
import pytest
import torch
from ortools.linear_solver import pywraplp
from scipy.optimize import LinearConstraint

import structpred as sp

EXAMPLES = 20


def chain(length, labels):
    """One edge a step, and what enters a label leaves it: totally unimodular."""
    space = sp.Chain(length, labels)
    part = np.eye(np.prod(space.shape)).reshape(*space.shape, -1)  # (length - 1, labels, labels, parts)
    joins = (part[:-1].sum(1) - part[1:].sum(2)).reshape(-1, part.shape[-1])
    one_path = part[:1].sum((0, 1, 2))[None]
    sides = np.concatenate([np.zeros(len(joins)), [1.0]])
    return space, sp.IntegerProgram(
        space.shape, LinearConstraint(np.concatenate([joins, one_path]), sides, sides), integrality=0
    )


def dag_path(space):
    """A flow of 1 from source to target: totally unimodular."""
    nodes, arcs = space.graph.nodes, space.graph.edges
    leaves = np.array([[float(tail == node) - float(head == node) for tail, head in arcs] for node in nodes])
    sides = np.array([float(node == space.source) - float(node == space.target) for node in nodes])
    return space, sp.IntegerProgram(len(arcs), LinearConstraint(leaves, sides, sides), integrality=0)


def spanning_tree(graph):
    """As many edges as make a tree, through which a root can send one unit to every other node."""
    model, nodes, others = pywraplp.Solver.CreateSolver("SCIP"), list(graph), len(graph) - 1
    used = {edge: model.BoolVar(str(edge)) for edge in graph.edges}
    flow = {
        arc: model.NumVar(0, others, str(arc)) for edge in graph.edges for arc in (edge, edge[::-1])
    }  # fmt: skip
    model.Add(sum(used.values()) == others)
    for edge, is_used in used.items():
        for arc in (edge, edge[::-1]):
            model.Add(flow[arc] <= others * is_used)
    for node in nodes[1:]:
        entering = sum(flow[other, node] for other in graph[node])
        model.Add(entering - sum(flow[node, other] for other in graph[node]) == 1)
    return sp.SpanningTree(graph), sp.IntegerProgram.from_model(model, list(used.values()))


def choice(space, rows):
    """Rows of ones that sum to numbers."""
    matrix, lower, upper = rows
    return space, sp.IntegerProgram(space.shape, LinearConstraint(matrix, lower, upper), integrality=0)


def knapsack(weights, capacity):
    """Integers: no linear program has the sets within a capacity as its vertices."""
    matrix = np.array(weights, dtype=float)[None]
    return sp.Knapsack(weights, capacity), sp.IntegerProgram(len(weights), LinearConstraint(matrix, ub=capacity))


PAIRS = [
    chain(7, 5),
    dag_path(sp.DagPath.grid(7, 6, diagonal=True)),
    dag_path(sp.DagPath(networkx.DiGraph([(i, j) for i in range(12) for j in range(i + 1, 12)]), 0, 11)),
    spanning_tree(networkx.gnm_random_graph(9, 20, seed=1)),
    choice(sp.KSubset(60, 17), (np.ones((1, 60)), 17, 17)),
    choice(sp.KSubset(20, (3, 9)), (np.kron(np.eye(2), np.ones(20)), [3, 9], [3, 9])),
    knapsack(range(300, 800, 16), 2000),
    knapsack(range(40), 200),
    choice(sp.OneHot(50), (np.ones((1, 50)), 1, 1)),
    choice(sp.Matching(8, 11), (np.r_[np.kron(np.eye(8), np.ones(11)), np.kron(np.ones(8), np.eye(11))],
                                [1] * 8 + [0] * 11, [1] * 19)),
]  # fmt: skip


@pytest.mark.parametrize(("space", "program"), PAIRS, ids=lambda space: repr(space))
@pytest.mark.parametrize("whole", [False, True], ids=["generic", "ties"])
def test_the_best_value_is_that_of_the_program(space, program, whole):
    scores = torch.randn(EXAMPLES, *space.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    scores = (2 * scores).round() if whole else scores
    kept = space.argmax(torch.randn(scores.shape, generator=torch.Generator().manual_seed(1))) != 0
    some = torch.rand(scores.shape, generator=torch.Generator().manual_seed(2)) < 0.2
    scores[::2] = scores[::2].masked_fill(some[::2] & ~kept[::2], -torch.inf)
    y, other = space.argmax(scores), program.argmax(scores)
    torch.testing.assert_close(space.score(scores, y), space.score(scores, other), rtol=1e-9, atol=1e-9)
    assert program.contains(y).all()
    assert space.contains(other).all()
