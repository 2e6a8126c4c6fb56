"""What one training run is, as a frozen value."""

from __future__ import annotations

import enum
from typing import Any

from attrs import field, frozen

from tasks.common.settings import at_least_one, not_negative
from tasks.planning.data import Knapsacks, Problem, ShortestPaths
from tasks.planning.objectives import Method
from tasks.planning.train import Training


class Kind(enum.Enum):
    """Which plans."""

    PATHS = "paths"
    """Shortest paths through a grid."""
    KNAPSACK = "knapsack"
    """Items within one capacity."""
    KNAPSACK_2 = "knapsack-2"
    """Items within the capacities of two resources, an integer program, which takes a hundred times as long."""
    KNAPSACK_3 = "knapsack-3"

    @property
    def usual_size(self) -> int:
        return 5 if self is Kind.PATHS else 32


@frozen
class Run:
    """The trainings of one method on one data seed, one for each of its knobs."""

    kind: Kind
    size: int = field(validator=at_least_one)
    """The side of the grid, or the number of items."""
    degree: int = field(validator=at_least_one)
    rows: int = field(validator=at_least_one)
    """To train on; 1,000 others are to be judged by."""
    noise_width: float
    method: Method
    training: Training
    seed: int = field(validator=not_negative)

    @property
    def problem(self) -> Problem:
        settings: dict[str, Any] = {
            "degree": self.degree,
            "noise_width": self.noise_width,
            "train_rows": self.rows,
        }
        match self.kind:
            case Kind.PATHS:
                return ShortestPaths(height=self.size, width=self.size, **settings)
            case Kind.KNAPSACK:
                return Knapsacks(items=self.size, **settings)
            case Kind.KNAPSACK_2:
                return Knapsacks(items=self.size, resources=2, **settings)
            case Kind.KNAPSACK_3:
                return Knapsacks(items=self.size, resources=3, **settings)


@frozen
class Result:
    """What came of it."""

    run: Run
    knobs: list[float]
    regrets: list[float]
    """The normalised regret on the test rows, for each knob."""
    untrained: float
    """That of the network at the start."""
    seconds: float
    """For all knobs of this seed together, as a share of the batch that it was trained in."""
    commit: str

    def regret(self, knob: float | None = None) -> float:
        """That of one knob, the method's default unless given."""
        return self.regrets[self.knobs.index(self.run.method.default if knob is None else knob)]
