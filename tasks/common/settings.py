"""Settings that both experiments have, and what keeps them in bounds."""

from __future__ import annotations

import enum
import math
from typing import Any

from attrs import Attribute, validators


class Scale(enum.Enum):
    """The three noise settings of the paper's Tables 1 and 3."""

    NONE = "none"
    """sigma = 0, classical direct loss minimization."""
    ONE = "one"
    """sigma = 1."""
    LEARNED = "learned"
    """sigma from its own network."""

    @property
    def label(self) -> str:
        """How a table names it."""
        return {Scale.NONE: "0", Scale.ONE: "1", Scale.LEARNED: "learned"}[self]


class Optimizer(enum.Enum):
    """What trains a network of sigma."""

    SGD = "sgd"
    ADAM = "adam"


at_least_one = validators.ge(1)
not_negative = validators.ge(0)


def positive(_: object, attribute: Attribute[Any], value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{attribute.name}: expected a positive finite number, got {value}")


def nonzero(_: object, attribute: Attribute[Any], value: float) -> None:
    if not math.isfinite(value) or value == 0:
        raise ValueError(f"{attribute.name}: expected a finite number other than 0, got {value}")


def some_at_least_one(_: object, attribute: Attribute[Any], numbers: tuple[int, ...]) -> None:
    if not numbers or min(numbers) < 1:
        raise ValueError(f"{attribute.name}: expected integers of at least 1, got {numbers}")
