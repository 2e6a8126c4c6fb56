"""What came out, beside the paper's Table 1."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from rich.console import Console

from tasks.common.report import Column, count, mean, median, median_path
from tasks.common.settings import Scale
from tasks.sorting.config import Method, Run
from tasks.sorting.results import Result

# Percent of test sequences sorted without error, mean and standard deviation of the percent of wrong
# positions, over 200 repetitions.
PAPER_TABLE_1 = {
    (5, Scale.NONE): (98.5, 0.6, 4.9), (5, Scale.ONE): (100.0, 0.0, 0.0), (5, Scale.LEARNED): (100.0, 0.0, 0.0),
    (10, Scale.NONE): (97.0, 0.6, 3.4), (10, Scale.ONE): (100.0, 0.0, 0.0), (10, Scale.LEARNED): (100.0, 0.0, 0.0),
    (25, Scale.NONE): (89.5, 0.9, 2.8), (25, Scale.ONE): (97.5, 0.3, 1.7), (25, Scale.LEARNED): (97.5, 0.3, 1.6),
    (40, Scale.NONE): (84.5, 1.2, 4.5), (40, Scale.ONE): (90.5, 0.6, 2.2), (40, Scale.LEARNED): (91.6, 0.5, 1.6),
    (60, Scale.NONE): (82.0, 0.9, 2.6), (60, Scale.ONE): (80.0, 0.9, 2.2), (60, Scale.LEARNED): (83.3, 0.7, 1.8),
    (100, Scale.NONE): (74.9, 1.4, 6.9), (100, Scale.ONE): (68.5, 1.2, 2.4), (100, Scale.LEARNED): (76.8, 0.9, 2.1),
}  # fmt: skip
PAPER_GUMBEL_SINKHORN = {
    5: (100.0, 0.0, 0.0), 10: (100.0, 0.0, 0.0), 25: (87.5, 1.0, 3.0), 40: (83.5, 1.0, 5.0), 60: (21.0, 5.0, 9.0),
    100: (0.0, 11.3, 11.2),
}  # fmt: skip

TITLE = "Sorting an unseen list without noise, in percent; the paper's figures in brackets"


def _paper(form: str, *places: int) -> Callable[[Sequence[Result]], str]:
    """The paper's figures at these places, in brackets, where it has the cell."""

    def text(results: Sequence[Result]) -> str:
        length, scale, method = results[0].length, results[0].scale, results[0].method
        of_direct = PAPER_TABLE_1.get((length, scale))
        figures = of_direct if method is Method.DIRECT else PAPER_GUMBEL_SINKHORN.get(length)
        return form.format(*(figures[place] for place in places)) if figures else ""

    return text


def described(run: Run) -> str:
    """The method, as a table names it: of the direct loss the noise, of which it has a choice."""
    if run.method is Method.GUMBEL_SINKHORN:
        return "Sinkhorn"
    return run.scale.label


# Epochs, seconds and sigma are medians over the runs; sigma is the mean of the training lists, in the first epoch and
# in the last.
COLUMNS = (
    Column[Result]("d", lambda results: str(results[0].length)),
    Column[Result]("method", lambda results: described(results[0].run)),
    Column[Result]("runs", count),
    Column[Result]("perfect", lambda results: mean([100.0 * r.outcome.perfect for r in results], form=".1f")),
    Column("", _paper("({:.1f})", 0)),
    Column[Result]("wrong ± std", lambda results: mean([100 * r.outcome.wrong for r in results], statistics.pstdev)),
    Column("", _paper("({:.1f} ± {:.1f})", 1, 2)),
    Column[Result]("epochs", lambda results: median([r.outcome.epochs for r in results], ".0f")),
    Column[Result]("s/run", lambda results: median([r.outcome.seconds for r in results], ".2f")),
    Column[Result](
        "sigma,\nfirst→last",
        lambda results: median_path([r.outcome.scale_path for r in results if r.outcome.scale_path], ".2f"),
    ),
)


def print_outcome(result: Result, console: Console) -> None:
    """One repetition in words."""
    outcome = result.outcome
    misplaced = round(outcome.wrong * result.length)
    console.print(
        f"{outcome.epochs} epochs in {outcome.seconds:.1f} s, last training loss {outcome.train_loss:.4g}; "
        f"the unseen sequence has {misplaced} of {result.length} numbers out of place."
    )
    if outcome.scale_path:
        console.print("sigma along the way: " + " ".join(f"{sigma:.2f}" for sigma in outcome.scale_path))
