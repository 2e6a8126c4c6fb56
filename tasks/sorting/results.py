"""A line of the sorting experiment's results: one repetition."""

from __future__ import annotations

from attrs import field, frozen

from tasks.common.settings import Scale
from tasks.sorting.config import Method, Run, Training
from tasks.sorting.train import Outcome


@frozen
class Result:
    """What was run, and what came of it."""

    length: int
    scale: Scale
    training: Training
    outcome: Outcome
    commit: str
    method: Method = field(default=Method.DIRECT, kw_only=True)

    @property
    def run(self) -> Run:
        return Run(self.training, self.length, self.scale, self.outcome.seed, method=self.method)
