"""Configs and results from plain JSON values, each field held to its type, and back."""

from __future__ import annotations

import enum
import functools
import math
import types
import typing
from typing import Any

import attrs


def structure(kind: Any, value: Any, name: str = "") -> Any:
    """The ``kind`` whose plain JSON value this is.

    Args:
        kind: an attrs class, an enum, ``X | None``, ``list[X]``, ``dict[str, Any]``, float, int, bool or str.
        value: what ``json.loads`` returned.
        name: how messages name it; the fields of a class are named after it, as in ``epochs[0].seconds``.

    Raises:
        ValueError: if the value is of another type, a number that is not finite, or lacks a field.
    """
    if attrs.has(kind):
        return _object(kind, value, name)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is types.UnionType:
        return None if value is None else structure(arguments[0], value, name)
    if origin is list:
        entries = _require(isinstance(value, list), "a list", value, name)
        return [structure(arguments[0], entry, f"{name}[{index}]") for index, entry in enumerate(entries)]
    if origin is dict:
        return _require(isinstance(value, dict), "an object", value, name)
    if issubclass(kind, enum.Enum):
        choices = [member.value for member in kind]
        return kind(_require(value in choices, f"one of {', '.join(choices)}", value, name))
    if kind is float:
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        return float(_require(number, "a finite number", value, name))
    said = {int: "an integer", bool: "true or false", str: "a string"}[kind]
    return _require(type(value) is kind, said, value, name)


def plain(value: attrs.AttrsInstance) -> dict[str, Any]:
    """A config or result as plain JSON values, enums by value, to write and to compare."""
    return attrs.asdict(
        value, value_serializer=lambda _, __, entry: entry.value if isinstance(entry, enum.Enum) else entry
    )


_type_hints = functools.cache(typing.get_type_hints)  # to look them up takes longer than all the rest


def _object(kind: Any, value: Any, name: str) -> Any:
    _require(isinstance(value, dict), "an object", value, name)
    inside = f"{name}." if name else ""
    fields = {field.name for field in attrs.fields(kind)}
    for missing in sorted(fields - value.keys()):
        raise ValueError(f"{inside}{missing}: expected a value, got none")
    for unknown in sorted(value.keys() - fields):
        raise ValueError(f"{inside}{unknown}: expected no such field")
    hints = _type_hints(kind)
    return kind(**{field: structure(hints[field], entry, f"{inside}{field}") for field, entry in value.items()})


def _require(holds: bool, expected: str, value: Any, name: str) -> Any:
    if not holds:
        raise ValueError(f"{name or 'the line'}: expected {expected}, got {value!r}")
    return value
