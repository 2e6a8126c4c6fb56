"""Checks of arguments that more than one module makes."""

from __future__ import annotations

import math
import numbers
from typing import Any

import attrs
from torch import Tensor

from structpred.errors import Words, argument_error


def positive_int(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """An attrs validator: an integer of at least 1."""
    validate_positive_int(attribute.name, value)


def validate_positive_int(name: str, value: object) -> int:
    """Returns the value as an int; raises ``ArgumentError`` unless it is an integer >= 1."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < 1:
        raise argument_error(name, "an integer of at least 1", value)
    return int(value)


def validate_finite_number(name: str, value: object) -> float:
    """Returns the value as a float; raises ``ArgumentError`` unless it is a finite real number."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool) or not math.isfinite(value):
        raise argument_error(name, "a finite number", value)
    return float(value)


def validate_tensor(name: str, value: object) -> Tensor:
    """Returns the value; raises ``ArgumentError`` unless it is a tensor."""
    if not isinstance(value, Tensor):
        raise argument_error(name, "a torch tensor", value, f"write torch.as_tensor({name})")
    return value


def validate_floating(name: str, value: object) -> Tensor:
    """Returns the value; raises ``ArgumentError`` unless it is a floating point tensor."""
    tensor = validate_tensor(name, value)
    if not tensor.is_floating_point():
        raise argument_error(name, "a floating point tensor", tensor, f"write {name}.float()")
    return tensor


def validate_same_device(name: str, value: Tensor, scores: Tensor) -> None:
    """Raises ``ArgumentError`` unless the value is where the scores are."""
    if value.device != scores.device:
        raise argument_error(
            name,
            f"a tensor on {scores.device}, where the scores are",
            Words(f"one on {value.device}"),
            f"write {name}.to(scores.device)",
        )


def validate_broadcast(name: str, tensor: Tensor, shape: tuple[int, ...], whose: str) -> None:
    """Raises ``ArgumentError`` unless the tensor broadcasts to exactly ``shape``."""
    own = tuple(tensor.shape)
    fits = len(own) <= len(shape) and all(
        have in (1, want) for have, want in zip(reversed(own), reversed(shape), strict=False)
    )
    if not fits:
        raise argument_error(name, f"a tensor that broadcasts to {shape}, as {whose}", tensor)
