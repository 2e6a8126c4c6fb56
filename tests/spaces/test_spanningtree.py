"""What is special to spanning trees: the graphs that are refused, networkx as oracle, ranks, membership."""

import pickle
import re
import sys

import attrs
import networkx as nx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import structpred as sp


def randn(*shape, dtype=torch.float64, seed=0):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def connected_graph(nodes, edges, seed):
    """A random tree with random edges added, its nodes named and its edges turned so that they tell nothing."""
    graph = nx.gnm_random_graph(nodes, edges, seed=seed)
    graph.add_edges_from(nx.random_labeled_tree(nodes, seed=seed).edges)
    return nx.relabel_nodes(graph, {node: f"n{-node}" for node in graph})


def oracle(space, scores):
    """The best value of each example, by networkx."""
    graph = nx.Graph(space.graph.edges)
    best = []
    for example in scores.tolist():
        for edge, score in zip(space.graph.edges, example, strict=True):
            graph.edges[edge]["weight"] = score
        best.append(nx.maximum_spanning_tree(graph).size("weight"))
    return torch.tensor(best, dtype=scores.dtype)


# --- what is refused


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (
            nx.Graph(["ab", "cd", "ef"]),
            "graph: expected a connected graph, got 3 parts without an edge between them, "
            "the first two of 'a', 'b'; and of 'c', 'd'",
        ),
        (
            nx.disjoint_union(nx.path_graph(12), nx.empty_graph(1)),
            "graph: expected a connected graph, got 2 parts without an edge between them, "
            "the first two of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more; and of 12",
        ),
        (
            nx.Graph(["ab", "bb"]),
            "graph: expected no self-loops, got one at 'b'; "
            "write graph.remove_edges_from(list(networkx.selfloop_edges(graph)))",
        ),
        (
            nx.MultiGraph(["ab", "ab"]),
            "graph: expected a networkx Graph, got a MultiGraph; "
            "write networkx.Graph(graph) to keep one of each parallel edges",
        ),
        (nx.DiGraph(["ab"]), "graph: expected a networkx Graph, got a DiGraph; write graph.to_undirected()"),
        (nx.MultiDiGraph(["ab"]), "graph: expected a networkx Graph, got a MultiDiGraph; write graph.to_undirected()"),
        (nx.Graph(), "graph: expected at least 2 nodes, got no nodes"),
        (nx.empty_graph(1), "graph: expected at least 2 nodes, got one node"),
        (nx.empty_graph(2), "graph: expected at least one edge, got none"),
        ([("a", "b")], "graph: expected a networkx Graph, got [('a', 'b')] (list)"),
        (None, "graph: expected a networkx Graph, got None (NoneType)"),
    ],
)
def test_graphs_without_spanning_trees_are_refused(graph, message):
    with pytest.raises(sp.ArgumentError, match="^" + re.escape(message) + "$"):
        sp.SpanningTree(graph)


def test_without_networkx_the_extra_is_named(monkeypatch):
    graph = nx.path_graph(3)
    monkeypatch.setitem(sys.modules, "networkx", None)
    with pytest.raises(sp.MissingExtraError, match=re.escape("pip install 'structpred[graph]'")):
        sp.SpanningTree(graph)


# --- the space as a value


def test_equal_by_edges_in_order():
    space = sp.SpanningTree(nx.Graph([(0, 1), (1, 2)]))
    same = sp.SpanningTree(nx.Graph([(0, 1, {"weight": 3.0}), (1, 2, {})]))
    assert space == same
    assert hash(space) == hash(same)
    assert space != sp.SpanningTree(nx.Graph([(1, 2), (0, 1)]))


def test_changing_the_graph_later_changes_nothing():
    graph = nx.path_graph(3)
    space = sp.SpanningTree(graph)
    graph.add_edge(0, 2)
    assert space.graph.edges == ((0, 1), (1, 2))
    assert space.argmax(torch.zeros(2)).tolist() == [1, 1]


def test_evolving_takes_the_graph_that_a_space_keeps():
    space = sp.SpanningTree(nx.complete_graph(3))
    again = attrs.evolve(space)
    assert again == space
    assert again.argmax(torch.tensor([1.0, 2.0, 3.0])).tolist() == [0, 1, 1]
    with pytest.raises(sp.ArgumentError, match="graph: expected a networkx Graph, got <2 nodes, 1 edges>"):
        sp.SpanningTree(sp.DagPath(nx.DiGraph([(0, 1)]), 0, 1).graph)


def test_repr_is_short():
    assert repr(sp.SpanningTree(nx.complete_graph(50))) == "SpanningTree(graph=<50 nodes, 1225 edges>)"


def test_a_pickled_space_solves_without_networkx(monkeypatch):
    space = sp.SpanningTree(nx.complete_graph(6))
    stored = pickle.dumps(space)
    monkeypatch.setitem(sys.modules, "networkx", None)
    scores = randn(5, *space.shape)
    assert torch.equal(pickle.loads(stored).argmax(scores), space.argmax(scores))


