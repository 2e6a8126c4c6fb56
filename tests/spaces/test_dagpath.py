"""What is special to paths: the graphs that are refused, networkx as oracle, grids, deep and uneven graphs."""

import pickle
import random
import re
import sys

import attrs
import networkx as nx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import structpred as sp


@pytest.fixture(scope="module", params=[256, 0], ids=["few", "levels"], autouse=True)
def most_that_are_few(request):
    """Every test runs with both solvers: that which scores all paths, where they are few, and that of the levels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("structpred.spaces.dagpath._FEW", request.param)
        yield request.param


def randn(*shape, dtype=torch.float64, seed=0):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def random_dag(nodes, arcs, seed):
    """Arcs go from lower to higher numbers; nodes are named out of order, so that names tell nothing."""
    undirected = nx.gnm_random_graph(nodes, arcs, seed=seed)
    dag = nx.DiGraph(sorted((min(edge), max(edge)) for edge in undirected.edges))
    names = random.Random(seed).sample(range(nodes), nodes)
    return nx.relabel_nodes(dag, {node: f"n{names[node]}" for node in dag})


def oracle(space, scores):
    """The best value of each example, by networkx."""
    graph = nx.DiGraph(space.graph.edges)
    best = []
    for example in scores.tolist():
        for arc, score in zip(space.graph.edges, example, strict=True):
            graph.edges[arc]["weight"] = -score
        best.append(-nx.bellman_ford_path_length(graph, space.source, space.target))
    return torch.tensor(best, dtype=scores.dtype)


def path_of(space, y):
    return [arc for arc, used in zip(space.graph.edges, y.tolist(), strict=True) if used]


def undirected_square():
    return nx.Graph([(0, 1), (1, 2)])


# --- what is refused


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: sp.DagPath(nx.DiGraph(["ab", "bc", "cd", "db"]), "a", "d"),
            "graph: expected no cycles, got 'b' -> 'c' -> 'd' -> 'b'",
        ),
        (
            lambda: sp.DagPath(nx.cycle_graph(20, create_using=nx.DiGraph), 0, 1),
            "graph: expected no cycles, got 1 -> 2 -> 3 -> 4 -> 5 -> 6 -> 7 -> 8 -> 9 -> 10 and 11 more",
        ),
        (
            lambda: sp.DagPath(nx.DiGraph(["ab", "bb"]), "a", "b"),
            "graph: expected no self-loops, got one at 'b'; write graph.remove_edges_from(list(networkx.selfloop_",
        ),
        (
            lambda: sp.DagPath(nx.MultiDiGraph(["ab", "ab"]), "a", "b"),
            "graph: expected a networkx DiGraph, got a MultiDiGraph; write networkx.DiGraph(graph) to keep one of",
        ),
        (
            lambda: sp.DagPath(undirected_square(), 0, 1),
            "graph: expected a networkx DiGraph, got a Graph; give each edge its direction",
        ),
        (
            lambda: sp.DagPath(nx.MultiGraph(["ab"]), "a", "b"),
            "graph: expected a networkx DiGraph, got a MultiGraph; give each edge its direction",
        ),
        (lambda: sp.DagPath([("a", "b")], "a", "b"), "graph: expected a networkx DiGraph, got [('a', 'b')] (list)"),
        (lambda: sp.DagPath(None, "a", "b"), "graph: expected a networkx DiGraph, got None (NoneType)"),
        (lambda: sp.DagPath(nx.DiGraph(), "a", "b"), "graph: expected at least 2 nodes, got no nodes"),
        (lambda: sp.DagPath(nx.empty_graph(1, nx.DiGraph), 0, 0), "graph: expected at least 2 nodes, got one node"),
        (lambda: sp.DagPath(nx.empty_graph(2, nx.DiGraph), 0, 1), "graph: expected at least one edge, got none"),
        (lambda: sp.DagPath(nx.DiGraph(["ab"]), "x", "b"), "source: expected a node of the graph, got 'x' (str)"),
        (lambda: sp.DagPath(nx.DiGraph(["ab"]), "a", "x"), "target: expected a node of the graph, got 'x' (str)"),
        (lambda: sp.DagPath(nx.DiGraph(["ab"]), ["a"], "b"), "source: expected a node of the graph, got ['a'] (list)"),
        (
            lambda: sp.DagPath(nx.DiGraph(["ab"]), "a", "a"),
            "target: expected another node than the source, got 'a' (str)",
        ),
        (
            lambda: sp.DagPath(nx.DiGraph(["ab", "cb"]), "a", "c"),
            "target: expected a node that some path from 'a' reaches, got 'c' (str)",
        ),
        (
            lambda: sp.DagPath(nx.DiGraph(["ab"]), "b", "a"),
            "target: expected a node that some path from 'b' reaches, got 'a' (str)",
        ),
        (lambda: sp.DagPath.grid(0, 3), "rows: expected an integer of at least 1, got 0 (int)"),
        (lambda: sp.DagPath.grid(3, 2.0), "cols: expected an integer of at least 1, got 2.0 (float)"),
        (lambda: sp.DagPath.grid(1, 1), "cols: expected at least 2 cells in the grid, got one"),
    ],
)
def test_graphs_without_paths_are_refused(build, message):
    with pytest.raises(sp.ArgumentError, match="^" + re.escape(message)):
        build()


def test_without_networkx_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "networkx", None)
    with pytest.raises(sp.MissingExtraError, match=re.escape("pip install 'structpred[graph]'")):
        sp.DagPath.grid(2, 2)


# --- the space as a value


def test_equal_by_arcs_in_order_source_and_target():
    space = sp.DagPath(nx.DiGraph(["ab", "bc", "ac"]), "a", "c")
    with_attributes = nx.DiGraph([("a", "b", {"weight": 7}), ("b", "c", {}), ("a", "c", {})])
    same = sp.DagPath(with_attributes, "a", "c")
    assert space == same
    assert hash(space) == hash(same)
    another_order = nx.DiGraph(["bc", "ab", "ac"])
    others = [(another_order, "a", "c"), (with_attributes, "a", "b"), (with_attributes, "b", "c")]
    assert all(sp.DagPath(*other) != space for other in others)


def test_nodes_without_arcs_and_the_order_of_nodes_do_not_count():
    graph = nx.DiGraph()
    graph.add_nodes_from("xacb")
    graph.add_edges_from(["ab", "bc"])
    space, plain = sp.DagPath(graph, "a", "c"), sp.DagPath(nx.DiGraph(["ab", "bc"]), "a", "c")
    assert space == plain
    assert hash(space) == hash(plain)


def test_changing_the_graph_later_changes_nothing():
    graph = nx.DiGraph(["ab"])
    space = sp.DagPath(graph, "a", "b")
    graph.add_edge("b", "c")
    assert space.graph.edges == (("a", "b"),)
    assert space.shape == (1,)


def test_evolving_takes_the_graph_that_a_space_keeps():
    graph = nx.DiGraph([("a", "b"), ("b", "c")])
    space = sp.DagPath(graph, "a", "c")
    assert attrs.evolve(space, target="b") == sp.DagPath(graph, "a", "b")
    assert sp.DagPath(space.graph, "b", "c").argmax(torch.zeros(2)).tolist() == [0, 1]
    with pytest.raises(sp.ArgumentError, match="graph: expected a networkx DiGraph, got <3 nodes, 3 edges>"):
        sp.DagPath(sp.SpanningTree(nx.complete_graph(3)).graph, 0, 1)


def test_repr_is_short():
    assert repr(sp.DagPath.grid(30, 30)) == "DagPath(graph=<900 nodes, 1740 edges>, source=(0, 0), target=(29, 29))"


def test_a_pickled_space_solves_without_networkx(monkeypatch):
    space = sp.DagPath.grid(4, 3)
    stored = pickle.dumps(space)
    monkeypatch.setitem(sys.modules, "networkx", None)
    scores = randn(5, *space.shape)
    assert torch.equal(pickle.loads(stored).argmax(scores), space.argmax(scores))


def test_parts_are_the_arcs_in_the_graphs_order():
    graph = nx.DiGraph()
    graph.add_nodes_from("dcba")
    graph.add_edges_from(["ab", "da", "db", "cd"])
    space = sp.DagPath(graph, "c", "b")
    assert space.graph.nodes == ("d", "c", "b", "a")
    assert space.graph.edges == tuple(graph.edges)
    assert path_of(space, space.argmax(torch.zeros(4).index_fill(0, torch.tensor([2]), 1.0))) != []
    scores = torch.tensor([1.0 if arc == ("a", "b") else 0.0 for arc in space.graph.edges])
    assert set(path_of(space, space.argmax(scores))) == {("c", "d"), ("d", "a"), ("a", "b")}


# --- solving


@given(st.integers(5, 40), st.floats(1.5, 8), st.integers(0, 10**6))
def test_random_graphs_have_networkx_values(nodes, degree, seed):
    graph = random_dag(nodes, int(nodes * degree / 2), seed)
    source = next(node for node in nx.topological_sort(graph) if graph.out_degree(node))
    target = sorted(nx.descendants(graph, source))[seed % len(nx.descendants(graph, source))]
    space = sp.DagPath(graph, source, target)
    scores = randn(6, *space.shape, seed=seed) - 1 + seed % 3
    y = space.argmax(scores)
    assert space.contains(y).all()
    torch.testing.assert_close(space.score(scores, y), oracle(space, scores))


@pytest.mark.parametrize(
    "space",
    [
        sp.DagPath.grid(12, 17),
        sp.DagPath.grid(12, 17, diagonal=True),
        sp.DagPath(nx.DiGraph([(i, j) for i in range(60) for j in range(i + 1, 60)]), 0, 59),
    ],
    ids=["grid", "diagonal", "complete"],
)
@pytest.mark.parametrize("offset", [-2, 0, 2])
def test_large_graphs_have_networkx_values(space, offset):
    scores = randn(5, *space.shape) + offset
    y = space.argmax(scores)
    assert space.contains(y).all()
    torch.testing.assert_close(space.score(scores, y), oracle(space, scores))


def test_a_path_of_thousands_of_arcs():
    space = sp.DagPath(nx.path_graph(3001, create_using=nx.DiGraph), 0, 3000)
    assert space.argmax(randn(2, 3000)).eq(1).all()


def test_a_deep_ladder():
    rungs = 1000
    space = sp.DagPath.grid(2, rungs)
    scores = torch.zeros(1, *space.shape)
    crossing = space.graph.edges.index(((0, 700), (1, 700)))
    scores[0, crossing] = 1
    y = space.argmax(scores)
    assert y[0, crossing] == 1
    assert y.sum() == rungs


def test_long_paths_lose_no_precision_in_float32():
    """The choices are independent of each other, so that the best one is known; the sums grow to 10^7."""
    diamonds = 2500
    arcs = [[((i, "in"), (i, side)), ((i, side), (i + 1, "in"))] for i in range(diamonds) for side in "lr"]
    space = sp.DagPath(nx.DiGraph([arc for pair in arcs for arc in pair]), (0, "in"), (diamonds, "in"))
    scores = randn(*space.shape, dtype=torch.float32) + 1000
    value = dict(zip(space.graph.edges, scores.double().tolist(), strict=True))
    better = [
        max(pair, key=lambda two: sum(value[arc] for arc in two)) for pair in zip(arcs[::2], arcs[1::2], strict=True)
    ]
    assert set(path_of(space, space.argmax(scores))) == {arc for pair in better for arc in pair}


def test_a_node_with_very_many_arcs_beside_many_with_few():
    spokes = range(1, 2001)
    graph = nx.DiGraph([("s", i) for i in spokes] + [(i, "hub") for i in spokes] + [(i, -i) for i in spokes])
    graph.add_edges_from([(-i, "t") for i in spokes] + [("hub", "t")])
    space = sp.DagPath(graph, "s", "t")
    scores = randn(3, *space.shape)
    torch.testing.assert_close(space.score(scores, space.argmax(scores)), oracle(space, scores))
    assert space._solver.slots.shape[1] <= 2 * space.shape[0] + 1  # not 2000 for each node beside the hub


def test_arcs_off_every_path_are_never_used():
    graph = nx.DiGraph(["xa", "ab", "ay", "bc", "by", "xc", "cz", "xy"])
    space = sp.DagPath(graph, "a", "c")
    scores = torch.tensor([0.0 if arc in {("a", "b"), ("b", "c")} else 100.0 for arc in space.graph.edges])
    assert path_of(space, space.argmax(scores)) == [("a", "b"), ("b", "c")]
    scores[[i for i, arc in enumerate(space.graph.edges) if arc == ("x", "y")]] = -torch.inf
    assert path_of(space, space.argmax(scores)) == [("a", "b"), ("b", "c")]


def test_a_longer_way_wins_where_scores_are_positive_and_a_shorter_where_negative():
    space = sp.DagPath(nx.DiGraph(["ab", "bc", "cd", "ad"]), "a", "d")
    assert path_of(space, space.argmax(torch.ones(4))) == [("a", "b"), ("b", "c"), ("c", "d")]
    assert path_of(space, space.argmax(-torch.ones(4))) == [("a", "d")]


def test_a_cut_is_infeasible():
    space = sp.DagPath.grid(3, 3)
    scores = torch.zeros(2, *space.shape)
    cut = [i for i, (tail, head) in enumerate(space.graph.edges) if sum(tail) == 1 and sum(head) == 2]
    scores[0, cut[1:]] = -torch.inf  # one arc is left
    assert space.argmax(scores[0])[cut].tolist() == [1, 0, 0, 0]
    scores[1, cut] = -torch.inf
    with pytest.raises(sp.InfeasibleError, match="in example 1;"):
        space.argmax(scores)


def test_sums_that_overflow_float32_are_still_compared():
    space = sp.DagPath(nx.DiGraph(["ab", "bd", "ac", "cd"]), "a", "d")
    for better in ("b", "c"):
        for large, difference in [(3e38, 1e37), (-3e38, 1e37)]:
            scores = torch.tensor([large + difference * (better in arc) for arc in space.graph.edges])
            assert set(path_of(space, space.argmax(scores))) == {("a", better), (better, "d")}


# --- grids


def test_grid_arcs_go_right_down_and_diagonally():
    assert sp.DagPath.grid(2, 3).graph.edges == (
        ((0, 0), (0, 1)),
        ((0, 0), (1, 0)),
        ((0, 1), (0, 2)),
        ((0, 1), (1, 1)),
        ((0, 2), (1, 2)),
        ((1, 0), (1, 1)),
        ((1, 1), (1, 2)),
    )
    diagonal = set(sp.DagPath.grid(2, 3, diagonal=True).graph.edges) - set(sp.DagPath.grid(2, 3).graph.edges)
    assert diagonal == {((0, 0), (1, 1)), ((0, 1), (1, 2))}


def test_a_grid_of_one_row_is_one_path():
    assert sp.DagPath.grid(1, 4).enumerate().tolist() == [[1, 1, 1]]
    assert sp.DagPath.grid(4, 1).enumerate().tolist() == [[1, 1, 1]]


@pytest.mark.parametrize(("rows", "cols", "plain", "diagonal"), [(3, 3, 6, 13), (4, 5, 35, 129)])
def test_grid_paths_are_counted_by_binomial_and_delannoy_numbers(rows, cols, plain, diagonal):
    for space, count in [
        (sp.DagPath.grid(rows, cols), plain),
        (sp.DagPath.grid(rows, cols, diagonal=True), diagonal),
    ]:
        structures = space.enumerate()
        assert len(structures.unique(dim=0)) == len(structures) == count
        assert space.contains(structures).all()


# --- membership


def test_membership_is_one_path_and_nothing_else():
    space = sp.DagPath(nx.DiGraph(["xa", "ab", "bd", "ac", "cd", "dy", "xd", "ay"]), "a", "d")

    def structure(*arcs):
        return torch.tensor([float("".join(arc) in arcs) for arc in space.graph.edges])

    inside = [structure("ab", "bd"), structure("ac", "cd")]
    outside = [
        structure("ab"),
        structure("ab", "cd"),
        structure("ab", "bd", "ac", "cd"),  # two paths
        structure("xa", "ab", "bd"),  # comes from elsewhere
        structure("ab", "bd", "dy"),  # goes on
        structure("ab", "bd", "xa", "ay"),  # and another through the source
        structure("ab", "bd", "xd", "dy"),  # and another through the target
        structure("xd", "ay"),
    ]
    assert space.contains(torch.stack(inside)).all()
    assert not space.contains(torch.stack(outside)).any()


@pytest.mark.parametrize(("size", "few"), [(6, True), (7, False)])
def test_up_to_256_paths_are_few(size, few, most_that_are_few):
    assert (sp.DagPath.grid(size, size)._few is not None) is (few and most_that_are_few > 0)


def test_forbidden_arcs_and_huge_scores_of_few_paths():
    space = sp.DagPath.grid(3, 3)
    scores = randn(200, *space.shape)
    scores[:100] *= 1e300 / scores.abs().max()
    scores[randn(200, *space.shape, seed=1) > 1] = -torch.inf
    some = (space.enumerate().double() @ scores.isneginf().double().T == 0).any(0)  # some path is allowed
    assert some.sum() > 50
    y = space.argmax(scores[some])
    assert not (scores[some].isneginf() & (y != 0)).any()
    values = scores[some].clamp(min=-1e305) @ space.enumerate().double().T
    torch.testing.assert_close(space.score(scores[some], y), values.amax(-1))
