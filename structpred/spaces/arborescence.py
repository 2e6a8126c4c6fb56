"""Arborescences, directed spanning trees from a root: dependency parses, hierarchies, who infected whom."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import attrs
import numpy as np
import numpy.typing as npt
import torch
from attrs import field, frozen
from torch import Tensor

from structpred._validation import positive_int, validate_tensor
from structpred.errors import MissingExtraError, Words, argument_error, name_examples
from structpred.spaces._enumerable import validate_enumerable
from structpred.spaces._joint import JointSolver
from structpred.spaces._placement import SolverPlacement
from structpred.spaces.base import StructuredSpace

Floats = npt.NDArray[np.float64]
Solver = Callable[[Floats], tuple[list[int], float]]


def _bool(space: Arborescence, attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, bool):
        raise argument_error(attribute.name, "True or False", value)


@frozen
class Arborescence(StructuredSpace):
    """Trees that lead from a root to each of n nodes: every node has one head, and the heads make no cycle.

    Parts are the arcs: y has shape ``(n + 1, n)``, and ``y[head, i]`` says that node i + 1 hangs on ``head``, where 0
    is the root and 1 to n are the nodes, as in the HEAD column of CoNLL-U. A node's arc to itself is never used.

    Where the best heads of all nodes make a tree, that is the answer. Any other example is solved by the algorithm of
    Chu & Liu (1965) and Edmonds (1967), in C++ by ``ufal.chu-liu-edmonds``; for a single root, with arcs from the root
    made so expensive that a second one never pays. Exact, but for the rounding of sums in float64. On the CPU, in one
    thread, because the package holds Python's lock.

    Args:
        n: the number of nodes, the root not counted.
        single_root: whether exactly one node hangs on the root, as Universal Dependencies has it.

    Raises:
        ArgumentError: if n is not an integer of at least 1, or single_root not True or False.
        MissingExtraError: from ``argmax``, if the solver is not installed (``pip install 'structpred[parsing]'``).

    >>> space = Arborescence(2, single_root=True)
    >>> scores = torch.tensor([[2.0, 3.0], [0.0, 2.5], [1.0, 0.0]])  # from the root, from node 1, from node 2
    >>> space.to_heads(space.argmax(scores))
    tensor([0, 1])
    >>> Arborescence(2).to_heads(Arborescence(2).argmax(scores))
    tensor([0, 0])
    """

    n: int = field(validator=positive_int)
    single_root: bool = field(default=False, validator=_bool, kw_only=True)

    placement: ClassVar[SolverPlacement] = SolverPlacement.ON_CPU

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.n + 1, self.n)

    def from_heads(self, heads: Tensor) -> Tensor:
        """The structures of heads, to make targets.

        Args:
            heads: ``(*batch, n)``, integers: of each node 0 for the root, or the number of a node.

        Returns:
            ``(*batch, n + 1, n)`` of the default dtype.

        Raises:
            ArgumentError: for another shape or dtype, numbers out of range, and heads that make no tree of the space,
                because of a cycle or of a second node on the root.
        """
        validate_tensor("heads", heads)
        if heads.is_floating_point() or heads.is_complex() or heads.dtype == torch.bool:
            raise argument_error("heads", "a tensor of integers", heads, "write heads.long()")
        if heads.shape[-1:] != (self.n,):
            raise argument_error("heads", f"a tensor of shape (*batch, {self.n}) for {self!r}", heads)
        outside = heads[(heads < 0) | (heads > self.n)]
        if outside.numel():
            raise argument_error("heads", f"numbers from 0 to {self.n}", int(outside[0]))
        heads = heads.long()
        rooted = _reach_root(heads)
        wrong = rooted if (~rooted).any() else (heads == 0).sum(-1) == 1 if self.single_root else None
        if wrong is not None and not wrong.all():
            examples = name_examples([tuple(index) for index in (~wrong).nonzero().tolist()])
            what, wanted = ("a cycle", "heads without a cycle") if wrong is rooted else ("more", "one node on the root")
            raise argument_error("heads", wanted, Words(f"{what} in {examples}"))
        return _from_heads(heads, self.n + 1, torch.get_default_dtype())

    def to_heads(self, y: Tensor) -> Tensor:
        """The head of each node: ``(*batch, n + 1, n) -> (*batch, n)``, int64.

        Raises:
            ArgumentError: for another shape, or if a y is not in the space.
        """
        return self.validate_members("y", y).argmax(-2)

    def _argmax(self, scores: Tensor) -> Tensor:
        return _JointTrees([self]).argmax(scores, torch.zeros(len(scores), dtype=torch.int64))

    @classmethod
    def _joint_solver(cls, spaces: Sequence[Arborescence]) -> JointSolver:
        return _JointTrees(spaces)

    def contains(self, y: Tensor) -> Tensor:
        self.batch_shape("y", y)
        return _JointTrees([self]).contains(y[..., None, :, :])[..., 0]

    def enumerate(self) -> Tensor:
        count = (self.n + 1) ** self.n
        validate_enumerable(self, count, "choices of heads")
        heads = torch.arange(count)[:, None] // (self.n + 1) ** torch.arange(self.n) % (self.n + 1)
        y = _from_heads(heads, self.n + 1, torch.get_default_dtype())
        return y[self.contains(y)]


class _JointTrees(JointSolver):
    """Trees of different sizes: the nodes that one lacks hang on nothing, and nothing hangs on them."""

    placement = SolverPlacement.ON_CPU

    def __init__(self, spaces: Sequence[Arborescence]) -> None:
        self._sizes = torch.tensor([space.n for space in spaces])
        self._single = torch.tensor([space.single_root for space in spaces])

    def argmax(self, scores: Tensor, which: Tensor) -> Tensor:
        solve = _solver()  # at once, so that whether it is missing does not hang on the scores
        count, rows, longest = scores.shape
        nodes = np.arange(longest)
        by_node = np.full((count, rows, rows), -np.inf)  # of each node, the scores of its heads; the root has none
        by_node[:, 1:] = scores.mT.numpy()
        by_node[:, nodes + 1, nodes + 1] = -np.inf
        heads = by_node[:, 1:].argmax(-1)  # (n, nodes), 0 in the padding
        sizes, single = self._sizes[which], self._single[which]
        inside = torch.arange(longest) < sizes[:, None]
        roots = ((torch.from_numpy(heads) == 0) & inside).sum(-1)
        hard = ~_reach_root(torch.from_numpy(heads)) | (single & (roots != 1))
        if hard.any():
            rows_left = hard.nonzero().flatten()
            for row, size, one in zip(*(each.tolist() for each in (rows_left, sizes[hard], single[hard])), strict=True):
                heads[row, :size] = _best_heads(solve, by_node[row, : size + 1, : size + 1], one)
        return _from_heads(torch.from_numpy(heads), rows, torch.bool).logical_and_(inside[:, None])

    def contains(self, y: Tensor) -> Tensor:
        used = y == 1
        nodes = torch.arange(y.shape[-1], device=y.device)
        inside = nodes < self._sizes.to(y.device)[:, None]  # (spaces, nodes)
        one_head = (used | (y == 0)).all(-2) & (used.sum(-2) == inside)
        heads = used.to(torch.int8).argmax(-2)  # 0 in the padding
        one_root = (used[..., 0, :].sum(-1) == 1) | ~self._single.to(y.device)
        return one_head.all(-1) & one_root & _reach_root(heads)


def _best_heads(solve: Solver, by_node: Floats, single_root: bool) -> list[int]:
    """The head of each node in the best tree. Where there is none, those of any tree.

    Args:
        solve: the solver.
        by_node: ``(nodes + 1, nodes + 1)``, of each node the scores of its heads; it may be changed.
        single_root: whether one node hangs on the root.
    """
    if single_root:
        # An arc from the root costs more than all others can gain.
        allowed = by_node[np.isfinite(by_node)]
        lowest, highest = (allowed.min(), allowed.max()) if len(allowed) else (0.0, 0.0)
        by_node[:, 0] -= len(by_node) * ((highest - lowest) or 1 + abs(highest))
    heads, value = solve(np.ascontiguousarray(by_node))
    if math.isfinite(value) and not (single_root and heads.count(0) > 1):
        return heads[1:]
    return [0] + [1] * (len(by_node) - 2)


def _solver() -> Solver:
    try:
        from ufal.chu_liu_edmonds import chu_liu_edmonds
    except ImportError as error:
        message = "arborescences need ufal.chu-liu-edmonds; write: pip install 'structpred[parsing]'"
        raise MissingExtraError(message) from error
    solve: Solver = chu_liu_edmonds
    return solve


def _from_heads(heads: Tensor, rows: int, dtype: torch.dtype) -> Tensor:
    """``(*batch, nodes) -> (*batch, rows, nodes)``."""
    y = torch.zeros(*heads.shape[:-1], rows, heads.shape[-1], dtype=dtype, device=heads.device)
    return y.scatter_(-2, heads[..., None, :], 1)


def _reach_root(heads: Tensor) -> Tensor:
    """Whether every node's heads lead to the root, and so make no cycle: ``(*batch, nodes) -> (*batch)``."""
    ancestor = torch.cat([torch.zeros_like(heads[..., :1]), heads], -1)  # with the root, which is its own
    for _ in range(heads.shape[-1].bit_length()):  # each time twice as far
        ancestor = ancestor.gather(-1, ancestor)
    return (ancestor == 0).all(-1)
