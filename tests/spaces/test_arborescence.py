"""Arborescences against networkx and an integer program, heads to structures and back, and errors."""

import math
import re
import sys

import networkx
import pytest
import torch
from ortools.linear_solver import pywraplp

import structpred as sp

SINGLE = sp.Arborescence(3, single_root=True)


def random_scores(count, n, seed=0, forbidden=0.0):
    """Normal ones, with that fraction of arcs forbidden, but not those of a chain in a random order."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(count, n + 1, n, generator=generator, dtype=torch.float64)
    gone = torch.rand(scores.shape, generator=generator) < forbidden
    for example in gone:
        order = torch.randperm(n, generator=generator)
        example[torch.cat([torch.zeros(1, dtype=torch.int64), order[:-1] + 1]), order] = False
    return scores.masked_fill(gone, -math.inf)


def best_by_networkx(scores):
    graph = networkx.DiGraph()
    graph.add_nodes_from(range(len(scores)))
    graph.add_weighted_edges_from(
        (head, node + 1, score)
        for head, row in enumerate(scores.tolist())
        for node, score in enumerate(row)
        if head != node + 1 and score > -math.inf
    )
    tree = networkx.maximum_spanning_arborescence(graph)
    return sum(graph.edges[edge]["weight"] for edge in tree.edges)


def best_with_single_root_by_networkx(scores):
    """The best over the choices of the one node on the root."""
    values = []
    for root in range(scores.shape[1]):
        only = scores.clone()
        only[0] = -math.inf
        only[0, root] = scores[0, root]
        try:
            values.append(best_by_networkx(only))
        except networkx.NetworkXException:  # no tree
            values.append(-math.inf)
    return max(values)


@pytest.mark.parametrize("forbidden", [0.0, 0.4, 0.8])
@pytest.mark.parametrize("n", [2, 5, 11])
def test_no_tree_of_networkx_is_better(n, forbidden):
    scores = random_scores(10, n, seed=n, forbidden=forbidden)
    free, single = sp.Arborescence(n), sp.Arborescence(n, single_root=True)
    for space, best in ((free, best_by_networkx), (single, best_with_single_root_by_networkx)):
        value = space.score(scores, space.argmax(scores))
        expected = torch.tensor([best(example) for example in scores], dtype=torch.float64)
        assert torch.allclose(value, expected, rtol=1e-12)


def test_one_tree_with_many_nodes():
    scores = random_scores(1, 300)
    y = sp.Arborescence(300, single_root=True).argmax(scores)
    assert y[0, 0].sum() == 1


def as_program(n):
    """One unit of flow from the root to every node, along arcs that are used, one of them from the root."""
    model = pywraplp.Solver.CreateSolver("SCIP")
    used = [[model.BoolVar(f"{head} {node}") for node in range(n)] for head in range(n + 1)]
    flow = [[model.NumVar(0, n, f"flow {head} {node}") for node in range(n)] for head in range(n + 1)]
    model.Add(sum(used[0]) == 1)
    for node in range(n):
        model.Add(sum(used[head][node] for head in range(n + 1)) == 1)
        model.Add(used[node + 1][node] == 0)
        model.Add(sum(flow[head][node] for head in range(n + 1)) - sum(flow[node + 1]) == 1)
        for head in range(n + 1):
            model.Add(flow[head][node] <= n * used[head][node])
    return sp.IntegerProgram.from_model(model, [arc for row in used for arc in row], shape=(n + 1, n))


def test_it_is_an_integer_program():
    program, space = as_program(6), sp.Arborescence(6, single_root=True)
    scores = random_scores(8, 6, forbidden=0.5)
    ours, theirs = space.argmax(scores), program.argmax(scores)
    assert space.contains(theirs).all()
    assert program.contains(ours).all()
    assert torch.allclose(space.score(scores, ours), space.score(scores, theirs), rtol=1e-9)


def test_where_only_several_roots_are_left_a_single_one_is_infeasible():
    scores = torch.zeros(2, 3, 2)
    scores[1, 1:] = -torch.inf
    assert sp.Arborescence(2).argmax(scores)[1].tolist() == [[1, 1], [0, 0], [0, 0]]
    with pytest.raises(sp.InfeasibleError) as raised:
        sp.Arborescence(2, single_root=True).argmax(scores)
    assert raised.value.examples == [(1,)]


@pytest.mark.parametrize("size", [1e300, 1e-300, 0.0])
def test_a_single_root_at_any_size_of_the_scores(size):
    scores = torch.full((1, 4, 3), -size, dtype=torch.float64)
    scores[0, 0] = size
    assert SINGLE.contains(SINGLE.argmax(scores)).all()


def test_heads_become_structures_and_come_back():
    heads = torch.tensor([[2, 0, 2], [0, 1, 2]])
    y = SINGLE.from_heads(heads)
    assert y.shape == (2, 4, 3)
    assert SINGLE.contains(y).all()
    assert torch.equal(SINGLE.to_heads(y), heads)
    assert sp.Arborescence(1).from_heads(torch.tensor([0])).tolist() == [[1], [0]]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64])
def test_heads_are_integers_of_any_dtype(dtype):
    heads = torch.tensor([[2, 0, 2], [0, 1, 2]])
    assert torch.equal(SINGLE.from_heads(heads.to(dtype)), SINGLE.from_heads(heads))


@pytest.mark.parametrize(
    ("heads", "message"),
    [
        ([2, 1, 0], "heads: expected heads without a cycle, got a cycle in the only example"),
        ([1, 0, 2], "heads: expected heads without a cycle, got a cycle in the only example"),
        ([[0, 1, 1], [0, 0, 1]], "heads: expected one node on the root, got more in example 1"),
        ([[0, 1, 1], [3, 0, 1]], "heads: expected heads without a cycle, got a cycle in example 1"),
        ([0, 1], "heads: expected a tensor of shape (*batch, 3) for Arborescence(n=3, single_root=True)"),
        ([0, 1, 4], "heads: expected numbers from 0 to 3, got 4"),
        ([0, -1, 1], "heads: expected numbers from 0 to 3, got -1"),
        ([0.0, 1.0, 1.0], "heads: expected a tensor of integers, got a float32 tensor of shape (3,)"),
    ],
)
def test_heads_that_make_no_tree_are_refused(heads, message):
    with pytest.raises(sp.ArgumentError, match="^" + re.escape(message)):
        SINGLE.from_heads(torch.tensor(heads))


@pytest.mark.parametrize("y", [[[1, 1, 0], [0, 0, 1]], [[0, 0, 0], [1, 0, 0]]])
def test_structures_with_two_roots_or_a_node_on_itself_are_outside(y):
    target = torch.zeros(4, 3)
    target[:2] = torch.tensor(y)
    with pytest.raises(sp.ArgumentError, match=r"^target: expected structures of Arborescence"):
        SINGLE.hamming(target)


@pytest.mark.parametrize("best", [(0, 0), (2, 1)], ids=["heads that make a tree", "a cycle"])
def test_the_extra_is_named_where_it_is_missing_whatever_the_scores(monkeypatch, best):
    monkeypatch.setitem(sys.modules, "ufal.chu_liu_edmonds", None)
    scores = torch.zeros(3, 2)
    scores[best, (0, 1)] = 1
    with pytest.raises(sp.MissingExtraError, match=re.escape("pip install 'structpred[parsing]'")):
        sp.Arborescence(2).argmax(scores)


@pytest.mark.parametrize(("n", "single"), [(0, False), (2.0, False), (2, 1)])
def test_bad_arguments_are_refused(n, single):
    with pytest.raises(
        sp.ArgumentError, match=r"^(n: expected an integer of at least 1|single_root: expected True or)"
    ):
        sp.Arborescence(n, single_root=single)


def test_a_single_root_is_asked_for_by_name():
    with pytest.raises(TypeError):
        sp.Arborescence(3, True)
