"""Draws what the axes say: the error, relative to the default's, over one setting at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
from attrs import frozen
from matplotlib.axes import Axes

from benchmarks.study.axes import AXES, CELLS, DEFAULT
from benchmarks.study.problems import Kind, Result
from benchmarks.study.report import Errors, errors_of, relative
from benchmarks.study.setting import Setting
from tasks.common.files import whole_file


@frozen
class Line:
    """One axis in a plot."""

    label: str
    axis: str
    where: Callable[[Setting], bool] = lambda _: True


@frozen
class Plot:
    """One question."""

    title: str
    along: str
    """The field of ``Setting`` that is varied."""
    along_in_words: str
    lines: Sequence[Line]


PLOTS = (
    Plot(
        "How large a step?",
        "ratio",
        "step, in units of noise and loss",
        [Line("with a margin of 0.05", "step"), Line("without", "step without margin")],
    ),
    Plot("How large a margin?", "margin", "margin, as a share of the step", [Line("of a step of 256 units", "margin")]),
    Plot(
        "Which sigma?",
        "sigma",
        "sigma",
        [Line("adaptive, from this start", "start of adaptive sigma"), Line("fixed", "fixed sigma")],
    ),
    Plot(
        "Which learning rate?",
        "rate",
        "learning rate / the task's own",
        [
            Line("adaptive sigma", "rate"),
            Line("sigma fixed at 1", "rate at a fixed sigma", lambda setting: setting.sigma == 1),
        ],
    ),
    Plot("How many draws?", "draws", "draws", [Line("", "draws")]),
)


def draw(results: Sequence[Result], path: Path) -> None:
    """Writes the picture: a row for each problem, a column for each question."""
    errors = errors_of(results)
    kinds = [kind for kind in Kind if any(cell.kind is kind for cell, _ in errors)]
    size = (3.2 * len(PLOTS), 2.8 * len(kinds))
    figure, axes = plt.subplots(len(kinds), len(PLOTS), figsize=size, squeeze=False, sharey=True)
    for row, kind in zip(axes, kinds, strict=True):
        for panel, plot in zip(row, PLOTS, strict=True):
            _panel(panel, plot, kind, errors)
        row[0].set_ylabel(f"{kind.value}: error / default's")
    for panel, plot in zip(axes[0], PLOTS, strict=True):
        panel.set_title(plot.title)
    figure.tight_layout()
    with whole_file(path, "output") as unfinished:
        figure.savefig(unfinished, dpi=110, format="png")
    plt.close(figure)


def _panel(panel: Axes, plot: Plot, kind: Kind, errors: Errors) -> None:
    cells = [cell for cell in CELLS if cell.kind is kind and (cell, DEFAULT) in errors]
    for line in plot.lines:
        tried = [setting for setting in AXES[line.axis] if line.where(setting)]
        measured = [(setting, relative(errors, cells, setting)) for setting in tried]
        points = [(abs(getattr(setting, plot.along) or 0), y) for setting, y in measured if y is not None]
        if points:
            panel.plot(*zip(*points, strict=True), marker=".", label=line.label or None)
    panel.axhline(1, color="grey", linewidth=0.5)
    if plot.along == "margin":
        panel.set_xscale("symlog", linthresh=0.0125)
    else:
        panel.set_xscale("log")
    panel.set_ylim(0.8, 2.4)
    panel.set_xlabel(plot.along_in_words)
    if panel.get_legend_handles_labels()[1]:
        panel.legend(fontsize=7)
