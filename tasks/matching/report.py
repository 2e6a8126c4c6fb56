"""What came out, beside the paper's Table 4."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import Console

from tasks.common.report import Column, count, mean, median, standard_error
from tasks.matching.config import Method
from tasks.matching.results import Result
from tasks.matching.train import Measures

PAPER_TABLE_4 = {4: 98.32, 8: 99.92, 16: 99.06, 24: 92.06}
"""Percent of grids with an optimal matching; means of five restarts."""

TITLE = "Percent of grids with an optimal matching; the paper's figures in brackets"


def _optimal(
    measures: Callable[[Result], Measures | None], spread: Callable[[Sequence[float]], float] | None = None
) -> Callable[[Sequence[Result]], str]:
    def text(results: Sequence[Result]) -> str:
        known = [found for result in results if (found := measures(result)) is not None]
        return mean([100 * found.optimal for found in known], spread, ".1f")

    return text


def _edges(results: Sequence[Result]) -> str:
    return mean([100 * result.test.edges for result in results if result.test is not None], form=".1f")


def _paper(results: Sequence[Result]) -> str:
    run = results[0].run
    published = run.method is Method.BLACKBOX_PAPER and run.k in PAPER_TABLE_4
    return f"({PAPER_TABLE_4[run.k]:.1f})" if published else ""


# Spreads are standard errors of the mean over the runs.
COLUMNS = (
    Column[Result]("k", lambda results: str(results[0].run.k)),
    Column[Result]("method", lambda results: results[0].run.method.value),
    Column[Result]("learns\nfrom", lambda results: "weights" if results[0].run.method.knows_weights else "target"),
    Column[Result]("runs", count),
    Column[Result]("images\ntrained on", _optimal(lambda result: result.trained_on, standard_error)),
    Column[Result]("", _paper),
    Column[Result]("held\nout", _optimal(lambda result: result.held_out)),
    Column[Result]("test", _optimal(lambda result: result.test, standard_error)),
    Column[Result]("edges,\ntest", _edges),
    Column[Result]("s/run", lambda results: median([result.seconds for result in results], ".0f")),
)


def print_measures(held_out: Measures, seconds: float, console: Console) -> None:
    """One training in words."""
    console.print(
        f"Trained in {seconds:.0f} s. Of grids of held-out images, {100 * held_out.optimal:.1f} % have an optimal "
        f"matching; {100 * held_out.edges:.1f} % of the edges are the target's."
    )
