"""What came out, beside the paper's Table 1."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from tasks.common.settings import Scale
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

_WIDTH = 96  # whatever the terminal's: a wrapped table cannot be read


def print_table(results: Sequence[Result], cells: Sequence[tuple[int, Scale]], console: Console) -> None:
    """One row for each length and noise setting; epochs, seconds and sigma are medians over the runs.

    The last column is the mean sigma of the training lists, in the first epoch and in the last.
    """
    title = "Sorting an unseen list without noise, in percent; the paper's figures in brackets"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, width=_WIDTH, padding=(0, 1, 0, 0))
    for heading in ("d", "sigma", "runs", "perfect", "", "wrong ± std", "", "epochs", "s/run", "sigma,\nfirst→last"):
        table.add_column(heading, justify="right", no_wrap=True)
    for length, scale in cells:
        outcomes = [r.outcome for r in results if (r.length, r.scale) == (length, scale)]
        if not outcomes:
            continue
        wrong = [100 * outcome.wrong for outcome in outcomes]
        paper = PAPER_TABLE_1.get((length, scale))
        paths = [outcome.scale_path for outcome in outcomes if outcome.scale_path]
        table.add_row(
            str(length),
            scale.label,
            str(len(outcomes)),
            f"{100 * sum(outcome.perfect for outcome in outcomes) / len(outcomes):.1f}",
            f"({paper[0]:.1f})" if paper else "",
            f"{statistics.fmean(wrong):.2f} ± {statistics.pstdev(wrong):.2f}",
            f"({paper[1]:.1f} ± {paper[2]:.1f})" if paper else "",
            f"{statistics.median(outcome.epochs for outcome in outcomes):.0f}",
            f"{statistics.median(outcome.seconds for outcome in outcomes):.2f}",
            f"{_median_of(paths, 0)}→{_median_of(paths, -1)}" if paths else "",
        )
    console.print(table, crop=False)


def _median_of(paths: Sequence[Sequence[float]], position: int) -> str:
    return f"{statistics.median(path[position] for path in paths):.2f}"


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
