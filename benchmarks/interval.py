"""Intervals of 95 %, and how the paper's figure lies to them."""

from __future__ import annotations

import enum
import math
import statistics
from collections.abc import Sequence

from attrs import frozen
from scipy import stats

_LEVEL = 0.95


class Beside(enum.Enum):
    """How an interval of ours lies to the paper's figure."""

    AROUND = "="
    HIGHER = "↑"
    LOWER = "↓"


@frozen
class Interval:
    """A figure in percent, and the ends of its interval."""

    value: float
    low: float
    high: float

    @classmethod
    def wilson(cls, successes: int, trials: int) -> Interval:
        """Of a share, by Wilson's score; ``trials`` is at least 1."""
        ends = stats.binomtest(successes, trials).proportion_ci(_LEVEL, method="wilson")
        return cls(100 * successes / trials, 100 * ends.low, 100 * ends.high)

    @classmethod
    def student(cls, percents: Sequence[float]) -> Interval:
        """Of the mean of two values or more, by Student's t; of values that are all the same, the value itself."""
        mean, error = statistics.fmean(percents), statistics.stdev(percents) / math.sqrt(len(percents))
        reach = error * stats.t.ppf((1 + _LEVEL) / 2, len(percents) - 1)
        return cls(mean, mean - reach, mean + reach)

    def beside(self, paper: float) -> Beside:
        """Where our interval lies, seen from the paper's figure, to its two digits."""
        if round(self.low, 2) > paper:
            return Beside.HIGHER
        return Beside.LOWER if round(self.high, 2) < paper else Beside.AROUND
