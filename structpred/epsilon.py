"""Epsilon, the signed step of the loss perturbation, as a policy: where it starts, and when it grows.

The direct gradient ``(y(epsilon) - y) / epsilon`` tends to the gradient of the expected loss as epsilon tends to 0
(Cohen Indelman & Hazan 2021, Equations 16 and 17), but a small step often leaves the structure as it is, and then says
nothing. Negative values move towards better structures. A step may also reach a little to the other side: its margin.
"""

from __future__ import annotations

import abc
import math
from collections.abc import Callable

import torch
from attrs import field, frozen
from torch import Tensor

from structpred._validation import (
    above_one,
    at_least_one_number,
    nonnegative_int,
    nonnegative_number,
    nonzero_number,
    positive_number,
    validate_nonzero_number,
)
from structpred.errors import Words, argument_error

Loss = Callable[[], Tensor]


class Epsilon(abc.ABC):
    """How epsilon is chosen. A subclass defines ``start``, and ``grow`` if it tries more than once.

    A policy with state is an ``nn.Module`` too, and keeps it in buffers: they reach the objective's ``state_dict``.
    An objective asks its policy in training mode only.
    """

    @property
    def margin(self) -> float:
        """How far the step reaches to the other side of 0, as a share of epsilon: 0 is a one-sided difference, and
        spares a solver call; 1 a central one."""
        return 0.0

    @abc.abstractmethod
    def start(self, scores: Tensor, direction: Tensor, noise_std: Tensor | None, event_dims: int) -> Tensor:
        """The first epsilon of each example: ``(*batch)``, finite and not 0.

        Args:
            scores: ``(*batch, *shape)``, without noise; ``-inf`` where a part is forbidden.
            direction: ``(*batch, *shape)``, what epsilon multiplies: the coefficients of the loss. A layer's may have
                further leading dimensions, and then epsilon has them too.
            noise_std: broadcasts to ``(*batch)``; the standard deviation of the noise, in the units of the scores.
                None without noise.
            event_dims: the number of dimensions of ``shape``.
        """

    def grow(self, epsilon: Tensor, start: Tensor, difference: Tensor, loss: Loss | None) -> Tensor | None:
        """The epsilon to try next, or None to stop. Examples whose epsilon changes are solved again.

        Args:
            epsilon: ``(*batch)``, as tried.
            start: ``(*batch)``, as ``start`` returned it.
            difference: ``(samples, *batch, *shape)``, y(epsilon) - y.
            loss: returns the task loss of y, ``(samples, *batch)``; None where no loss is known.
        """
        return None


@frozen
class FixedEpsilon(Epsilon):
    """The same epsilon always, in the units of scores per unit of loss: what a plain number stands for."""

    value: float = field(validator=nonzero_number)
    margin: float = field(default=0.0, validator=nonnegative_number, kw_only=True)

    def start(self, scores: Tensor, direction: Tensor, noise_std: Tensor | None, event_dims: int) -> Tensor:
        limits = torch.finfo(direction.dtype)
        if not limits.tiny <= abs(self.value) <= limits.max:
            dtype = str(direction.dtype).removeprefix("torch.")
            wanted = f"a number from {limits.tiny:.2g} to {limits.max:.2g} in size, as {dtype} scores need it"
            raise argument_error("epsilon", wanted, self.value, "write scores.double(), or another unit of the loss")
        return direction.new_full(direction.shape[: direction.ndim - event_dims], self.value)


@frozen
class RelativeToNoise(Epsilon):
    """Epsilon in units of the noise: ``ratio * sigma * std(noise) / (largest - smallest coefficient)``.

    The step then adds up to ``|ratio|`` standard deviations of the noise to a score. Neither the unit of the loss nor
    a common factor of scores and scale changes a structure. Coefficients of forbidden parts do not count.

    The range of the coefficients is the mean over the batch, so that an example whose loss has a small range takes a
    step that is small in its own units. Examples with constant coefficients do not count; where all are constant, their
    mean size stands for their range. Without noise the standard deviation of an example's finite
    scores stands for that of the noise, or 1 where they are equal.

    Args:
        ratio: negative moves towards better structures.
        margin: how far the step reaches to the other side of 0, as a share of epsilon.
        group_dims: how many leading batch dimensions index separate problems (the runs of an ensemble, say), each
            with a mean range of its own; 0 is one for the whole batch.

    Raises:
        ArgumentError: for a ratio of 0, or a negative margin.
    """

    ratio: float = field(default=-256.0, validator=nonzero_number)
    margin: float = field(default=0.05, validator=nonnegative_number, kw_only=True)
    group_dims: int = field(default=0, validator=nonnegative_int, kw_only=True)

    def start(self, scores: Tensor, direction: Tensor, noise_std: Tensor | None, event_dims: int) -> Tensor:
        if noise_std is None:
            spread = _std(scores, torch.isfinite(scores), event_dims)
            noise_std = spread.where(spread > 0, 1.0)
        forbidden = scores == -torch.inf
        largest = direction.masked_fill(forbidden, -torch.inf).flatten(-event_dims).amax(-1)  # (*batch)
        smallest = direction.masked_fill(forbidden, torch.inf).flatten(-event_dims).amin(-1)
        width = largest - smallest
        size = torch.maximum(largest.abs(), smallest.abs()).masked_fill(width < 0, 0)  # where all is forbidden
        groups = _groups(size, self.group_dims)
        flat = (*groups, math.prod(size.shape[self.group_dims :]))
        varies = (width > _rounding(size)).reshape(flat)
        range_ = width.reshape(flat).where(varies, 0).sum(-1) / varies.sum(-1).clamp(min=1)  # (*groups)
        constant = size.reshape(flat).sum(-1) / max(1, flat[-1])
        unit = range_.where(range_ > 0, constant.where(constant > 0, 1.0))
        return self.ratio * noise_std / unit.reshape(groups + (1,) * (size.ndim - self.group_dims)).expand_as(size)


