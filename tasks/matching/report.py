"""What came out, beside the paper's Table 4."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import Console

from tasks.common.report import Column, count, mean, median, standard_error
from tasks.matching.config import Method
from tasks.matching.results import Result
from tasks.matching.train import Measures

PAPER_TABLE_4 = {4: (98.32, 0.24), 8: (99.92, 0.01), 16: (99.06, 0.57), 24: (92.06, 7.97)}
"""Percent of test grids with an optimal matching, and its standard deviation over five restarts."""

TITLE = "Perfect matchings of grids of unseen digits, in percent; the paper's figures in brackets"


def _percent(
    of: Callable[[Measures], float], measured: Callable[[Result], Measures | None]
) -> Callable[[Sequence[Result]], str]:
    def text(results: Sequence[Result]) -> str:
        known = [measures for result in results if (measures := measured(result)) is not None]
        return mean([100 * of(measures) for measures in known], standard_error, ".1f")

    return text


def _paper(results: Sequence[Result]) -> str:
    run = results[0].run
    if run.method is not Method.BLACKBOX_PAPER or run.k not in PAPER_TABLE_4:
        return ""
    return "({:.1f} ± {:.1f})".format(*PAPER_TABLE_4[run.k])


# With standard errors of the mean over the runs; the paper's are standard deviations.
COLUMNS = (
    Column[Result]("k", lambda results: str(results[0].run.k)),
    Column[Result]("method", lambda results: results[0].run.method.value),
    Column[Result]("runs", count),
    Column[Result]("test:\noptimal", _percent(lambda m: m.optimal, lambda r: r.test)),
    Column[Result]("\nedges", _percent(lambda m: m.edges, lambda r: r.test)),
    Column[Result]("held out:\noptimal", _percent(lambda m: m.optimal, lambda r: r.held_out)),
    Column[Result]("trained on:\noptimal", _percent(lambda m: m.optimal, lambda r: r.trained_on)),
    Column[Result]("", _paper),
    Column[Result]("s/run", lambda results: median([r.seconds for r in results], ".0f")),
)


def print_result(result: Result, console: Console) -> None:
    """One training in words."""
    found = result.held_out
    console.print(
        f"Trained in {result.seconds:.0f} s. Of grids of held-out digits, {100 * found.optimal:.1f} % have an optimal "
        f"matching; {100 * found.edges:.1f} % of the edges are the target's."
    )
