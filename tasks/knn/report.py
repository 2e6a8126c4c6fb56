"""What came out, beside the paper's Table 3."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from rich.console import Console

from tasks.common.report import Column, count, mean, median, median_path
from tasks.common.settings import Scale
from tasks.knn.config import DataSet, Method, Run
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
_PAPER_BASELINES: dict[tuple[DataSet, Method], tuple[float | None, ...]] = {
    (DataSet.MNIST, Method.NEURAL_SORT): (99.2, 99.5, 99.3, 99.3),
    (DataSet.MNIST, Method.STOCHASTIC_NEURAL_SORT): (99.1, 99.3, 99.4, 99.4),
    (DataSet.MNIST, Method.RELAX_SUBSAMPLE): (None, None, 99.3, None),
    (DataSet.FASHION_MNIST, Method.NEURAL_SORT): (92.6, 93.2, 93.5, 93.0),
    (DataSet.FASHION_MNIST, Method.STOCHASTIC_NEURAL_SORT): (92.2, 93.1, 93.3, 93.4),
    (DataSet.FASHION_MNIST, Method.RELAX_SUBSAMPLE): (None, None, 93.6, None),
    (DataSet.CIFAR_10, Method.NEURAL_SORT): (88.7, 90.0, 90.2, 90.7),
    (DataSet.CIFAR_10, Method.STOCHASTIC_NEURAL_SORT): (85.1, 87.8, 88.0, 89.5),
    (DataSet.CIFAR_10, Method.RELAX_SUBSAMPLE): (None, None, 90.1, None),
}
PAPER_TABLE_3 = {(*row, k): percent for row, of_k in _PAPER_ROWS.items() for k, percent in zip(_KS, of_k, strict=True)}
PAPER_BASELINES = {
    (*row, k): percent for row, of_k in _PAPER_BASELINES.items() for k, percent in zip(_KS, of_k, strict=True)
}

_LABELS = {
    Method.NEURAL_SORT: "NeuralSort",
    Method.STOCHASTIC_NEURAL_SORT: "NeuralSort*",
    Method.RELAX_SUBSAMPLE: "RelaxSub",
}

TITLE = "Accuracy of the k nearest neighbours' vote in percent (the paper's figure); *: stochastic"
WIDTH = 108  # of the table: the baselines have long names


def paper_percent(run: Run) -> float | None:
    """The figure of Table 3 for the run's data, method, noise and k; None where it has none."""
    if run.method is Method.DIRECT:
        return PAPER_TABLE_3.get((run.training.dataset, run.scale, run.k))
    return PAPER_BASELINES.get((run.training.dataset, run.method, run.k))


def _paper(results: Sequence[Result]) -> str:
    percent = paper_percent(results[0].run)
    return f"({percent:.2f})" if percent else ""


def _accuracy(fractions: Sequence[float | None]) -> str:
    return mean([100 * fraction for fraction in fractions if fraction is not None], statistics.stdev)


def described(run: Run) -> str:
    """The method, as a table names it: of the direct loss the noise, of which it has a choice."""
    if run.method is not Method.DIRECT:
        return _LABELS[run.method]
    return run.scale.label


def _nonzero_path(results: Sequence[Result]) -> str:
    direct = [result for result in results if result.run.method is Method.DIRECT]
    return median_path([[100 * epoch.measures.nonzero for epoch in result.epochs] for result in direct], ".0f")


def _sigma_path(results: Sequence[Result]) -> str:
    noisy = [result for result in results if result.run.scale is not Scale.NONE]
    return median_path([[epoch.measures.scale for epoch in result.epochs] for result in noisy], ".2f")


# Mean and sample standard deviation of the accuracies over the seeds; the rest are medians.
COLUMNS = (
    Column[Result]("k", lambda results: str(results[0].run.k)),
    Column[Result]("method", lambda results: described(results[0].run)),
    Column[Result]("runs", count),
    Column[Result]("test", lambda results: _accuracy([result.test for result in results])),
    Column("", _paper),
    Column[Result]("held out", lambda results: _accuracy([result.held_out for result in results])),
    Column("non-zero", _nonzero_path),
    Column("sigma path", _sigma_path),
    Column[Result]("images/s", lambda results: median([result.images_per_second for result in results], ",.0f")),
    Column[Result]("s/run", lambda results: median([result.seconds for result in results], ".0f")),
)


def print_result(result: Result, console: Console) -> None:
    """One training in words."""
    run, last = result.run, result.epochs[-1].measures
    said = [f"{len(result.epochs)} epochs in {result.seconds:.0f} s at {result.images_per_second:,.0f} images/s"]
    if result.held_out is not None:
        said.append(f"held-out accuracy {100 * result.held_out:.2f} %")
    if result.test is not None:
        said.append(f"test accuracy {100 * result.test:.2f} %")
    ending = f", and {100 * last.nonzero:.1f} % of the queries had a gradient" if run.method is Method.DIRECT else ""
    console.print(
        f"{run.training.dataset.value}, k = {run.k}, {described(run)}, seed {run.seed}: {'; '.join(said)}.\n"
        f"In the last epoch {100 * last.right:.1f} % of the noisy neighbours were right{ending}.",
        highlight=False,
    )
