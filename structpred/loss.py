"""The task loss as data: linear in the prediction, ``constant + <coefficients, y>``.

What is linear in the parts can be added to the scores, so that the loss-augmented prediction
``argmax_y <scores + epsilon * coefficients, y>`` costs no more than the plain one (Cohen Indelman &
Hazan 2021, Equation 2). A constant that makes the best possible loss zero changes no gradient, but
lets ``GrowUntilNonzero`` see when there is nothing left to gain.
"""

from __future__ import annotations

import math
from typing import Any

import attrs
import torch
from attrs import Factory, field, frozen
from torch import Tensor

from structpred._eager import eager
from structpred._tensors import inner
from structpred._validation import (
    positive_int,
    validate_broadcast,
    validate_finite_number,
    validate_floating,
    validate_positive_int,
    validate_tensor,
)
from structpred.errors import Words, argument_error


def _finite_floating(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    tensor = validate_floating(attribute.name, value)
    # Elsewhere the answer would have to be waited for: the objective's solver finds it without.
    if tensor.device.type == "cpu" and not tensor.isfinite().all():
        came = Words("NaN" if tensor.isnan().any() else "an infinite entry")
        raise argument_error(attribute.name, "finite entries", came, "forbid a part by a score of -inf")


def _number_or_finite_tensor(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if isinstance(value, Tensor):
        _finite_floating(instance, attribute, value)
    else:
        validate_finite_number(attribute.name, value)


def _structure_like_the_coefficients(loss: LinearLoss, attribute: attrs.Attribute[Any], best: object) -> None:
    if best is None:
        return
    shape = tuple(loss.coefficients.shape)
    validate_broadcast(attribute.name, validate_tensor(attribute.name, best), shape, "the coefficients have it")


def _no_more_than_there_are(loss: LinearLoss, attribute: attrs.Attribute[Any], event_dims: int) -> None:
    if event_dims > loss.coefficients.ndim:
        have = f"at most {loss.coefficients.ndim}, the dimensions of the coefficients"
        raise argument_error("event_dims", have, event_dims)


def _one_batch_dim_or_those_of_constant(loss: LinearLoss) -> int:
    constant_dims = loss.constant.ndim if isinstance(loss.constant, Tensor) else 0
    return max(1, validate_tensor("coefficients", loss.coefficients).ndim - max(1, constant_dims))


@frozen(eq=False)
class LinearLoss:
    """A loss per example, ``constant + <coefficients, y>``.

    Coefficients that require grad are differentiated too: the gradient of the expected loss then has
    a part that goes through the loss itself. Detach what should count as given.

    Args:
        coefficients: ``(*batch, *shape)``, floating point and finite; one number a part.
        constant: a number, or a tensor of shape ``(*batch)``.
        event_dims: how many trailing dimensions make up one structure. Only calling the loss needs it
            (an objective knows its space's shape). Unless given, the batch dimensions are those of
            ``constant``, or the first dimension alone.
        best: a structure of least loss, where it is known; it broadcasts to the shape of ``coefficients``. Objectives
            that learn from it solve for it otherwise. ``space.hamming`` and ``space.regret`` know it.

    ``loss[index]`` is the loss of some examples, as ``coefficients[index]`` is theirs.

    Raises:
        ArgumentError: for coefficients or a constant that are not floating point, or not finite. On a GPU it is the
            objective that refuses coefficients which are not finite.

    >>> loss = LinearLoss(torch.tensor([[1.0, 5.0, 2.0], [3.0, 0.0, 1.0]]), constant=-1.0)
    >>> loss(torch.tensor([[0.0, 1.0, 0.0], [0.0, 1.0, 0.0]]))
    tensor([ 4., -1.])
    >>> loss[:1](torch.tensor([[0.0, 1.0, 0.0]]))
    tensor([4.])
    """

    coefficients: Tensor = field(validator=_finite_floating)
    constant: Tensor | float = field(default=0.0, validator=_number_or_finite_tensor)
    event_dims: int = field(
        default=Factory(_one_batch_dim_or_those_of_constant, takes_self=True),
        validator=[positive_int, _no_more_than_there_are],
        kw_only=True,
    )
    best: Tensor | None = field(default=None, validator=_structure_like_the_coefficients, kw_only=True)

    def __getitem__(self, index: Any) -> LinearLoss:
        """The loss of the examples that the index picks from the batch: an integer, slice, tensor, or a tuple of them.

        Raises:
            ArgumentError: if the index reaches into the structures.
            IndexError: as a tensor raises it.
        """
        batch_dims = self.coefficients.ndim - self.event_dims
        if _dims_indexed(index) > batch_dims:
            raise argument_error("index", f"one of the {batch_dims} batch dimensions of the loss", index)
        constant = self.constant
        if isinstance(constant, Tensor):
            constant = constant.expand(self.coefficients.shape[:batch_dims])[index]
        best = None if self.best is None else self.best.expand_as(self.coefficients)[index]
        return LinearLoss(self.coefficients[index], constant, event_dims=self.event_dims, best=best)

    def __call__(self, y: Tensor) -> Tensor:
        """The loss of each structure: ``(*batch, *shape) -> (*batch)``; leading dimensions broadcast.

        Raises:
            ArgumentError: if y does not end in the structure's shape.
        """
        shape = self.coefficients.shape[-self.event_dims :]
        if validate_tensor("y", y).shape[-self.event_dims :] != shape:
            raise argument_error("y", f"a tensor whose last dimensions are {tuple(shape)}", y)
        return self.constant + inner(self.coefficients, y, self.event_dims)

    @classmethod
    def hamming(cls, target: Tensor, weights: Tensor | None = None, *, event_dims: int | None = None) -> LinearLoss:
        """The number of parts in which y differs from the target: ``sum_i weights_i |y_i - target_i|``.

        Args:
            target: ``(*batch, *shape)``, zeros and ones of any dtype.
            weights: broadcasts to the target's shape; 1 unless given.
            event_dims: see the class; unless given, all dimensions but the first.
        """
        target = as_floating("target", target)
        event_dims = _event_dims(event_dims, target)
        weights = torch.ones_like(target) if weights is None else as_floating("weights", weights)
        validate_broadcast("weights", weights, tuple(target.shape), "the target has it")
        weights = weights.expand_as(target)
        constant = inner(weights, target, event_dims)
        return cls(weights * (1 - 2 * target), constant, event_dims=event_dims)

    @classmethod
    def missed(cls, target: Tensor, *, event_dims: int | None = None) -> LinearLoss:
        """The number of the target's parts that y lacks: ``sum_i target_i (1 - y_i)``.

        Args:
            target: ``(*batch, *shape)``, zeros and ones of any dtype. It need not be a structure: all
                candidates of the right class, say.
            event_dims: see the class; unless given, all dimensions but the first.
        """
        target = as_floating("target", target)
        event_dims = _event_dims(event_dims, target)
        return cls(-target, target.flatten(-event_dims).sum(-1), event_dims=event_dims)

    @classmethod
    def squared_error(cls, values: Tensor, targets: Tensor) -> LinearLoss:
        """Squared error of the values that a matching puts in place: ``sum_ij (values_i - targets_j)^2 y_ij``.

        Exact, cross terms included, since each column takes the value of one row.

        Args:
            values: ``(*batch, rows)``, what each row carries.
            targets: ``(*batch, cols)``, what each column should receive.
        """
        values, targets = as_floating("values", values), as_floating("targets", targets)
        return cls((values[..., :, None] - targets[..., None, :]).square(), event_dims=2)


LinearLoss.__init__ = eager(LinearLoss.__init__)  # type: ignore[method-assign]  # torch.compile fails in that of attrs


def _dims_indexed(index: Any) -> float:
    """How many dimensions of a tensor the index uses up; infinitely many if that depends on the tensor."""
    parts = index if isinstance(index, tuple) else (index,)
    if any(part is None or part is Ellipsis for part in parts):
        return math.inf
    return sum(part.ndim if isinstance(part, Tensor) and part.dtype == torch.bool else 1 for part in parts)


def as_floating(name: str, tensor: Tensor) -> Tensor:
    """In float32 or finer, since the sums of half precision are not exact even for counts."""
    if not validate_tensor(name, tensor).is_floating_point():
        return tensor.to(torch.get_default_dtype())
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def _event_dims(event_dims: int | None, tensor: Tensor) -> int:
    return max(1, tensor.ndim - 1) if event_dims is None else validate_positive_int("event_dims", event_dims)
