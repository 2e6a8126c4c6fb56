"""A line of the experiment's results, one training, and the table of many."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen
from rich.console import Console

from tasks.common.treebank import results as treebank
from tasks.parsing.config import Method, Run
from tasks.parsing.measures import Measures

_MEASURES = (
    treebank.Measure[Measures]("UAS", lambda own: own.uas, lambda own: own.heads),
    treebank.Measure[Measures]("LAS", lambda own: own.las, lambda own: own.labelled),
    treebank.Measure[Measures]("whole\ntrees", lambda own: own.trees, lambda own: own.whole),
)


@frozen(kw_only=True)
class Result(treebank.Result[Measures]):
    """What was trained, and what came of it."""

    run: Run
    dev: Measures
    test: Measures | None
    """None if not asked for."""


def print_results(results: Sequence[Result], console: Console, *, test: bool) -> None:
    """A row for each method, compared with cross-entropy."""
    title = "Percent of words with the right head"
    treebank.print_results(title, _MEASURES, results, Method.CROSS_ENTROPY, console, test=test)
