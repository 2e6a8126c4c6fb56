"""What the results say, as tables."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import attrs
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.study.axes import AXES, CELLS, DEFAULT, axes_of
from benchmarks.study.problems import Cell, Result
from benchmarks.study.setting import Method, Setting

Errors = dict[tuple[Cell, Setting], list[float]]


def errors_of(results: Sequence[Result]) -> Errors:
    """The errors of each cell and setting, in the order of their seeds."""
    found: Errors = {}
    for result in sorted(results, key=lambda result: result.run.seed):
        found.setdefault((result.run.cell, result.run.setting), []).append(result.error)
    return found


def print_axes(results: Sequence[Result], console: Console) -> None:
    """For every axis a table: settings down, cells across, mean errors in percent; the default has a star."""
    errors = errors_of(results)
    cells = [cell for cell in CELLS if (cell, DEFAULT) in errors]
    for name, settings in AXES.items():
        across = [cell for cell in cells if name in axes_of(cell)]
        rows = [setting for setting in settings if any((cell, setting) in errors for cell in across)]
        if not rows:
            continue
        table = _table(name, "setting", [*map(str, across), "relative"])
        for setting in rows:
            texts = [_percent(errors.get((cell, setting))) for cell in across]
            table.add_row(told(setting), *texts, f"{relative(errors, across, setting):.3f}")
        console.print(table, crop=False)


def _table(title: str, first: str, headings: Sequence[str]) -> Table:
    """As wide as it needs to be: a wrapped table cannot be read."""
    width = 40 + sum(len(heading) + 2 for heading in headings)
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), width=width)
    table.add_column(first, no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def relative(errors: Errors, cells: Sequence[Cell], setting: Setting) -> float:
    """The geometric mean over cells of the setting's mean error as a multiple of the default's; 1.01 is 1 % more.

    Errors have 0.1 points added, so that cells in which nearly nothing is wrong do not decide.
    """
    both = [(errors[cell, setting], errors[cell, DEFAULT]) for cell in cells if (cell, setting) in errors]
    if not both:
        return math.nan
    ratios = [(statistics.fmean(own) + 1e-3) / (statistics.fmean(default) + 1e-3) for own, default in both]
    return statistics.geometric_mean(ratios)


def best_of(errors: Errors, cell: Cell, settings: Sequence[Setting]) -> Setting | None:
    """The setting of least mean error on a cell."""
    tried = [setting for setting in settings if (cell, setting) in errors]
    return min(tried, key=lambda setting: statistics.fmean(errors[cell, setting]), default=None)


def print_rivals(results: Sequence[Result], console: Console) -> None:
    """The default beside the best setting of our own grid, and each rival at the best of its grid, for each cell.

    The best are chosen on the seeds that are shown, in favour of whoever has the larger grid: against the default.
    """
    errors = errors_of(results)
    own = list(dict.fromkeys(s for settings in AXES.values() for s in settings if s.method is Method.DIRECT))
    grids = {"ours, best": own} | {
        method.value: [s for settings in AXES.values() for s in settings if s.method is method]
        for method in Method
        if method is not Method.DIRECT
    }
    table = _table("Each at the best of its grid", "cell", ["default", *grids])
    cells = [cell for cell in CELLS if (cell, DEFAULT) in errors]
    for cell in cells:
        best = [best_of(errors, cell, settings) for settings in grids.values()]
        texts = [_percent(errors.get((cell, setting))) if setting else "" for setting in (DEFAULT, *best)]
        table.add_row(str(cell), *texts)
    console.print(table, crop=False)


def told(setting: Setting) -> str:
    """Where a setting leaves the default."""
    fields = [field.name for field in attrs.fields(Setting)]
    parts = [f"{name} {_text(getattr(setting, name))}" for name in fields if _differ(setting, name)]
    return ", ".join(parts) or "default"


def _differ(setting: Setting, name: str) -> bool:
    return bool(getattr(setting, name) != getattr(DEFAULT, name))


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(getattr(value, "value", value))


def _percent(errors: list[float] | None) -> str:
    return "" if errors is None else f"{100 * statistics.fmean(errors):.2f}"
