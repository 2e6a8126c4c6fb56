"""A results file of the sorting experiment: one JSON line a repetition."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from tasks.common import results
from tasks.common.settings import Scale
from tasks.sorting.train import Outcome


@frozen
class Result:
    """One line: what was run, and what came of it."""

    length: int
    scale: Scale
    training: dict[str, Any]
    """The fields of ``Training``, enums by value, as ``plain`` returns them."""
    outcome: Outcome
    commit: str


class ResultsFile(results.ResultsFile[Result]):
    """The results of repetitions."""

    result = Result
