"""Spanning trees of an undirected graph: networks that join everything, clusterings, undirected parses."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from attrs import field, frozen
from torch import Tensor

from structpred.errors import Words, argument_error
from structpred.spaces._enumerable import validate_enumerable
from structpred.spaces._graphs import EdgeList, import_networkx, name_nodes, read_graph
from structpred.spaces._joint import JointSolver
from structpred.spaces._placement import SolverPlacement
from structpred.spaces.base import StructuredSpace

_EDGES_A_CALL = 32_768  # one call for few edges would cost its overhead, one for many would sort for long


def _read_connected(graph: object) -> EdgeList:
    edges = read_graph(graph, directed=False)
    if edges is graph:  # that of another space, which is connected
        return edges
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
        graph: a networkx ``Graph``, of which the space keeps ``nodes`` and ``edges`` without attributes; or the
            ``graph`` of another such space.

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
    _alone: _JointTrees = field(init=False, eq=False, repr=False)

    @_alone.default
    def _prepare(self) -> _JointTrees:
        return _JointTrees([self])

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.graph.edges),)

    def _argmax(self, scores: Tensor) -> Tensor:
        return self._alone.argmax(scores, torch.zeros(len(scores), dtype=torch.int64))

    @classmethod
    def _joint_solver(cls, spaces: Sequence[SpanningTree]) -> JointSolver:
        return _JointTrees(spaces)

    def contains(self, y: Tensor) -> Tensor:
        self.batch_shape("y", y)
        return self._alone.contains(y[..., None, :])[..., 0]

    def enumerate(self) -> Tensor:
        edges, size = len(self.graph.edges), len(self.graph.nodes) - 1
        candidates = math.comb(edges, size)
        validate_enumerable(self, candidates, f"sets of {size} edges")
        chosen = torch.tensor(list(itertools.combinations(range(edges), size)))
        y = torch.zeros(candidates, edges).scatter_(-1, chosen, 1)
        return y[self.contains(y)]


class _JointTrees(JointSolver):
    """A graph for each example, all as one without edges between them, since each call has its overhead.

    Graphs stand one after another in the arrays of scipy's csr format.
    """

    placement = SolverPlacement.IN_THREADS

    def __init__(self, spaces: Sequence[SpanningTree]) -> None:
        # Imported here, because scipy.sparse would make importing structpred slower.
        from scipy.sparse import csr_array

        graphs = []
        for space in spaces:
            places = np.arange(1, len(space.graph.edges) + 1)  # from 1, because 0 is no edge to scipy
            graphs.append(csr_array((places, tuple(space.graph.ends.numpy())), shape=(len(space.graph.nodes),) * 2))
        self._nodes = np.array([graph.shape[0] for graph in graphs])
        self._edges = np.array([graph.nnz for graph in graphs])
        self._first_node, self._first_edge = (np.cumsum(each) - each for each in (self._nodes, self._edges))
        self._place = np.concatenate([graph.data for graph in graphs]) - 1
        self._head = np.concatenate([graph.indices for graph in graphs])
        self._start = np.concatenate([graph.indptr[:-1] for graph in graphs])

    def argmax(self, scores: Tensor, which: Tensor) -> Tensor:
        together = max(1, _EDGES_A_CALL // scores.shape[1])
        blocks = zip(scores.split(together), which.split(together), strict=True)
        return torch.from_numpy(np.concatenate([self._best(block.numpy(), own.numpy()) for block, own in blocks]))

    def _best(self, scores: np.ndarray, which: np.ndarray) -> np.ndarray:
        """``(n, edges), (n) -> (n, edges)``, bool."""
        from scipy.sparse.csgraph import minimum_spanning_tree

        best_first = np.argsort(-scores, axis=1)  # (n, edges)
        ranks = np.empty_like(scores)
        np.put_along_axis(ranks, best_first, np.arange(1.0, scores.shape[1] + 1)[None], axis=1)
        forest = minimum_spanning_tree(self._side_by_side(ranks, which), overwrite=True)
        example = np.repeat(np.arange(len(scores)), self._nodes[which] - 1)  # the edges come row by row
        y = np.zeros(scores.shape, dtype=bool)
        y[example, best_first[example, forest.data.astype(np.int64) - 1]] = True
        return y

    def contains(self, y: Tensor) -> Tensor:
        used = y == 1  # (*batch, spaces, edges)
        right_count = (used | (y == 0)).all(-1) & (used.sum(-1) == torch.from_numpy(self._nodes - 1).to(y.device))
        which = torch.arange(len(self._nodes), device=y.device).expand(right_count.shape)[right_count]
        inside = right_count.clone()
        inside[right_count] = self._connects(used[right_count].cpu().numpy(), which.cpu().numpy()).to(y.device)
        return inside

    def _connects(self, used: np.ndarray, which: np.ndarray) -> Tensor:
        """Whether the edges used join all nodes: ``(n, edges), (n) -> (n)``."""
        from scipy.sparse.csgraph import connected_components

        if not len(used):
            return torch.zeros(0, dtype=torch.bool)
        forest = self._side_by_side(used.astype(float), which)
        forest.eliminate_zeros()
        parts = connected_components(forest, directed=False)[1]  # of all nodes
        last = np.cumsum(self._nodes[which]) - 1
        example = np.repeat(np.arange(len(used)), self._nodes[which])
        apart = np.bincount(example[parts != parts[last][example]], minlength=len(used))
        return torch.from_numpy(apart == 0)

    def _side_by_side(self, weights: np.ndarray, which: np.ndarray) -> Any:
        """A copy of its graph for each example, as one csr matrix: ``(n, edges), (n)``."""
        from scipy.sparse import csr_array

        nodes, edges = self._nodes[which], self._edges[which]
        edge, example = _runs(self._first_edge[which], edges), np.repeat(np.arange(len(which)), edges)
        heads = self._head[edge] + np.repeat(np.cumsum(nodes) - nodes, edges)
        starts = self._start[_runs(self._first_node[which], nodes)] + np.repeat(np.cumsum(edges) - edges, nodes)
        starts = np.append(starts, len(edge)).astype(np.int32)
        data = weights[example, self._place[edge]]
        return csr_array((data, heads.astype(np.int32), starts), shape=(int(nodes.sum()),) * 2)


def _runs(first: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """So many integers from each of the first: ``[5, 0], [2, 3] -> [5, 6, 0, 1, 2]``."""
    runs: np.ndarray = np.arange(counts.sum()) + np.repeat(first - (np.cumsum(counts) - counts), counts)
    return runs
