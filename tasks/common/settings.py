"""Settings that the experiments share, and what keeps them in bounds."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from attrs import Attribute, field, frozen, validators
from torch import Tensor


class Scale(enum.Enum):
    """The noise settings of the paper's Tables 1 and 3, and the library's own."""

    NONE = "none"
    """sigma = 0, classical direct loss minimization."""
    ONE = "one"
    """sigma = 1."""
    LEARNED = "learned"
    """sigma from its own network."""
    ADAPTIVE = "adaptive"
    """One sigma that the objective moves, the library's default."""

    @property
    def label(self) -> str:
        """How a table names it."""
        return {Scale.NONE: "sigma 0", Scale.ONE: "sigma 1"}.get(self, self.value)

    def require(self, wanted: Scale | None, method: str) -> None:
        """Raises ``ValueError`` unless it is the noise that the method comes with; None is any."""
        if wanted not in (None, self):
            raise ValueError(f"scale: expected {wanted.value}, as {method} has it, got {self.value}")

    def sigma(self, learned: Callable[[], Tensor]) -> Tensor | float | None:
        """Sigma as an objective takes it; ``learned`` computes it, and is called where a network learns it."""
        match self:
            case Scale.NONE | Scale.ADAPTIVE:
                return None
            case Scale.ONE:
                return 1.0
            case Scale.LEARNED:
                return learned()


class Optimizer(enum.Enum):
    """What trains a network."""

    SGD = "sgd"
    ADAM = "adam"

    def create(self, parameters: Iterable[Tensor], rate: float) -> torch.optim.Optimizer:
        match self:
            case Optimizer.SGD:
                return torch.optim.SGD(parameters, lr=rate)
            case Optimizer.ADAM:
                return torch.optim.Adam(parameters, lr=rate)


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


@frozen
class Seeds:
    """Which repetitions of each cell a table has."""

    repetitions: int = field(validator=at_least_one)
    """How many runs each cell of the table has."""
    first_seed: int = field(default=0, validator=not_negative)
    """The seeds are this one and those after it."""

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.first_seed, self.first_seed + self.repetitions))
