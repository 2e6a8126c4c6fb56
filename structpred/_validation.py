"""Validation of arguments: functions that raise ``ArgumentError``, and the attrs validators made of them."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from typing import Any

import attrs
from torch import Tensor

from structpred.errors import Words, argument_error

Validator = Callable[[object, "attrs.Attribute[Any]", object], None]


def attrs_validator(validate: Callable[[str, object], object]) -> Validator:
    """An attrs validator of a function that takes the argument's name and value."""

    def validator(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
        validate(attribute.name, value)

    return validator


def validate_positive_int(name: str, value: object) -> int:
    """Returns the value as an int; raises ``ArgumentError`` unless it is an integer >= 1."""
    return _validate_int(name, value, 1)


def validate_nonnegative_int(name: str, value: object) -> int:
    """Returns the value as an int; raises ``ArgumentError`` unless it is an integer >= 0."""
    return _validate_int(name, value, 0)


def _validate_int(name: str, value: object, least: int) -> int:
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < least:
        raise argument_error(name, f"an integer of at least {least}", value)
    return int(value)


def validate_finite_number(name: str, value: object) -> float:
    """Returns the value as a float; raises ``ArgumentError`` unless it is a finite real number."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool) or not math.isfinite(value):
        raise argument_error(name, "a finite number", value)
    return float(value)


def validate_nonzero_number(name: str, value: object) -> float:
    """Returns the value as a float; raises ``ArgumentError`` unless it is finite and not 0."""
    number = validate_finite_number(name, value)
    if number == 0:
        raise argument_error(name, "a finite number other than 0", value, "negative moves towards better structures")
    return number


def validate_positive_number(name: str, value: object) -> float:
    """Returns the value as a float; raises ``ArgumentError`` unless it is finite and positive."""
    number = validate_finite_number(name, value)
    if number <= 0:
        raise argument_error(name, "a positive number", value)
    return number


def validate_nonnegative_number(name: str, value: object) -> float:
    """Returns the value as a float; raises ``ArgumentError`` unless it is finite and at least 0."""
    number = validate_finite_number(name, value)
    if number < 0:
        raise argument_error(name, "a number of at least 0", value)
    return number


def validate_above_one(name: str, value: object) -> float:
    """Returns the value as a float; raises ``ArgumentError`` unless it is finite and above 1."""
    number = validate_finite_number(name, value)
    if number <= 1:
        raise argument_error(name, "a number above 1", value)
    return number


def validate_at_least_one(name: str, value: object) -> float:
    """Returns the value as a float; raises ``ArgumentError`` unless it is finite and at least 1."""
    number = validate_finite_number(name, value)
    if number < 1:
        raise argument_error(name, "a number of at least 1", value)
    return number


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


positive_int = attrs_validator(validate_positive_int)
nonnegative_int = attrs_validator(validate_nonnegative_int)
nonzero_number = attrs_validator(validate_nonzero_number)
nonnegative_number = attrs_validator(validate_nonnegative_number)
positive_number = attrs_validator(validate_positive_number)
above_one = attrs_validator(validate_above_one)
at_least_one_number = attrs_validator(validate_at_least_one)