@frozen
class RelativeToScores(Epsilon):
    """Epsilon for each example in proportion to its scores: ``ratio * std(scores) / std(coefficients)``.

    The same ratio then serves small and large scores, early and late training, and any unit of the loss. Forbidden
    parts count in neither. The idea is that of the adaptive step of Minervini, Franceschi & Niepert 2023 (AIMLE).

    Args:
        ratio: how far the loss moves the scores, in units of their own spread.
        margin: how far the step reaches to the other side of 0, as a share of epsilon.
        floor: the least spread that counts, so that equal scores do not make epsilon 0.

    Raises:
        ArgumentError: for a ratio of 0, a negative margin, or a floor that is not positive.
    """

    ratio: float = field(validator=nonzero_number)
    margin: float = field(default=0.0, validator=nonnegative_number, kw_only=True)
    floor: float = field(default=1e-3, validator=positive_number, kw_only=True)

    def start(self, scores: Tensor, direction: Tensor, noise_std: Tensor | None, event_dims: int) -> Tensor:
        allowed = scores.isfinite()
        spread = _std(direction, allowed, event_dims)
        size = direction.masked_fill(~allowed, 0).abs().flatten(-event_dims).amax(-1)
        unit = spread.where(spread > _rounding(size), 1.0)  # a constant loss: any step will do
        return self.ratio * _std(scores, allowed, event_dims).clamp(min=self.floor) / unit


def as_policy(epsilon: Epsilon | float, name: str = "epsilon") -> Epsilon:
    """A number becomes ``FixedEpsilon``; a policy stays; anything else, 0 and NaN are refused."""
    return epsilon if isinstance(epsilon, Epsilon) else FixedEpsilon(validate_nonzero_number(name, epsilon))


def _initial(epsilon: Epsilon | float) -> Epsilon:
    return as_policy(epsilon, "initial")


@frozen
class GrowUntilNonzero(Epsilon):
    """Grows epsilon while every gradient of the batch is zero and its mean loss is positive (paper, C.1).

    Each call starts again at ``initial``, so that the objective has no memory and equal calls have equal gradients.
    At most about ``log(limit) / log(factor)`` further solver calls are made.

    Args:
        initial: the epsilon tried first, a number or a policy.
        factor: what it is multiplied by, above 1.
        limit: the largest multiple of the first epsilon that is tried.
        group_dims: how many leading batch dimensions index separate problems (the runs of an ensemble, say), each
            of which grows by itself; 0 grows the epsilon of the whole batch.

    Raises:
        ArgumentError: for an initial of 0, a factor up to 1, or a limit below 1.
    """

    initial: Epsilon = field(converter=_initial)
    factor: float = field(default=1.1, validator=above_one, kw_only=True)
    limit: float = field(default=10.0, validator=at_least_one_number, kw_only=True)
    group_dims: int = field(default=0, validator=nonnegative_int, kw_only=True)

    @property
    def margin(self) -> float:
        return self.initial.margin

    def start(self, scores: Tensor, direction: Tensor, noise_std: Tensor | None, event_dims: int) -> Tensor:
        return self.initial.start(scores, direction, noise_std, event_dims)

    def grow(self, epsilon: Tensor, start: Tensor, difference: Tensor, loss: Loss | None) -> Tensor | None:
        if not epsilon.numel():
            return None
        groups = _groups(epsilon, self.group_dims)
        stuck = ~difference.any(0).reshape(*groups, -1).any(-1)  # (*groups)
        if loss is not None:
            stuck &= loss().mean(0).reshape(*groups, -1).mean(-1) > 0
        stuck = stuck.reshape(groups + (1,) * (epsilon.ndim - self.group_dims))  # broadcasts to (*batch)
        grown = epsilon * self.factor
        limit = start * self.limit
        return torch.where(stuck, grown.where(grown.abs() < limit.abs(), limit), epsilon)


def _groups(epsilon: Tensor, group_dims: int) -> tuple[int, ...]:
    if group_dims > epsilon.ndim:
        batch = Words(f"a batch of {epsilon.ndim} dimensions")
        raise argument_error("scores", f"at least group_dims = {group_dims} batch dimensions", batch)
    return tuple(epsilon.shape[:group_dims])


def _std(values: Tensor, counts: Tensor, event_dims: int) -> Tensor:
    """Standard deviation of each example's entries that count: ``(*batch, *shape) -> (*batch)``."""
    flat, counted = values.flatten(-event_dims), counts.flatten(-event_dims)
    count = counted.sum(-1).clamp(min=1)
    mean = flat.where(counted, 0).sum(-1) / count
    return ((flat - mean[..., None]).where(counted, 0).square().sum(-1) / count).sqrt()


def _rounding(size: Tensor) -> Tensor:
    """What rounding alone can make of equal numbers of this size."""
    return 10 * torch.finfo(size.dtype).eps * size
