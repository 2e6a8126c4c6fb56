"""What came out, beside the paper's Table 3."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from tasks.common.settings import Scale
from tasks.knn.config import DataSet
from tasks.knn.results import Result

_KS = (1, 3, 5, 9)

# Test accuracy in percent at k = 1, 3, 5, 9.
_PAPER_ROWS = {
    (DataSet.MNIST, Scale.NONE): (99.1, 99.2, 99.3, 99.2),
    (DataSet.MNIST, Scale.ONE): (16.0, 53.84, 14.25, 41.53),
    (DataSet.MNIST, Scale.LEARNED): (99.34, 99.4, 99.4, 99.34),
    (DataSet.FASHION_MNIST, Scale.NONE): (89.8, 93.2, 93.5, 93.7),
    (DataSet.FASHION_MNIST, Scale.ONE): (92.5, 93.4, 93.3, 93.2),
    (DataSet.FASHION_MNIST, Scale.LEARNED): (92.6, 93.3, 94.0, 93.7),
    (DataSet.CIFAR_10, Scale.NONE): (24.9, 27.0, 39.6, 39.9),
    (DataSet.CIFAR_10, Scale.ONE): (23.1, 89.95, 90.85, 91.6),
    (DataSet.CIFAR_10, Scale.LEARNED): (29.6, 90.7, 91.25, 91.7),
}
PAPER_TABLE_3 = {(*row, k): percent for row, of_k in _PAPER_ROWS.items() for k, percent in zip(_KS, of_k, strict=True)}

_WIDTH = 96  # whatever the terminal's: a wrapped table cannot be read


def print_table(results: Sequence[Result], cells: Sequence[tuple[int, Scale]], console: Console) -> None:
    """One row for each k and noise setting: mean and sample standard deviation over the seeds, the rest medians."""
    title = "Accuracy of the k nearest neighbours' vote, in percent; the paper's figure in brackets"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, width=_WIDTH, padding=(0, 1, 0, 0))
    for heading in ("k", "sigma", "runs", "test", "", "held out", "non-zero", "sigma path", "images/s", "s/run"):
        table.add_column(heading, justify="right", no_wrap=True)
    for k, scale in cells:
        of_cell = [result for result in results if (result.run.k, result.run.scale) == (k, scale)]
        if not of_cell:
            continue
        paper = PAPER_TABLE_3.get((of_cell[0].run.training.dataset, scale, k))
        table.add_row(
            str(k),
            scale.label,
            str(len(of_cell)),
            _mean_and_spread([result.test for result in of_cell]),
            f"({paper:.2f})" if paper else "",
            _mean_and_spread([result.held_out for result in of_cell]),
            _path([[100 * epoch.measures.nonzero for epoch in result.epochs] for result in of_cell], "{:.0f}"),
            "" if scale is Scale.NONE else _path(_scales(of_cell), "{:.2f}"),
            f"{statistics.median(result.images_per_second for result in of_cell):,.0f}",
            f"{statistics.median(result.seconds for result in of_cell):.0f}",
        )
    console.print(table, crop=False)


def print_result(result: Result, console: Console) -> None:
    """One training in words."""
    run, last = result.run, result.epochs[-1].measures
    said = [f"{len(result.epochs)} epochs in {result.seconds:.0f} s at {result.images_per_second:,.0f} images/s"]
    if result.held_out is not None:
        said.append(f"held-out accuracy {100 * result.held_out:.2f} %")
    if result.test is not None:
        said.append(f"test accuracy {100 * result.test:.2f} %")
    console.print(
        f"{run.training.dataset.value}, k = {run.k}, sigma {run.scale.label}, seed {run.seed}: {'; '.join(said)}.\n"
        f"In the last epoch {100 * last.right:.1f} % of the noisy neighbours were right, and "
        f"{100 * last.nonzero:.1f} % of the queries had a gradient.",
        highlight=False,
    )


def _scales(results: Sequence[Result]) -> list[list[float]]:
    return [[epoch.measures.scale for epoch in result.epochs] for result in results]


def _mean_and_spread(fractions: Sequence[float | None]) -> str:
    percent = [100 * fraction for fraction in fractions if fraction is not None]
    if not percent:
        return ""
    spread = f" ± {statistics.stdev(percent):.2f}" if len(percent) > 1 else ""
    return f"{statistics.fmean(percent):.2f}{spread}"


def _path(paths: Sequence[Sequence[float]], form: str) -> str:
    """From the first epoch to the last, medians over the runs."""
    return "→".join(form.format(statistics.median(path[position] for path in paths)) for position in (0, -1))
