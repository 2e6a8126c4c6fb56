"""Epsilon, the signed step of the loss perturbation, as a policy: where it starts, and when it grows.

The direct gradient ``(y(epsilon) - y) / epsilon`` tends to the gradient of the expected loss as
epsilon tends to 0 (Cohen Indelman & Hazan 2021, Equations 16 and 17), but a small step often leaves the
structure as it is, and then says nothing. Negative values move towards better structures.
"""

from __future__ import annotations

import abc
import numbers
from typing import Any

import attrs
import torch
from attrs import Factory, field, frozen
from torch import Tensor

from structpred._validation import validate_finite_number
from structpred.errors import Words, argument_error


def _validate_non_zero(name: str, value: object) -> float:
    number = validate_finite_number(name, value)
    if number == 0:
        raise argument_error(name, "a finite number other than 0", value, "negative moves towards better structures")
    return number


def _non_zero(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    _validate_non_zero(attribute.name, value)


class Epsilon(abc.ABC):
    """How epsilon is chosen. A subclass gives ``start``, and ``grow`` if it tries more than once."""

    @abc.abstractmethod
    def start(self, scores: Tensor, coefficients: Tensor, event_dims: int) -> Tensor:
        """The first epsilon of each example: ``(*batch, *shape), (*batch, *shape) -> (*batch)``, not 0."""

    def grow(self, epsilon: Tensor, difference: Tensor, loss: Tensor) -> Tensor | None:
        """The epsilon to try next, or None to stop. Examples whose epsilon changes are solved again.

        Args:
            epsilon: ``(*batch)``, as tried.
            difference: ``(draws, *batch, *shape)``, y(epsilon) - y.
            loss: ``(draws, *batch)``, the task loss of y.
        """
        return None


@frozen
class FixedEpsilon(Epsilon):
    """The same epsilon always: what a plain number stands for."""

    value: float = field(validator=_non_zero)

    def start(self, scores: Tensor, coefficients: Tensor, event_dims: int) -> Tensor:
        return _everywhere(self.value, scores, event_dims)


def _beyond_one(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if validate_finite_number(attribute.name, value) <= 1:
        raise argument_error(attribute.name, "a number above 1", value)


def _beyond_initial(policy: GrowUntilNonzero, attribute: attrs.Attribute[Any], limit: object) -> None:
    if validate_finite_number("limit", limit) / policy.initial < 1:
        raise argument_error("limit", f"a number beyond initial = {policy.initial}, with its sign", limit)


def _not_negative(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < 0:
        raise argument_error(attribute.name, "an integer of at least 0", value)


@frozen
class GrowUntilNonzero(Epsilon):
    """Grows epsilon while every gradient of the batch is zero and its mean loss is positive (paper, C.1).

    Each call starts again at ``initial``, so that the objective has no memory and equal calls give
    equal gradients. About ``log(limit / initial) / log(factor)`` further solver calls are made at most.

    Args:
        initial: the epsilon tried first.
        factor: what it is multiplied by, above 1.
        limit: the last epsilon tried, of the sign of ``initial``; ten times it unless given.
        group_dims: how many leading batch dimensions index separate problems (the runs of an
            ensemble, say), each with an epsilon of its own; 0 grows one epsilon for the whole batch.

    Raises:
        ArgumentError: for an initial of 0, a factor up to 1, or a limit nearer to 0 than ``initial``.
    """

    initial: float = field(validator=_non_zero)
    factor: float = field(default=1.1, validator=_beyond_one, kw_only=True)
    limit: float = field(
        default=Factory(lambda self: 10 * validate_finite_number("initial", self.initial), takes_self=True),
        validator=_beyond_initial,
        kw_only=True,
    )
    group_dims: int = field(default=0, validator=_not_negative, kw_only=True)

    def start(self, scores: Tensor, coefficients: Tensor, event_dims: int) -> Tensor:
        return _everywhere(self.initial, scores, event_dims)

    def grow(self, epsilon: Tensor, difference: Tensor, loss: Tensor) -> Tensor | None:
        if self.group_dims > epsilon.ndim:
            batch = Words(f"a batch of {epsilon.ndim} dimensions")
            raise argument_error("scores", f"at least group_dims = {self.group_dims} batch dimensions", batch)
        if not epsilon.numel():
            return None
        groups = epsilon.shape[: self.group_dims]
        moved = difference.any(0).reshape(*groups, -1).any(-1)  # (*groups)
        stuck = ~moved & (loss.mean(0).reshape(*groups, -1).mean(-1) > 0)
        stuck = stuck.reshape(groups + (1,) * (epsilon.ndim - self.group_dims))  # broadcasts to (*batch)
        grown = (epsilon * self.factor).clamp(-abs(self.limit), abs(self.limit))
        grown = torch.where(stuck, grown, epsilon)
        return None if torch.equal(grown, epsilon) else grown


@frozen
class RelativeToScores(Epsilon):
    """Epsilon for each example in proportion to its scores: ``ratio * std(scores) / std(coefficients)``.

    The same ratio then serves small and large scores, early and late training, and any unit of the
    loss. The idea is that of the adaptive step of Minervini, Franceschi & Niepert 2023 (AIMLE).

    Args:
        ratio: how far the loss moves the scores, in units of their own spread.
        floor: the least spread that counts, so that equal scores do not make epsilon 0.

    Raises:
        ArgumentError: for a ratio of 0, or a floor that is not positive.
    """

    ratio: float = field(validator=_non_zero)
    floor: float = field(default=1e-3, kw_only=True)

    @floor.validator
    def _positive(self, attribute: attrs.Attribute[Any], value: object) -> None:
        if validate_finite_number("floor", value) <= 0:
            raise argument_error("floor", "a positive number", value)

    def start(self, scores: Tensor, coefficients: Tensor, event_dims: int) -> Tensor:
        spread_of_loss = _std(coefficients, event_dims)
        rounding = 10 * torch.finfo(coefficients.dtype).eps * coefficients.abs().flatten(-event_dims).amax(-1)
        unit = torch.where(spread_of_loss > rounding, spread_of_loss, 1.0)  # a constant loss: any step will do
        return self.ratio * _std(scores, event_dims).clamp(min=self.floor) / unit


def _everywhere(value: float, scores: Tensor, event_dims: int) -> Tensor:
    return scores.new_full(scores.shape[: scores.ndim - event_dims], value)


def _std(values: Tensor, event_dims: int) -> Tensor:
    """Standard deviation of each example's finite entries: ``(*batch, *shape) -> (*batch)``."""
    flat = values.flatten(-event_dims)
    finite = flat.isfinite()
    count = finite.sum(-1).clamp(min=1)
    mean = flat.where(finite, 0).sum(-1) / count
    return ((flat - mean[..., None]).where(finite, 0).square().sum(-1) / count).sqrt()


def as_policy(epsilon: Epsilon | float) -> Epsilon:
    """A number becomes ``FixedEpsilon``; a policy stays; anything else, 0 and NaN are refused."""
    return epsilon if isinstance(epsilon, Epsilon) else FixedEpsilon(_validate_non_zero("epsilon", epsilon))
