"""Examples that differ: a batch in which each has a space of its own."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import overload

import attrs
import torch
from attrs import field, frozen
from torch import Tensor

from structpred._eager import eager
from structpred._tensors import corner
from structpred._validation import validate_floating
from structpred.errors import Words, argument_error
from structpred.loss import LinearLoss
from structpred.spaces._joint import JointSolver, OneByOne
from structpred.spaces._out_of_time import Index, OutOfTimeError
from structpred.spaces._placement import solve_rows
from structpred.spaces.base import StructuredSpace


def _read_spaces(spaces: object) -> tuple[StructuredSpace, ...]:
    instead = "write for example SpaceBatch([Matching(3), Matching(4)])"
    if isinstance(spaces, StructuredSpace) or not isinstance(spaces, Iterable):
        raise argument_error("spaces", "a sequence of spaces", spaces, instead)
    spaces = tuple(spaces)
    if not spaces:
        raise argument_error("spaces", "at least one space", Words("none"), instead)
    first = spaces[0]
    for place, space in {id(space): (place, space) for place, space in enumerate(spaces)}.values():
        if not isinstance(space, StructuredSpace) or space.examples is not None:
            raise argument_error(f"spaces[{place}]", "a StructuredSpace of single examples", space, instead)
        for name in ("shape", "noise_shape"):
            one, other = getattr(first, name, ()), getattr(space, name)
            if isinstance(first, StructuredSpace) and len(one) != len(other):
                found = Words(f"{one} for {first!r}, and {other} for {space!r}")
                raise argument_error("spaces", f"a {name} of as many dimensions for each", found, "make two batches")
    return spaces


@frozen(repr=False)
class SpaceBatch(StructuredSpace):
    """A batch of examples each of which has a space of its own: routes in different maps, sentences of many lengths.

    It is used as a space is, by objectives and layers too, and fixes the last batch dimension: scores and structures
    are ``(*batch, len(spaces), *shape)``, where ``shape`` is the largest in each dimension, and an example's own parts
    come first in each. What lies beyond them is padding: scores, costs and scales there count nothing, whatever
    they are, no noise and no gradient gets there, and structures are 0. Loss, step and errors are per example, as in a
    loop over the spaces.

    Different spaces of these kinds are solved all at once: ``OneHot``, ``KSubset``, ``Chain``, ``DagPath``,
    ``SpanningTree``, ``Arborescence``. Of any other kind, equal spaces are solved together, and those whose solver
    runs in threads share these. A mini-batch is ``spaces[rows]``, and ``objective.space`` may be assigned anew
    for each.

    Args:
        spaces: at least one, of one kind or several, whose structures have as many dimensions, and their noise too.

    Raises:
        ArgumentError: for no spaces, what is none, and dimensions that differ in number.

    >>> import structpred as sp
    >>> spaces = sp.SpaceBatch([sp.KSubset(2, 1), sp.KSubset(4, 2)])
    >>> spaces
    SpaceBatch(<2 KSubset>, shape=(4,))
    >>> scores = spaces.pad([torch.tensor([0.3, 0.2]), torch.tensor([1.0, 3.0, 2.0, 0.0])])
    >>> spaces.argmax(scores)
    tensor([[1., 0., 0., 0.],
            [0., 1., 1., 0.]])
    >>> spaces.unpad(spaces.argmax(scores))
    [tensor([1., 0.]), tensor([0., 1., 1., 0.])]
    """

    spaces: tuple[StructuredSpace, ...] = field(converter=_read_spaces)
    shape: tuple[int, ...] = field(init=False, eq=False)
    noise_shape: tuple[int, ...] = field(init=False, eq=False)

    @shape.default
    def _largest_shape(self) -> tuple[int, ...]:
        return _largest([space.shape for space in self.spaces])

    @noise_shape.default
    def _largest_noise_shape(self) -> tuple[int, ...]:
        return _largest([space.noise_shape for space in self.spaces])

    def __repr__(self) -> str:
        kinds = Counter(type(space).__name__ for space in self.spaces).most_common(3)
        return f"SpaceBatch(<{', '.join(f'{count} {kind}' for kind, count in kinds)}>, shape={self.shape})"

    # --- the spaces

    def __len__(self) -> int:
        return len(self.spaces)

    def __iter__(self) -> Iterator[StructuredSpace]:
        return iter(self.spaces)

    @overload
    def __getitem__(self, index: int) -> StructuredSpace: ...
    @overload
    def __getitem__(self, index: slice | Sequence[int] | Tensor) -> SpaceBatch: ...
    def __getitem__(self, index: int | slice | Sequence[int] | Tensor) -> StructuredSpace | SpaceBatch:
        """A space by its place, or the batch of some: a slice, places in any order, or a mask."""
        if isinstance(index, int):
            return self.spaces[index]
        places = torch.arange(len(self.spaces))[index].tolist()
        return self.spaces[places] if isinstance(places, int) else SpaceBatch(self.spaces[place] for place in places)

    @property
    def examples(self) -> tuple[StructuredSpace, ...]:
        return self.spaces

    # --- padding

    def pad(self, tensors: Sequence[Tensor]) -> Tensor:
        """Scores, targets or costs of each example as one tensor, 0 in the padding. Differentiable.

        Args:
            tensors: one for each space, ``(*batch, *its shape)``, of the same leading dimensions.

        Returns:
            ``(*batch, len(spaces), *shape)``.

        Raises:
            ArgumentError: for another number of tensors, or another shape.
        """
        if len(tensors) != len(self.spaces):
            found = Words(f"{len(tensors)}")
            raise argument_error("tensors", f"{len(self.spaces)} tensors, one for each space", found)
        batches = [space.batch_shape(f"tensors[{i}]", tensors[i]) for i, space in enumerate(self.spaces)]
        if len(set(batches)) > 1:
            found = Words(f"{batches[0]} and {next(batch for batch in batches if batch != batches[0])}")
            raise argument_error("tensors", "the same batch dimensions for all", found)
        padded = []
        for tensor, space in zip(tensors, self.spaces, strict=True):
            missing = [(0, most - own) for most, own in zip(self.shape, space.shape, strict=True)]
            padded.append(torch.nn.functional.pad(tensor, [side for both in missing[::-1] for side in both]))
        return torch.stack(padded, dim=-1 - len(self.shape))

    def unpad(self, tensor: Tensor) -> list[Tensor]:
        """The part of each example: ``(*batch, len(spaces), *shape)`` to as many ``(*batch, *its shape)``.

        Raises:
            ArgumentError: for another shape.
        """
        self.batch_shape("tensor", tensor)
        rows = tensor.unbind(-1 - len(self.shape))
        return [row[corner(space.shape, ...)] for row, space in zip(rows, self.spaces, strict=True)]

    @functools.cached_property
    def _parts(self) -> Tensor | None:
        """Which entries are parts of an example: ``(len(spaces), *shape)``; None for all."""
        return _within([space.shape for space in self.spaces], self.shape)

    @functools.cached_property
    def variables(self) -> Tensor | None:
        return _within([space.noise_shape for space in self.spaces], self.noise_shape)

    def without_padding(self, scores: Tensor) -> Tensor:
        return self._filled(scores, -torch.inf)

    def _filled(self, tensor: Tensor, value: float) -> Tensor:
        """``(*batch, len(spaces), *shape)`` with this value in the padding."""
        return tensor if self._parts is None else tensor.where(self._parts.to(tensor.device), value)

    # --- what a space does

    def batch_shape(self, name: str, tensor: Tensor) -> tuple[int, ...]:
        batch = self._leading_shape(name, tensor)
        if batch[-1:] != (len(self.spaces),):
            wanted = ", ".join(map(str, ("*batch", len(self.spaces), *self.shape)))
            instead = "spaces.pad makes it of a list, and spaces[rows] has fewer spaces"
            raise argument_error(name, f"a tensor of shape ({wanted}) for {self!r}", tensor, instead)
        return batch

    @eager
    def argmax(self, scores: Tensor) -> Tensor:
        self.batch_shape("scores", validate_floating("scores", scores))
        return super().argmax(self.without_padding(scores))

    def hamming(self, target: Tensor) -> LinearLoss:
        loss = super().hamming(target)
        if ((target != 0) & (target != 1)).any():  # of the relaxation of a program
            raise argument_error("target", "zeros and ones", Words("other numbers"))
        return attrs.evolve(loss, coefficients=self._filled(loss.coefficients, 0))

    def regret(self, costs: Tensor, best: Tensor | None = None, *, validate: bool = True) -> LinearLoss:
        self.batch_shape("costs", costs)
        return super().regret(self._filled(costs, 0), best, validate=validate)

    @property
    def variables_are_parts(self) -> bool:
        return all(space.variables_are_parts for space in self.spaces)

    def spread(self, noise: Tensor) -> Tensor:
        if self.variables_are_parts:
            return self._filled(noise, 0)
        parts = noise.new_zeros(*noise.shape[: noise.ndim - len(self.noise_shape)], *self.shape)
        for kind in self._kinds:
            laid = kind.solver.spread(noise[corner(kind.noise_shape, ..., kind.places)])
            parts[corner(kind.shape, ..., kind.places)] = laid
        return self._filled(parts, 0)

    def contains(self, y: Tensor) -> Tensor:
        inside = torch.empty(self.batch_shape("y", y), dtype=torch.bool, device=y.device)
        for kind in self._kinds:
            inside[..., kind.places] = kind.solver.contains(y[corner(kind.shape, ..., kind.places)])
        return inside & ((self._filled(y, 0) == y).flatten(-len(self.shape)).all(-1))

    def _argmax(self, scores: Tensor) -> Tensor:
        raise NotImplementedError("_solve knows which example is in which space")

    def _solve(self, flat: Tensor, largest: float, example_of: Callable[[int], Index]) -> Tensor:
        which = torch.tensor([example_of(row)[-1] for row in range(len(flat))])
        if len(self._kinds) == 1:
            (kind,) = self._kinds
            return solve_rows(kind.solver.placement, kind.solver.argmax, flat, which, largest)
        y, late, unanswered = torch.zeros_like(flat), list[int](), False
        for kind in self._kinds:
            place = torch.full((len(self.spaces),), -1)
            place[kind.places] = torch.arange(len(kind.places))
            rows = (place[which] >= 0).nonzero().flatten()
            if not len(rows):
                continue
            own = corner(kind.shape, rows.to(flat.device))
            try:
                y[own] = solve_rows(kind.solver.placement, kind.solver.argmax, flat[own], place[which[rows]], largest)
            except OutOfTimeError as error:
                late += rows[error.rows].tolist()
                if error.y is None:
                    unanswered = True
                else:
                    y[own] = error.y.to(flat.device, flat.dtype)
        if late:
            raise OutOfTimeError(late, None if unanswered else y)
        return y

    @functools.cached_property
    def _kinds(self) -> list[_Kind]:
        places: dict[type[StructuredSpace], list[int]] = {}
        for place, space in enumerate(self.spaces):
            places.setdefault(type(space), []).append(place)
        return [_Kind.of(kind, own, [self.spaces[place] for place in own]) for kind, own in places.items()]


@frozen(eq=False)
class _Kind:
    """The spaces of one class: their places in the batch, their largest shapes, and what solves them."""

    places: Tensor
    shape: tuple[int, ...]
    noise_shape: tuple[int, ...]
    solver: JointSolver

    @classmethod
    def of(cls, kind: type[StructuredSpace], places: list[int], spaces: list[StructuredSpace]) -> _Kind:
        solver = kind._joint_solver(spaces) if any(space != spaces[0] for space in spaces) else None
        shapes = _largest([space.shape for space in spaces]), _largest([space.noise_shape for space in spaces])
        return cls(torch.tensor(places), *shapes, solver or OneByOne(spaces))


def _largest(shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(map(max, zip(*shapes, strict=True)))


def _within(shapes: Sequence[tuple[int, ...]], largest: tuple[int, ...]) -> Tensor | None:
    """Where each shape lies within the largest: ``(len(shapes), *largest)``, bool; None if all are the same."""
    if len(set(shapes)) == 1:
        return None
    within = torch.ones(len(shapes), *largest, dtype=torch.bool)
    for dim, (size, own) in enumerate(zip(largest, torch.tensor(shapes).T, strict=True)):
        inside = torch.arange(size) < own[:, None]
        within &= inside.view(len(shapes), *(size if other == dim else 1 for other in range(len(largest))))
    return within
