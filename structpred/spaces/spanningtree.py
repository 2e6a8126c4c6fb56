"""Spanning trees of an undirected graph: networks that join everything, clusterings, undirected parses."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import torch
from attrs import field, frozen
from torch import Tensor

from structpred.errors import Words, argument_error
from structpred.spaces._graphs import EdgeList, import_networkx, name_nodes, read_graph
from structpred.spaces.base import StructuredSpace, validate_enumerable

_EDGES_A_CALL = 32_768  # one call for few edges would cost its overhead, one for many would sort for long


def _read_connected(graph: object) -> EdgeList:
    edges = read_graph(graph, directed=False)
    parts = list(import_networkx().connected_components(graph))
    if len(parts) > 1:
        one, other = (name_nodes([node for node in edges.nodes if node in part]) for part in parts[:2])
        came = Words(f"{len(parts)} parts without an edge between them, the first two of {one}; and of {other}")
        raise argument_error("graph", "a connected graph", came)
    return edges


@frozen
class SpanningTree(StructuredSpace):
    """Spanning trees of a connected graph: those edges that join all nodes without a cycle; any signs of scores.

    Parts are the edges, in the order of ``graph.edges``: y has shape ``(edges,)``. A best tree depends on the order
    of the scores alone, so the solver, Kruskal's in ``scipy.sparse.csgraph.minimum_spanning_tree``, is given ranks:
    the answer is exact at any magnitude. In threads (it lets them run).

    Args:
        graph: a networkx ``Graph``; the space keeps its ``nodes`` and ``edges``, and no attributes.

    Raises:
        ArgumentError: if the graph is not connected, or is no networkx Graph of two nodes or more.
        MissingExtraError: if networkx is not installed (``pip install 'structpred[graph]'``).

    >>> import networkx
    >>> space = SpanningTree(networkx.cycle_graph(4))
    >>> space.graph.edges
    ((0, 1), (0, 3), (1, 2), (2, 3))
    >>> space.argmax(torch.tensor([1.0, -2.0, 0.0, -1.0]))
    tensor([1., 0., 1., 1.])
    """

    graph: EdgeList = field(converter=_read_connected)
    _places: Any = field(init=False, eq=False, repr=False)
    """The graph as a scipy csr matrix, each entry the place of its edge among ``graph.edges``, counted from 1."""

    @_places.default
    def _lay_out(self) -> Any:
        # Imported here, because scipy.sparse would make importing structpred slower.
        from scipy.sparse import csr_array

        nodes = len(self.graph.nodes)
        places = np.arange(1, len(self.graph.edges) + 1)
        return csr_array((places, tuple(self.graph.ends.numpy())), shape=(nodes, nodes))

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.graph.edges),)

    def _argmax(self, scores: Tensor) -> Tensor:
        blocks = scores.split(max(1, _EDGES_A_CALL // len(self.graph.edges)))
        return torch.from_numpy(np.concatenate([self._best_trees(block.numpy()) for block in blocks]))

    def _best_trees(self, scores: np.ndarray) -> np.ndarray:
        """``(n, edges) -> (n, edges)``, bool: solved as one graph of n parts, since each call has its overhead."""
        from scipy.sparse.csgraph import minimum_spanning_tree

        edges = self._places.data - 1
        best_first = np.argsort(-scores[:, edges], axis=1)  # (n, edges)
        ranks = np.empty_like(scores)
        # From 1, because a weight of 0 is no edge to scipy.
        np.put_along_axis(ranks, best_first, np.arange(1.0, len(edges) + 1)[None], axis=1)
        forest = minimum_spanning_tree(self._side_by_side(ranks), overwrite=True)
        tree_ranks = forest.data.reshape(len(scores), -1).astype(np.int64)  # (n, nodes - 1): row by row, so n by n
        y = np.zeros(scores.shape, dtype=bool)
        np.put_along_axis(y, edges[np.take_along_axis(best_first, tree_ranks - 1, axis=1)], True, axis=1)
        return y

    def contains(self, y: Tensor) -> Tensor:
        self.batch_shape("y", y)
        used = y == 1
        right_count = (used | (y == 0)).all(-1) & (used.sum(-1) == len(self.graph.nodes) - 1)
        inside = right_count.clone()
        inside[right_count] = self._connects(used[right_count].cpu().numpy()).to(y.device)
        return inside

    def _connects(self, used: np.ndarray) -> Tensor:
        """Whether the edges used join all nodes: ``(n, edges) -> (n)``, both bool."""
        from scipy.sparse.csgraph import connected_components

        if not len(used):
            return torch.zeros(0, dtype=torch.bool)
        forest = self._side_by_side(used[:, self._places.data - 1].astype(float))
        forest.eliminate_zeros()
        parts = connected_components(forest, directed=False)[1].reshape(len(used), -1)  # (n, nodes)
        return torch.from_numpy((parts == parts[:, :1]).all(1))

    def _side_by_side(self, weights: np.ndarray) -> Any:
        """A copy of the graph for each example, as one csr matrix: ``(n, edges)``, in the order of ``_places``."""
        from scipy.sparse import csr_array

        copies, (nodes, _) = np.arange(len(weights), dtype=np.int32)[:, None], self._places.shape
        heads = (self._places.indices + nodes * copies).ravel()
        starts = np.append(self._places.indptr[:-1] + self._places.nnz * copies, weights.size).astype(np.int32)
        return csr_array((weights.ravel(), heads, starts), shape=(nodes * len(weights),) * 2)

    def enumerate(self) -> Tensor:
        edges, size = len(self.graph.edges), len(self.graph.nodes) - 1
        candidates = math.comb(edges, size)
        validate_enumerable(self, candidates, f"sets of {size} edges")
        chosen = torch.tensor(list(itertools.combinations(range(edges), size)))
        y = torch.zeros(candidates, edges).scatter_(-1, chosen, 1)
        return y[self.contains(y)]
