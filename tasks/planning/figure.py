"""The regret over the degree, as a picture."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt

import structpred as sp
from tasks.common.files import whole_file
from tasks.common.report import standard_error
from tasks.planning.config import Result


def draw(results: Sequence[Result], output: Path) -> None:
    """One panel for each number of rows and noise, one line for each method, with the standard error over the seeds.

    Raises:
        ArgumentError: if there is nothing to draw.
    """
    if not results:
        raise sp.ArgumentError("results: expected results of the seeds that are reported, got none; run table first")
    panels = list(dict.fromkeys((result.run.rows, result.run.noise_width) for result in results))
    methods = list(dict.fromkeys(result.run.method for result in results))
    figure, axes = plt.subplots(1, len(panels), figsize=(4 * len(panels), 4), squeeze=False, layout="constrained")
    for axis, panel in zip(axes[0], panels, strict=True):
        of_panel = [result for result in results if (result.run.rows, result.run.noise_width) == panel]
        degrees = sorted({result.run.degree for result in of_panel})
        for method in methods:
            means, errors = [], []
            for degree in degrees:
                regrets = [100 * r.regret() for r in of_panel if (r.run.method, r.run.degree) == (method, degree)]
                means.append(statistics.fmean(regrets))
                errors.append(standard_error(regrets) if len(regrets) > 1 else 0.0)
            axis.errorbar(degrees, means, errors, label=method.value, marker=".", capsize=2)
        axis.set(title=f"{panel[0]:,} rows, noise {panel[1]:g}", xlabel="degree", ylabel="normalised regret, %")
        axis.set_yscale("log")
    axes[0][-1].legend(fontsize="small")
    with whole_file(output, "output") as unfinished:
        figure.savefig(unfinished, format="png", dpi=120)
    plt.close(figure)
