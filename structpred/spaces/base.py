"""What every space is: a finite set Y of indicator tensors, and how to maximize a linear function over it."""

from __future__ import annotations

import abc
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, Self

import attrs
import torch
from torch import Tensor

from structpred._autocast import without_autocast
from structpred._eager import eager, refuse_transforms
from structpred._tensors import inner
from structpred._validation import validate_broadcast, validate_floating, validate_tensor
from structpred.errors import (
    InfeasibleError,
    SpaceError,
    Words,
    argument_error,
    describe,
    name_examples,
)
from structpred.loss import LinearLoss, as_floating
from structpred.spaces._out_of_time import Index, OutOfTimeError
from structpred.spaces._placement import SolverPlacement, solve_rows
from structpred.spaces._scores import validate_scores

if TYPE_CHECKING:
    from structpred.spaces._joint import JointSolver


class StructuredSpace(abc.ABC):
    """A finite set Y of indicator tensors y, with an exact solver for ``max_{y in Y} <scores, y>``.

    A subclass gives ``shape``, ``_argmax`` and ``contains``; this class does the rest once: it
    validates, takes any leading batch dimensions (none, or of size zero, too), moves dtype and device there
    and back, spreads a CPU solver over threads, and finds the examples where nothing is allowed.

    Make a space a frozen value (``attrs.frozen``): readable, comparable, picklable.

    >>> import attrs, structpred as sp
    >>> @attrs.frozen
    ... class AtMostOne(sp.StructuredSpace):
    ...     "One part out of n, or none."
    ...     n: int
    ...
    ...     @property
    ...     def shape(self):
    ...         return (self.n,)
    ...
    ...     def _argmax(self, scores):  # (batch, n), float64, on the CPU
    ...         best = torch.nn.functional.one_hot(scores.argmax(-1), self.n)
    ...         return best * (scores > 0)
    ...
    ...     def contains(self, y):
    ...         return ((y == 0) | (y == 1)).all(-1) & (y.sum(-1) <= 1)
    >>> AtMostOne(3).argmax(torch.tensor([[1.0, 2.0, 0.5], [-1.0, -2.0, -3.0]]))
    tensor([[0., 1., 0.],
            [0., 0., 0.]])
    """

    placement: ClassVar[SolverPlacement] = SolverPlacement.IN_THREADS

    # --- what a subclass gives

    @property
    @abc.abstractmethod
    def shape(self) -> tuple[int, ...]:
        """The shape of one structure, and so of the scores of one example."""

    @abc.abstractmethod
    def _argmax(self, scores: Tensor) -> Tensor:
        """A structure of largest score for each example: ``(n, *shape) -> (n, *shape)``, any dtype.

        Laws: the answer is in the space; no structure of the space scores higher, ties or not; a part
        whose score is ``-inf`` is not used if any structure can do without it, and if none can, any
        structure may be returned; the input is not changed; the answer for an example depends on that
        example alone. The scores hold no NaN and no ``+inf``, there is at least one example, and dtype
        and device are those that ``placement`` names. A solver that runs out of time raises ``OutOfTimeError``.
        """

    @abc.abstractmethod
    def contains(self, y: Tensor) -> Tensor:
        """Whether each structure is in the space: ``(*batch, *shape) -> (*batch)``, bool."""

    def enumerate(self) -> Tensor:
        """Every structure once: ``(count, *shape)``. For small sizes, as an oracle for tests.

        Raises:
            NotImplementedError: if the space does not offer it.
            ArgumentError: if there are too many structures to list.
        """
        raise NotImplementedError(f"{self!r} does not enumerate its structures")

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """The shape of one example's noise: one entry a variable. As a rule, each part is a variable."""
        return self.shape

    def spread(self, noise: Tensor) -> Tensor:
        """Lays each variable's noise on the parts that contain it, linearly and differentiably.

        ``(*batch, *noise_shape) -> (*batch, *shape)``; the identity unless a subclass says otherwise.
        """
        return noise

    @property
    def variables_are_parts(self) -> bool:
        """Whether ``spread`` is the identity, so that a shift of a part's score is one of its noise."""
        return type(self).spread is StructuredSpace.spread

    @classmethod
    def _joint_solver(cls, spaces: Sequence[Self]) -> JointSolver | None:
        """What solves different spaces of this class at once; None where they are solved one by one."""
        return None

    # --- what ``SpaceBatch`` alone has more to say of

    @property
    def examples(self) -> tuple[StructuredSpace, ...] | None:
        """The space of each index of the last batch dimension; None where every example is in this one."""
        return None

    @property
    def variables(self) -> Tensor | None:
        """Which entries of the noise are variables of an example, ``(len(examples), *noise_shape)``; None for all."""
        return None

    def without_padding(self, scores: Tensor) -> Tensor:
        """The scores, with ``-inf`` in place of those that are no part of an example. Differentiable."""
        return scores

    # --- what this class does with it

    @eager
    def argmax(self, scores: Tensor) -> Tensor:
        """A structure of largest score for each example.

        Args:
            scores: ``(*batch, *shape)``, floating point. ``-inf`` forbids a part.

        Returns:
            ``(*batch, *shape)`` of zeros and ones, of the scores' dtype and device, without gradient.

        Raises:
            ArgumentError: for another shape or dtype, NaN, ``+inf``, or numbers beyond 1e300 in size.
            InfeasibleError: names the examples whose every structure needs a forbidden part.
            SolverTimeoutError: names an example, if the space has a time limit and the solver did not meet it.
        """
        return self.argmax_of_stack(scores, lambda index: index)

    def argmax_of_stack(self, scores: Tensor, example: Callable[[Index], Index]) -> Tensor:
        """``argmax`` of a batch that was stacked from the examples of another, whose indices errors and warnings name.

        Args:
            scores: as for ``argmax``.
            example: maps an index of the batch of ``scores`` to the index of the example that it came from.
        """
        batch = self._leading_shape("scores", validate_floating("scores", scores))
        refuse_transforms(scores)
        scores = scores.detach()
        examples = math.prod(batch)
        if not examples:
            return torch.zeros_like(scores)
        flat = scores.reshape(examples, *self.shape)  # (n, *shape)
        lowest, largest = validate_scores(flat)

        def example_of(row: int) -> Index:
            return example(_index_of(row, batch))

        try:
            y = self._solve(flat, largest, example_of)
        except OutOfTimeError as late:
            y = late.accepted(example_of).to(flat.device, flat.dtype)
        if lowest == -math.inf:
            infeasible = _uses_forbidden(flat, y)
            if infeasible:
                raise InfeasibleError(sorted({example_of(row) for row in infeasible}))
        return y.reshape(scores.shape)

    def score(self, scores: Tensor, y: Tensor) -> Tensor:
        """``<scores, y>`` for each example: ``(*batch, *shape), (*batch, *shape) -> (*batch)``.

        Leading dimensions broadcast. A forbidden part (``-inf``) that y does not use counts nothing.
        Differentiable in both.
        """
        self.batch_shape("scores", scores)
        self.batch_shape("y", y)
        y = y.to(scores.dtype)
        return inner(scores.masked_fill((y == 0) & ~scores.isfinite(), 0), y, len(self.shape))

    def hamming(self, target: Tensor) -> LinearLoss:
        """The number of parts in which a prediction differs from the target, as a linear loss.

        Args:
            target: ``(*batch, *shape)``, structures of this space, of any dtype.

        Raises:
            ArgumentError: if the shape is another, or a target is not in the space.
        """
        loss = LinearLoss.hamming(self.validate_members("target", target), event_dims=len(self.shape))
        return attrs.evolve(loss, best=target.to(loss.coefficients.dtype))

    def regret(self, costs: Tensor, best: Tensor | None = None, *, validate: bool = True) -> LinearLoss:
        """What a prediction costs beyond the best structure, as a linear loss: ``<costs, y> - min_y' <costs, y'>``.

        Costs are minimized: for values, of which a structure should have many, write ``regret(-values)``. Solve once
        for a whole training set, and take the loss of a mini-batch by ``loss[rows]``.

        Args:
            costs: ``(*batch, *shape)``, the true cost of each part, finite.
            best: ``(*batch, *shape)``, structures of least cost, where they are known; solved for unless given.
            validate: whether to solve nonetheless, and refuse structures that are not the best.

        Raises:
            ArgumentError: for another shape, costs that are not finite, or structures that are not the best.
        """
        self.batch_shape("costs", costs)
        costs = as_floating("costs", costs)
        dims = len(self.shape)
        known = LinearLoss(costs, event_dims=dims)  # refuses what is not finite
        if best is not None:
            self.batch_shape("best", best)
            validate_broadcast("best", best, tuple(costs.shape), "the costs have it")
            best = best.to(costs.dtype).expand_as(costs)
            if validate:
                self._validate_best(known.coefficients, best)
        else:
            best = self.argmax(-known.coefficients)
        return LinearLoss(costs, -inner(costs, best, dims), event_dims=dims, best=best)

    def _validate_best(self, costs: Tensor, best: Tensor) -> None:
        self.validate_members("best", best)
        dims = len(self.shape)
        lowest = inner(costs, self.argmax(-costs), dims)
        rounding = 10 * torch.finfo(costs.dtype).eps * inner(costs.abs(), torch.ones_like(costs), dims)
        worse = inner(costs, best, dims) > lowest + rounding
        if worse.any():
            most = inner(costs, self.argmax(costs), dims)
            turned = (inner(costs, best, dims) >= most - rounding).all()
            instead = "they have the largest cost: costs are minimized, so write -values for what is maximized"
            found = Words(f"others in {name_examples(_indices(worse))}")
            advice = instead if turned else "leave best out to solve for it"
            raise argument_error("best", "structures of least cost", found, advice)

    def batch_shape(self, name: str, tensor: Tensor) -> tuple[int, ...]:
        """The leading dimensions of ``(*batch, *shape)``; ``ArgumentError`` if the shape is another."""
        return self._leading_shape(name, tensor)

    def _leading_shape(self, name: str, tensor: Tensor) -> tuple[int, ...]:
        validate_tensor(name, tensor)
        dims = len(self.shape)
        if tensor.shape[max(tensor.ndim - dims, 0) :] != self.shape:
            wanted = ", ".join(["*batch", *map(str, self.shape)])
            raise argument_error(name, f"a tensor of shape ({wanted}) for {self!r}", tensor)
        return tuple(tensor.shape[: tensor.ndim - dims])

    def validate_members(self, name: str, y: Tensor) -> Tensor:
        """Returns y; raises ``ArgumentError`` unless every structure in it is in the space."""
        self.batch_shape(name, y)
        with without_autocast(y.device):
            inside = self.contains(y)
        if not inside.all():
            raise argument_error(
                name,
                f"structures of {self!r}",
                Words(f"others in {name_examples(_indices(~inside))}"),
                f"{type(self).__name__}.contains({name}) says which are inside",
            )
        return y

    def _solve(self, flat: Tensor, largest: float, example_of: Callable[[int], Index]) -> Tensor:
        """``_argmax`` where and on what ``placement`` says; the answer in flat's dtype, on its device."""
        rows = torch.arange(len(flat))
        return solve_rows(self.placement, lambda scores, _: self._checked_argmax(scores), flat, rows, largest)

    def _checked_argmax(self, scores: Tensor) -> Tensor:
        y = self._argmax(scores)
        if isinstance(y, Tensor) and y.shape == scores.shape:
            return y
        raise SpaceError(
            f"{type(self).__name__}._argmax: expected to return a tensor of its scores' shape "
            f"{tuple(scores.shape)}, but it returned {describe(y) if isinstance(y, Tensor) else type(y).__name__}"
        )


def _uses_forbidden(flat: Tensor, y: Tensor) -> list[int]:
    """The rows whose structure uses a forbidden part."""
    rows: list[int] = (flat.isneginf() & (y != 0)).flatten(1).any(1).nonzero().flatten().tolist()
    return rows


def _index_of(row: int, batch: tuple[int, ...]) -> Index:
    index = []
    for size in reversed(batch):
        row, place = divmod(row, size)
        index.append(place)
    return tuple(index[::-1])


def _indices(chosen: Tensor) -> list[tuple[int, ...]]:
    """The batch indices where ``chosen``, of the batch's shape, is true; ``()`` stands for no batch dimensions."""
    return [tuple(index) for index in chosen.nonzero().tolist()]
