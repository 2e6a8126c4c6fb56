"""Graphs as frozen values, read from networkx and checked."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Hashable
from typing import Any

import torch
from attrs import field, frozen
from torch import Tensor

from structpred.errors import MissingExtraError, Words, argument_error


@frozen(repr=False, cache_hash=True)
class EdgeList:
    """The nodes and edges of a graph, in its own order, without attributes. Equal where the edges are."""

    nodes: tuple[Hashable, ...] = field(eq=False)
    edges: tuple[tuple[Hashable, Hashable], ...]
    directed: bool = field(eq=False)
    ends: Tensor = field(init=False, eq=False)
    """The places of each edge's two ends among the nodes: ``(2, edges)``, int64."""

    @ends.default
    def _find_ends(self) -> Tensor:
        place = {node: index for index, node in enumerate(self.nodes)}
        return torch.tensor([[place[node] for node in side] for side in zip(*self.edges, strict=True)])

    def __repr__(self) -> str:
        return f"<{len(self.nodes)} nodes, {len(self.edges)} edges>"


def read_graph(graph: object, *, directed: bool) -> EdgeList:
    """The nodes and edges of a networkx graph that has at least one edge, no self-loops and no parallel edges.

    Those that another space keeps are returned as they are, so that ``attrs.evolve`` can change its other fields.

    Raises:
        ArgumentError: for any other.
        MissingExtraError: if networkx is not installed.
    """
    if isinstance(graph, EdgeList) and graph.directed == directed:
        return graph
    networkx = import_networkx()
    wanted = "DiGraph" if directed else "Graph"
    if not isinstance(graph, networkx.Graph):
        raise argument_error("graph", f"a networkx {wanted}", graph)
    if graph.is_directed() != directed:
        instead = "give each edge its direction" if directed else "write graph.to_undirected()"
        raise argument_error("graph", f"a networkx {wanted}", Words(f"a {type(graph).__name__}"), instead)
    if graph.is_multigraph():
        instead = f"write networkx.{wanted}(graph) to keep one of each parallel edges"
        raise argument_error("graph", f"a networkx {wanted}", Words(f"a {type(graph).__name__}"), instead)
    if len(graph) < 2:
        came = Words("one node" if len(graph) else "no nodes")
        raise argument_error("graph", "at least 2 nodes", came)
    if not graph.number_of_edges():
        raise argument_error("graph", "at least one edge", Words("none"))
    looped = next(networkx.nodes_with_selfloops(graph), None)
    if looped is not None:
        instead = "write graph.remove_edges_from(list(networkx.selfloop_edges(graph)))"
        raise argument_error("graph", "no self-loops", Words(f"one at {looped!r}"), instead)
    return EdgeList(tuple(graph.nodes), tuple(graph.edges), directed)


def import_networkx() -> Any:
    """networkx, loaded only where a graph is used.

    Raises:
        MissingExtraError: if it is not installed.
    """
    try:
        import networkx
    except ImportError as error:
        raise MissingExtraError("graphs need networkx; write: pip install 'structpred[graph]'") from error
    return networkx


def name_nodes(nodes: Collection[Hashable], separator: str = ", ") -> str:
    """Nodes in words, no more than ten of them."""
    shown = separator.join(map(repr, itertools.islice(nodes, 10)))
    return shown if len(nodes) <= 10 else f"{shown} and {len(nodes) - 10} more"
