"""Paths through a directed graph without cycles: routes, alignments, segmentations."""

from __future__ import annotations

import functools
import graphlib
import itertools
from collections.abc import Hashable, Sequence
from typing import ClassVar

import torch
from attrs import field, frozen
from torch import Tensor

from structpred._validation import validate_positive_int
from structpred.errors import Words, argument_error
from structpred.spaces._enumerable import validate_enumerable
from structpred.spaces._graphs import EdgeList, import_networkx, name_nodes, read_graph
from structpred.spaces._joint import JointSolver, in_turns
from structpred.spaces._levels import Level, LeveledGraph, LongestPaths, levels_between
from structpred.spaces._placement import SolverPlacement
from structpred.spaces.base import StructuredSpace

_FEW = 256
_FORBIDDEN = -1e305  # below any sum of scores, and the sum of a path of them is finite


def _read_dag(graph: object) -> EdgeList:
    dag = read_graph(graph, directed=True)
    sorter: graphlib.TopologicalSorter[Hashable] = graphlib.TopologicalSorter()
    for tail, head in dag.edges:
        sorter.add(head, tail)
    try:
        sorter.prepare()
    except graphlib.CycleError as error:
        raise argument_error("graph", "no cycles", Words(name_nodes(error.args[1], " -> "))) from None
    return dag


@frozen
class DagPath(StructuredSpace):
    """Paths from source to target in a directed graph without cycles; scores may have any sign.

    Parts are the arcs, in the order of ``graph.edges``: y has shape ``(arcs,)``. Arcs on no path from source to
    target are never used. Solved by dynamic programming over the levels of the graph (all nodes whose longest way
    from the source has as many arcs), batched in torch on the scores' device; up to 256 paths by scoring them all.

    Args:
        graph: a networkx ``DiGraph``, of which the space keeps ``nodes`` and ``edges`` without attributes; or the
            ``graph`` of another such space.
        source: the node where every path starts.
        target: the node where every path ends.

    Raises:
        ArgumentError: if the graph has a cycle or is no DiGraph, or there is no path from source to target.
        MissingExtraError: if networkx is not installed (``pip install 'structpred[graph]'``).

    >>> import networkx
    >>> space = DagPath(networkx.DiGraph([("a", "b"), ("a", "c"), ("b", "c")]), "a", "c")
    >>> space
    DagPath(graph=<3 nodes, 3 edges>, source='a', target='c')
    >>> space.argmax(torch.tensor([[1.0, 1.5, 1.0], [1.0, 1.5, -1.0]]))
    tensor([[1., 0., 1.],
            [0., 1., 0.]])
    """

    graph: EdgeList = field(converter=_read_dag)
    source: Hashable
    target: Hashable
    _ends: tuple[int, int] = field(init=False, eq=False, repr=False)  # the places of source and target
    _between: LeveledGraph = field(init=False, eq=False, repr=False)
    _solver: LongestPaths = field(init=False, eq=False, repr=False)
    _few: Tensor | None = field(init=False, eq=False, repr=False)  # every path, (count, arcs), where they are few

    placement: ClassVar[SolverPlacement] = SolverPlacement.ON_DEVICE

    @_ends.default
    def _find_ends(self) -> tuple[int, int]:
        source, target = (_place(name, getattr(self, name), self.graph) for name in ("source", "target"))
        if source == target:
            raise argument_error("target", "another node than the source", self.target)
        return source, target

    @_between.default
    def _number(self) -> LeveledGraph:
        levels = self._levels()
        if not levels:
            raise argument_error("target", f"a node that some path from {self.source!r} reaches", self.target)
        return LeveledGraph.of(levels, self._arcs())

    @_solver.default
    def _prepare(self) -> LongestPaths:
        return LongestPaths.over([self._between], len(self.graph.edges))

    @_few.default
    def _list_few(self) -> Tensor | None:
        return self.enumerate().double() if self._count() <= _FEW else None

    @classmethod
    def grid(cls, rows: int, cols: int, *, diagonal: bool = False) -> DagPath:
        """Paths from the first to the last cell of a grid, each step one to the right or one down.

        Nodes are ``(row, col)``. The arcs stand in the order of the cells that they leave, row by row: right,
        down, and, with ``diagonal``, right and down at once.

        Raises:
            ArgumentError: if rows or cols is not an integer of at least 1, or both are 1.

        >>> DagPath.grid(2, 2).graph.edges
        (((0, 0), (0, 1)), ((0, 0), (1, 0)), ((0, 1), (1, 1)), ((1, 0), (1, 1)))
        """
        rows, cols = validate_positive_int("rows", rows), validate_positive_int("cols", cols)
        if rows == cols == 1:
            raise argument_error("cols", "at least 2 cells in the grid", Words("one"))
        steps = [(0, 1), (1, 0), (1, 1)] if diagonal else [(0, 1), (1, 0)]
        dag = import_networkx().DiGraph()
        dag.add_nodes_from(itertools.product(range(rows), range(cols)))  # first, so that they order the arcs
        dag.add_edges_from(
            ((row, col), (row + down, col + right))
            for row, col in dag
            for down, right in steps
            if row + down < rows and col + right < cols
        )
        return cls(dag, (0, 0), (rows - 1, cols - 1))

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.graph.edges),)

    def _argmax(self, scores: Tensor) -> Tensor:
        if self._few is None or scores.device.type == "mps":  # which has no float64
            return self._solver.argmax(scores)
        paths = self._few.to(scores.device)
        values = scores.double().clamp(min=_FORBIDDEN) @ paths.T  # (n, count)
        return paths[values.argmax(-1)]

    @classmethod
    def _joint_solver(cls, spaces: Sequence[DagPath]) -> JointSolver:
        return _JointPaths(spaces)

    def contains(self, y: Tensor) -> Tensor:
        self.batch_shape("y", y)
        return _JointPaths([self]).contains(y[..., None, :])[..., 0]

    def enumerate(self) -> Tensor:
        first, *later = self._levels()
        validate_enumerable(self, self._count())
        paths: dict[int, list[list[int]]] = {node: [[]] for node in first}  # the arcs of each path to a node
        arcs = self._arcs()
        for level in later:
            for node, entering in level.items():
                paths[node] = [[*path, arc] for arc in entering for path in paths[arcs[arc][0]]]
        y = torch.zeros(len(paths[self._ends[1]]), *self.shape)
        for structure, path in zip(y, paths[self._ends[1]], strict=True):
            structure[path] = 1
        return y

    def _count(self) -> int:
        """The number of paths."""
        first, *later = self._levels()
        count = dict.fromkeys(first, 1)  # of the paths to each node
        arcs = self._arcs()
        for level in later:
            for node, entering in level.items():
                count[node] = sum(count[arcs[arc][0]] for arc in entering)
        return count[self._ends[1]]

    def _arcs(self) -> list[tuple[int, int]]:
        return [(tail, head) for tail, head in self.graph.ends.T.tolist()]

    def _levels(self) -> list[Level]:
        return levels_between(self._arcs(), *self._ends)


