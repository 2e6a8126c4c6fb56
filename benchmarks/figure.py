"""Draws how steps and bare solvers grow: medians and quartiles over the size, both axes logarithmic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from benchmarks.measure import Quartiles, Result
from benchmarks.report import GROWTH, growing, slopes_of
from benchmarks.row import Unit
from tasks.common.files import whole_file

_SCALES = {Unit.SECONDS: (1e-3, "ms"), Unit.BYTES: (2**20, "MiB")}


def draw(results: Sequence[Result], path: Path) -> None:
    """Writes the picture: a panel for each of what grows, as far as it was measured."""
    slopes = slopes_of(results)
    figure, panels = plt.subplots(1, len(slopes), figsize=(3.2 * len(slopes), 3.2), squeeze=False)
    for panel, slope in zip(panels[0], slopes, strict=True):
        rows = growing(results, slope.group)
        _line(panel, rows, f"step, slope {slope.ours:.2f}", lambda row: row.ours)
        _line(panel, rows, f"{rows[0].reference.replace('`', '')}, {slope.theirs:.2f}", lambda row: row.theirs)
        panel.set_xscale("log")
        panel.set_yscale("log")
        panel.set_xlabel(GROWTH[slope.group])
        panel.set_ylabel(_SCALES[rows[0].unit][1])
        panel.legend(fontsize=7)
    figure.tight_layout()
    with whole_file(path, "output") as unfinished:
        figure.savefig(unfinished, dpi=110, format="png")
    plt.close(figure)


def _line(panel: Axes, rows: Sequence[Result], label: str, of: Callable[[Result], Quartiles]) -> None:
    sizes, scale = [row.size or 0.0 for row in rows], _SCALES[rows[0].unit][0]
    lows, medians, highs = zip(
        *((of(row).low / scale, of(row).median / scale, of(row).high / scale) for row in rows), strict=True
    )
    panel.plot(sizes, medians, marker=".", label=label)
    panel.fill_between(sizes, lows, highs, alpha=0.3)
