"""Draws what the axes say: the error, relative to the default's, over one setting at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
from attrs import frozen
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullFormatter

from benchmarks.study.axes import AXES, DEFAULT
from benchmarks.study.problems import Result
from benchmarks.study.report import GROUPS, Errors, Group, errors_of
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
    """Writes the picture: a row for each group of cells, a column for each question, where it was measured."""
    errors = errors_of(results)
    groups = [group for group in GROUPS if group.value(errors, DEFAULT) is not None]
    size = (3.2 * len(PLOTS), 2.8 * len(groups))
    figure, axes = plt.subplots(len(groups), len(PLOTS), figsize=size, squeeze=False, sharex="col", sharey="row")
    for row, group in zip(axes, groups, strict=True):
        for panel, plot in zip(row, PLOTS, strict=True):
            _panel(panel, plot, group, errors)
        label = group.name if group.in_percent else f"{group.name}: error / default's"
        for panel in [panel for panel in row if panel.get_visible()][:1]:
            panel.set_ylabel(label)
    for panel, plot in zip(axes[0], PLOTS, strict=True):
        panel.set_title(plot.title)
    figure.tight_layout()
    with whole_file(path, "output") as unfinished:
        figure.savefig(unfinished, dpi=110, format="png")
    plt.close(figure)


def _panel(panel: Axes, plot: Plot, group: Group, errors: Errors) -> None:
    for line in plot.lines:
        tried = [setting for setting in AXES[line.axis] if line.where(setting)]
        measured = [(setting, group.value(errors, setting)) for setting in tried]
        points = [(abs(getattr(setting, plot.along) or 0), y) for setting, y in measured if y is not None]
        if len(points) > 1:
            panel.plot(*zip(*points, strict=True), marker=".", label=line.label or None)
    panel.set_visible(bool(panel.lines))
    if not group.in_percent:
        panel.set_yscale("log")
        panel.yaxis.set_major_formatter("{x:g}")
        panel.yaxis.set_minor_formatter(NullFormatter())
        panel.yaxis.set_major_locator(FixedLocator([0.9, 1, 1.2, 1.5, 2, 3]))
        panel.axhline(1, color="grey", linewidth=0.5)
    panel.tick_params(labelbottom=True, labelleft=True)  # their neighbours may be empty
    if plot.along == "margin":
        panel.set_xscale("symlog", linthresh=0.0125)
    else:
        panel.set_xscale("log")
    panel.set_xlabel(plot.along_in_words)
    if panel.get_legend_handles_labels()[1]:
        panel.legend(fontsize=7)
