"""What the results say, as tables."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import attrs
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.study.axes import AXES, CELLS, DEFAULT
from benchmarks.study.problems import Cell, Kind, Result
from benchmarks.study.setting import Method, Setting

Errors = dict[tuple[Cell, Setting], list[float]]

GROUPS = {
    "paths, 100 rows": [cell for cell in CELLS if cell.kind is Kind.PATHS and cell.rows == 100],
    "paths, 1,000 rows": [cell for cell in CELLS if cell.kind is Kind.PATHS and cell.rows == 1000],
    **{kind.value: [cell for cell in CELLS if cell.kind is kind] for kind in Kind if kind is not Kind.PATHS},
}
"""Cells whose errors are averaged together."""

_LITTLE = 1e-3  # added to errors, so that cells in which nearly nothing is wrong do not decide


def errors_of(results: Sequence[Result]) -> Errors:
    """The errors of each cell and setting, in the order of their seeds."""
    found: Errors = {}
    for result in sorted(results, key=lambda result: result.run.seed):
        found.setdefault((result.run.cell, result.run.setting), []).append(result.error)
    return found


def relative(errors: Errors, cells: Sequence[Cell], setting: Setting) -> float | None:
    """The geometric mean over cells of the setting's mean error as a multiple of the default's; 1.01 is 1 % more.

    Errors have 0.1 points added first. None where the setting or the default was not measured on every cell.
    """
    if not all((cell, one) in errors for cell in cells for one in (setting, DEFAULT)):
        return None
    means = [(statistics.fmean(errors[cell, setting]), statistics.fmean(errors[cell, DEFAULT])) for cell in cells]
    return statistics.geometric_mean((own + _LITTLE) / (default + _LITTLE) for own, default in means)


def print_axes(results: Sequence[Result], console: Console) -> None:
    """For every axis a table: settings down, groups of cells across, errors relative to the default's."""
    errors = errors_of(results)
    groups = {name: cells for name, cells in GROUPS.items() if relative(errors, cells, DEFAULT) is not None}
    for name, settings in AXES.items():
        rows = {told(setting): [relative(errors, cells, setting) for cells in groups.values()] for setting in settings}
        rows = {setting: values for setting, values in rows.items() if any(value is not None for value in values)}
        if not rows:
            continue
        table = _table(name, "setting", list(groups))
        for setting, values in rows.items():
            table.add_row(setting, *("" if value is None else f"{value:.2f}" for value in values))
        console.print(table, crop=False)


def best_of(errors: Errors, cell: Cell, settings: Sequence[Setting]) -> float | None:
    """The least of the settings' mean errors on a cell."""
    return min((statistics.fmean(errors[cell, one]) for one in settings if (cell, one) in errors), default=None)


def print_rivals(results: Sequence[Result], console: Console) -> None:
    """The default beside the best setting of our own grid, and each rival at the best of its grid: mean errors in %.

    The best are chosen for each cell on the seeds that are shown, in favour of whoever has the larger grid: against
    the default.
    """
    errors = errors_of(results)
    tried = list(dict.fromkeys(setting for settings in AXES.values() for setting in settings))
    grids = {("our best" if method is Method.DIRECT else method.value): method for method in Method}
    table = _table("Each at the best of its grid", "cell", ["default", *grids])
    for cell in (cell for cell in CELLS if (cell, DEFAULT) in errors):
        best = [best_of(errors, cell, [one for one in tried if one.method is method]) for method in grids.values()]
        texts = ["" if error is None else f"{100 * error:.2f}" for error in (best_of(errors, cell, [DEFAULT]), *best)]
        table.add_row(str(cell), *texts)
    console.print(table, crop=False)


def told(setting: Setting) -> str:
    """Where a setting leaves the default."""
    parts = [
        f"{name} {_text(value)}" for name, value in attrs.asdict(setting).items() if getattr(DEFAULT, name) != value
    ]
    return ", ".join(parts) or "default"


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(getattr(value, "value", value))


def _table(title: str, first: str, headings: Sequence[str]) -> Table:
    """As wide as it needs to be: a wrapped table cannot be read."""
    width = 60 + sum(len(heading) + 2 for heading in headings)
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), width=width)
    table.add_column(first, no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table
