"""Several spaces of one class solved at once, each example in its own."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from structpred._tensors import corner
from structpred._threads import map_chunks
from structpred.spaces._out_of_time import OutOfTimeError
from structpred.spaces._placement import SolverPlacement
from structpred.spaces.base import StructuredSpace


class JointSolver(abc.ABC):
    """Solves examples that are in different spaces, which it was given in order when it was made.

    Their scores are padded at the end of each dimension to a common ``shape``, with ``-inf``.
    """

    placement: SolverPlacement

    @abc.abstractmethod
    def argmax(self, scores: Tensor, which: Tensor) -> Tensor:
        """A best structure for each row, 0 in its padding: ``(n, *shape), (n) -> (n, *shape)``, any dtype.

        Laws are those of ``StructuredSpace._argmax``. Where every structure of a row is forbidden, the answer must use
        a part whose score is ``-inf``, in the padding or not.

        Args:
            scores: ``(n, *shape)``, of the dtype and on the device that ``placement`` names.
            which: ``(n)``, the place of each row's space among those given, on the CPU.
        """

    @abc.abstractmethod
    def contains(self, y: Tensor) -> Tensor:
        """``contains`` of all spaces in order: ``(*batch, spaces, *shape) -> (*batch, spaces)``; the padding is 0."""

    def spread(self, noise: Tensor) -> Tensor:
        """``spread`` of all spaces in order: ``(*batch, spaces, *noise_shape) -> (*batch, spaces, *shape)``.

        The padding may hold any numbers, and that of the answer too.
        """
        return noise


class OneByOne(JointSolver):
    """A loop over spaces of one class, in which equal ones are solved together."""

    def __init__(self, spaces: Sequence[StructuredSpace]) -> None:
        self.placement = spaces[0].placement
        number: dict[StructuredSpace, int] = {}
        self._number = torch.tensor([number.setdefault(space, len(number)) for space in spaces])
        self._different = list(number)

    def argmax(self, scores: Tensor, which: Tensor) -> Tensor:
        with torch.inference_mode(False):  # threads are out of it, and write here
            y = torch.zeros_like(scores)
        groups = list(self._groups(self._number[which]))
        late: list[tuple[list[int], bool]] = []
        stopped = False

        def solve(chosen: Tensor) -> Tensor:
            for space, rows in [groups[group] for group in chosen.tolist()]:
                if stopped or any(not answered for _, answered in late):
                    break
                own = corner(space.shape, rows.to(scores.device))
                try:
                    y[own] = space._checked_argmax(scores[own]).to(y.dtype)
                except OutOfTimeError as error:
                    late.append((rows[error.rows].tolist(), error.y is not None))
                    if error.y is not None:
                        y[own] = error.y.to(y.dtype)
            return chosen

        def stop() -> None:
            nonlocal stopped
            stopped = True

        if self.placement is SolverPlacement.ON_CPU and len(groups) > 1:
            map_chunks(solve, torch.arange(len(groups)), stop)
        else:
            solve(torch.arange(len(groups)))
        if late:
            answered = all(answered for _, answered in late)
            raise OutOfTimeError([row for rows, _ in late for row in rows], y if answered else None)
        return y

    def contains(self, y: Tensor) -> Tensor:
        inside = y.new_empty(y.shape[: y.ndim - len(self._different[0].shape)], dtype=torch.bool)
        for space, places in self._groups(self._number):
            inside[..., places] = space.contains(y[corner(space.shape, ..., places)])
        return inside

    def spread(self, noise: Tensor) -> Tensor:
        spread = [
            (places, space.spread(noise[corner(space.noise_shape, ..., places)]))
            for space, places in self._groups(self._number)
        ]
        shape = tuple(map(max, zip(*(space.shape for space in self._different), strict=True)))
        laid = noise.new_zeros(*noise.shape[: noise.ndim - len(self._different[0].noise_shape)], *shape)
        for places, own in spread:
            laid[corner(own.shape[own.ndim - len(shape) :], ..., places)] = own
        return laid

    def _groups(self, numbers: Tensor) -> Iterator[tuple[StructuredSpace, Tensor]]:
        """Each space that a number stands for, with the places where it does."""
        counts = numbers.bincount(minlength=len(self._different)).tolist()
        for space, places in zip(self._different, numbers.argsort(stable=True).split(counts), strict=True):
            if len(places):
                yield space, places


def in_turns(solve: Callable[[Tensor], Tensor], scores: Tensor, which: Tensor, spaces: int) -> Tensor:
    """``solve`` of scores that are laid out as ``(turns, spaces, *shape)``: in each turn, one example of every space.

    ``(n, *shape), (n) -> (n, *shape)``
    """
    turns = len(scores) // spaces
    if torch.equal(which, torch.arange(spaces).repeat(turns)):
        return solve(scores.reshape(turns, spaces, *scores.shape[1:])).reshape(scores.shape)
    turn = torch.empty_like(which)
    order = which.argsort(stable=True)
    counts = which.bincount(minlength=spaces)
    turn[order] = torch.arange(len(which)) - (counts.cumsum(0) - counts).repeat_interleave(counts)
    laid = scores.new_zeros(int(counts.max()), spaces, *scores.shape[1:])
    places = turn.to(scores.device), which.to(scores.device)
    laid[places] = scores
    return solve(laid)[places]