# --- solving


@given(st.integers(2, 25), st.integers(0, 60), st.integers(0, 10**6))
def test_random_graphs_have_networkx_values(nodes, extra, seed):
    space = sp.SpanningTree(connected_graph(nodes, min(extra, nodes * (nodes - 1) // 2), seed))
    scores = randn(5, *space.shape, seed=seed) - 1 + seed % 3
    y = space.argmax(scores)
    assert space.contains(y).all()
    torch.testing.assert_close(space.score(scores, y), oracle(space, scores))


@pytest.mark.parametrize("batch", [1, 7, 200], ids=str)
def test_batches_that_take_several_solver_calls_have_networkx_values(batch):
    space = sp.SpanningTree(connected_graph(100, 1000, 0))
    scores = randn(batch, *space.shape)
    y = space.argmax(scores)
    assert space.contains(y).all()
    chosen = slice(None, None, max(1, batch // 7))
    torch.testing.assert_close(space.score(scores, y)[chosen], oracle(space, scores[chosen]))


def test_one_graph_larger_than_a_solver_call_should_be():
    space = sp.SpanningTree(nx.complete_graph(300))  # 44,850 edges
    scores = randn(2, *space.shape)
    torch.testing.assert_close(space.score(scores, space.argmax(scores)), oracle(space, scores))


def test_a_score_of_zero_is_a_score():
    space = sp.SpanningTree(nx.cycle_graph(3))
    assert space.argmax(torch.zeros(3)).sum() == 2
    assert space.argmax(torch.tensor([0.0, -1.0, 0.0])).tolist() == [1, 0, 1]
    assert space.argmax(torch.tensor([0.0, 1.0, -1.0])).tolist() == [1, 1, 0]


def test_scores_of_very_different_magnitude_are_all_told_apart():
    """1e300 beside 5e-324: no sum or shift of them keeps the smaller, and their order does."""
    space = sp.SpanningTree(nx.complete_graph(4))
    tiny = 5e-324
    scores = torch.tensor([1e300, tiny, 0.0, 2 * tiny, -tiny, -1e300], dtype=torch.float64)
    edges = space.graph.edges
    chosen = {edge for edge, used in zip(edges, space.argmax(scores).tolist(), strict=True) if used}
    # (0, 1) comes first; (1, 2) closes nothing and beats (0, 2); then (0, 3) at 0 beats (1, 3) below it.
    assert chosen == {(0, 1), (1, 2), (0, 3)}


def test_a_bridge_must_stay():
    graph = nx.Graph(["ab", "bc", "ca", "cd"])
    space = sp.SpanningTree(graph)
    bridge = space.graph.edges.index(("c", "d"))
    scores = torch.zeros(2, 4)
    scores[0, bridge] = -1e30
    assert space.argmax(scores)[0, bridge] == 1
    scores[1, bridge] = -torch.inf
    with pytest.raises(sp.InfeasibleError, match="in example 1;"):
        space.argmax(scores)


# --- membership and the list


def test_membership_is_the_right_number_of_edges_that_join_all():
    space = sp.SpanningTree(nx.Graph(["ab", "bc", "ca", "cd", "de"]))

    def structure(*edges):
        return torch.tensor(
            [float("".join(edge) in edges or "".join(edge)[::-1] in edges) for edge in space.graph.edges]
        )

    assert space.contains(structure("ab", "bc", "cd", "de"))
    assert not space.contains(structure("ab", "bc", "ca", "de"))  # as many edges, but a cycle and two parts
    assert not space.contains(structure("ab", "bc", "ca", "cd", "de"))
    assert not space.contains(structure("ab", "cd", "de"))


@pytest.mark.parametrize("batch", [(), (0,), (3, 0), (2, 3)])
def test_membership_takes_any_batch_without_members_too(batch):
    space = sp.SpanningTree(nx.cycle_graph(4))
    assert space.contains(torch.zeros(*batch, 4)).shape == batch
    assert not space.contains(torch.zeros(*batch, 4)).any()


@pytest.mark.parametrize("nodes", [2, 3, 4, 5, 6])
def test_complete_graphs_are_counted_by_cayley(nodes):
    structures = sp.SpanningTree(nx.complete_graph(nodes)).enumerate()
    assert len(structures.unique(dim=0)) == len(structures) == nodes ** (nodes - 2)


def test_too_many_edge_sets_to_try_are_refused():
    message = "enumerate: SpanningTree(graph=<9 nodes, 36 edges>) has 30260340 sets of 8 edges, too many to list"
    with pytest.raises(sp.ArgumentError, match=re.escape(message)):
        sp.SpanningTree(nx.complete_graph(9)).enumerate()
