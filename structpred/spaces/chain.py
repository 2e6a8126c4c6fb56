"""Chains: label sequences under scores of positions and of transitions, as in tagging and in linear-chain CRFs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import attrs
import torch
from attrs import field, frozen
from torch import Tensor

from structpred._tensors import new_sums
from structpred._validation import (
    positive_int,
    validate_broadcast,
    validate_floating,
    validate_same_device,
    validate_tensor,
)
from structpred.errors import argument_error
from structpred.spaces._enumerable import validate_enumerable
from structpred.spaces._joint import JointSolver
from structpred.spaces._placement import SolverPlacement
from structpred.spaces.base import StructuredSpace


def _at_least_2(space: Chain, attribute: attrs.Attribute[Any], length: int) -> None:
    if length < 2:
        raise argument_error("length", "at least 2 positions", length, "for one position write OneHot(labels)")


@frozen
class Chain(StructuredSpace):
    """A label for each position of a sequence, scored by neighbouring pairs. Solved by Viterbi's dynamic
    program (1967), batched in torch on the scores' device, with sums in float64.

    Parts are the edges: y has shape ``(length - 1, labels, labels)``, and ``y[t, i, j]`` says that position t has
    label i and position t + 1 has label j. Variables are the pairs of a position and a label, so noise has shape
    ``(length, labels)``: the low-dimensional perturbation of Cohen Indelman & Hazan (2021, Equation 12).

    Raises:
        ArgumentError: if length is not an integer of at least 2, or labels none of at least 1.

    >>> space = Chain(3, labels=2)
    >>> unary = torch.tensor([[2.0, 0.0], [0.0, 1.5], [2.0, 0.0]])  # (length, labels)
    >>> changing = torch.tensor([[0.0, -1.0], [-1.0, 0.0]])  # costs 1
    >>> space.to_labels(space.argmax(space.edge_scores(unary, changing)))
    tensor([0, 0, 0])

    Sequences of different lengths make one batch: ``edge_scores`` takes their lengths, and forbids by ``-inf``
    any label but 0 past the end.

    >>> padded = space.edge_scores(unary.expand(2, 3, 2), changing, lengths=torch.tensor([3, 2]))
    >>> space.to_labels(space.argmax(padded))
    tensor([[0, 0, 0],
            [0, 1, 0]])
    """

    length: int = field(validator=[positive_int, _at_least_2])
    labels: int = field(validator=positive_int)

    placement: ClassVar[SolverPlacement] = SolverPlacement.ON_DEVICE

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.length - 1, self.labels, self.labels)

    @property
    def noise_shape(self) -> tuple[int, ...]:
        return (self.length, self.labels)

    def spread(self, noise: Tensor) -> Tensor:
        """Lays what each label of each position carries on the edges: position 0 on the sources of the first
        edges, every other position on the targets of the edges into it. So each counts once.

        ``(*batch, length, labels) -> (*batch, length - 1, labels, labels)``

        Raises:
            ArgumentError: for another shape.
        """
        self._check_positions("noise", noise, self.noise_shape)
        into = noise[..., 1:, None, :].expand(*noise.shape[:-2], *self.shape)
        first = into[..., :1, :, :] + noise[..., :1, :, None]
        return torch.cat([first, into[..., 1:, :, :]], dim=-3)

    def edge_scores(self, unary: Tensor, transition: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The scores of the edges, from those of positions and of transitions. Differentiable.

        With ``lengths``, what lies past the end of a sequence does not count: every position there has label 0,
        at a score of 0, and ``-inf`` forbids it any other. (Noise there then moves nothing. If positions past the
        end kept the last label instead, their noise would gather on that label.)

        Args:
            unary: ``(*batch, length, labels)``.
            transition: broadcasts to ``(*batch, length - 1, labels, labels)``, from source to target:
                ``(labels, labels)`` for one that all steps share.
            lengths: ``(*batch)``, integers from 1 to ``length``; all are full unless given.

        Returns:
            ``(*batch, length - 1, labels, labels)``.

        Raises:
            ArgumentError: for other shapes or dtypes, or lengths out of range.
        """
        self._check_positions("unary", validate_floating("unary", unary), self.noise_shape)
        batch = tuple(unary.shape[:-2])
        validate_same_device("transition", validate_floating("transition", transition), unary)
        validate_broadcast("transition", transition, batch + self.shape, "unary and the space ask")
        if lengths is None:
            return self.spread(unary) + transition
        inside = self._inside(lengths, unary, batch)  # (*batch, length)
        to_inside = inside[..., 1:, None, None]  # edges into a position of the sequence
        counted = self.spread(unary.where(inside[..., None], 0)) + transition.where(to_inside, 0)
        first_label = torch.arange(self.labels, device=unary.device) == 0
        return counted.masked_fill(~(to_inside | first_label), -torch.inf)

    def from_labels(self, labels: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The structures of label sequences, to make targets.

        Args:
            labels: ``(*batch, length)``, integers from 0 to ``labels - 1``.
            lengths: ``(*batch)``, as for ``edge_scores``; labels past the end may be anything.

        Returns:
            ``(*batch, length - 1, labels, labels)`` of the default dtype.

        Raises:
            ArgumentError: for another shape or dtype, or numbers out of range.
        """
        labels = _integers("labels", labels)
        self._check_positions("labels", labels, (self.length,))
        if lengths is not None:
            labels = labels.where(self._inside(lengths, labels, tuple(labels.shape[:-1])), 0)
        _check_range("labels", labels, 0, self.labels - 1)
        return self._from_labels(labels, torch.get_default_dtype())

    def to_labels(self, y: Tensor) -> Tensor:
        """The label sequences of structures: ``(*batch, length - 1, labels, labels) -> (*batch, length)``, int64.

        Raises:
            ArgumentError: for another shape, or if a y is not in the space.
        """
        used = self.validate_members("y", y) == 1
        first, later = used[..., :1, :, :].any(-1), used.any(-2)  # (*batch, 1 or length - 1, labels)
        return torch.cat([first, later], dim=-2).long().argmax(-1)

    def _argmax(self, scores: Tensor) -> Tensor:
        best = [new_sums(scores, len(scores), self.labels)]  # of the ways that end in each label
        for edges in scores.unbind(1):
            best.append((best[-1][:, :, None] + edges).amax(1))
        # To trace back, one row of each step is maximized again: cheaper than to keep the argmax of them all.
        example = torch.arange(len(scores), device=scores.device)
        path = [best[-1].argmax(-1)]
        for step in reversed(range(self.length - 1)):
            path.append((best[step] + scores[example, step, :, path[-1]]).argmax(-1))
        return self._from_labels(torch.stack(path[::-1], dim=-1), scores.dtype)

    @classmethod
    def _joint_solver(cls, spaces: Sequence[Chain]) -> JointSolver:
        return _JointChains(spaces)

    def contains(self, y: Tensor) -> Tensor:
        self.batch_shape("y", y)
        return _is_chain(y, torch.tensor(self.length))

    def enumerate(self) -> Tensor:
        count = self.labels**self.length
        validate_enumerable(self, count)
        place_value = self.labels ** torch.arange(self.length)
        digits = torch.arange(count)[:, None] // place_value % self.labels
        return self._from_labels(digits, torch.get_default_dtype())

    def _from_labels(self, labels: Tensor, dtype: torch.dtype) -> Tensor:
        edges = labels[..., :-1] * self.labels + labels[..., 1:]  # (*batch, length - 1)
        y = torch.zeros(*edges.shape, self.labels**2, dtype=dtype, device=labels.device)
        return y.scatter_(-1, edges[..., None], 1).reshape(*labels.shape[:-1], *self.shape)

    def _inside(self, lengths: Tensor, beside: Tensor, batch: tuple[int, ...]) -> Tensor:
        """Which positions lie within their sequence: ``(*batch) -> (*batch, length)``."""
        lengths = _integers("lengths", lengths)
        validate_same_device("lengths", lengths, beside)
        if lengths.shape != batch:
            raise argument_error("lengths", f"a tensor of shape {batch}, one number a sequence", lengths)
        _check_range("lengths", lengths, 1, self.length)
        return torch.arange(self.length, device=lengths.device) < lengths[..., None]

    def _check_positions(self, name: str, tensor: Tensor, shape: tuple[int, ...]) -> None:
        if validate_tensor(name, tensor).shape[-len(shape) :] != shape:
            wanted = ", ".join(["*batch", *map(str, shape)])
            raise argument_error(name, f"a tensor of shape ({wanted}) for {self!r}", tensor)


class _JointChains(JointSolver):
    """All as one long chain with many labels: past the end there is label 0 alone, at a score of 0."""

    placement = SolverPlacement.ON_DEVICE

    def __init__(self, spaces: Sequence[Chain]) -> None:
        self._lengths = torch.tensor([space.length for space in spaces])
        self._whole = Chain(max(space.length for space in spaces), max(space.labels for space in spaces))

    def argmax(self, scores: Tensor, which: Tensor) -> Tensor:
        steps = torch.arange(self._whole.length - 1)
        past = (steps >= self._lengths[which, None] - 1).to(scores.device)[..., None, None]  # (n, length - 1, 1, 1)
        first_label = torch.arange(self._whole.labels, device=scores.device) == 0
        laid = scores.where(~past, torch.where(first_label, 0.0, -torch.inf).to(scores.dtype))
        return self._whole._argmax(laid).masked_fill(past, 0)

    def contains(self, y: Tensor) -> Tensor:
        return _is_chain(y, self._lengths)

    def spread(self, noise: Tensor) -> Tensor:
        return self._whole.spread(noise)


def _is_chain(y: Tensor, lengths: Tensor) -> Tensor:
    """Whether the edges of each y join, up to the end, where ``lengths`` broadcasts to the batch."""
    inside = (torch.arange(y.shape[-3]) < lengths[..., None] - 1).to(y.device)  # (..., length - 1)
    used = y == 1
    binary = (used | (y == 0)).flatten(-3).all(-1)
    one_each = (used.flatten(-2).sum(-1) == inside).all(-1)
    joined = (used[..., :-1, :, :].any(-2) == used[..., 1:, :, :].any(-1)).all(-1)
    return binary & one_each & (joined | ~inside[..., 1:]).all(-1)


def _integers(name: str, tensor: Tensor) -> Tensor:
    """The tensor as int64; raises ``ArgumentError`` unless it is of an integer type."""
    if validate_tensor(name, tensor).is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool:
        raise argument_error(name, "a tensor of integers", tensor, f"write {name}.long()")
    return tensor.long()


def _check_range(name: str, tensor: Tensor, lowest: int, highest: int) -> None:
    outside = tensor[(tensor < lowest) | (tensor > highest)]
    if outside.numel():
        raise argument_error(name, f"numbers from {lowest} to {highest}", int(outside[0]))