class _JointPaths(JointSolver):
    """The graphs side by side, as one."""

    placement = SolverPlacement.ON_DEVICE

    def __init__(self, spaces: Sequence[DagPath]) -> None:
        self._spaces = spaces
        self._arcs = max(len(space.graph.edges) for space in spaces)

    @functools.cached_property
    def _paths(self) -> LongestPaths:
        return LongestPaths.over([space._between for space in self._spaces], self._arcs)

    @functools.cached_property
    def _flow(self) -> tuple[Tensor, Tensor]:
        """The ends of all arcs, ``(2, spaces, arcs)``, and what each graph's nodes keep, ``(spaces, nodes)``.

        Where there is no arc, it leads from the last node to itself.
        """
        nodes = 1 + max(len(space.graph.nodes) for space in self._spaces)
        ends = torch.full((2, len(self._spaces), self._arcs), nodes - 1)
        kept = torch.zeros(len(self._spaces), nodes, dtype=torch.int32)
        for place, space in enumerate(self._spaces):
            ends[:, place, : len(space.graph.edges)] = space.graph.ends
            kept[place, list(space._ends)] = torch.tensor([-1, 1], dtype=torch.int32)
        return ends, kept

    def argmax(self, scores: Tensor, which: Tensor) -> Tensor:
        def solve(turns: Tensor) -> Tensor:  # (turns, graphs, arcs)
            return self._paths.argmax(turns.flatten(1)).reshape(turns.shape)

        return in_turns(solve, scores, which, len(self._spaces))

    def contains(self, y: Tensor) -> Tensor:
        used = y == 1
        flow = used.to(torch.int32)
        (tails, heads), wanted = (each.to(y.device) for each in self._flow)
        kept = flow.new_zeros(*y.shape[:-1], wanted.shape[-1])
        kept.scatter_add_(-1, heads.expand_as(flow), flow).scatter_add_(-1, tails.expand_as(flow), -flow)
        # Without cycles, a whole flow of 1 from source to target is one path.
        return (used | (y == 0)).all(-1) & (kept == wanted).all(-1)


def _place(name: str, node: Hashable, graph: EdgeList) -> int:
    try:
        return graph.nodes.index(node)
    except ValueError:
        raise argument_error(name, "a node of the graph", node) from None
