"""What the results say, as tables."""

from __future__ import annotations

import functools
import statistics
from collections.abc import Sequence

import attrs
from attrs import frozen
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.page import Tables, markdown
from benchmarks.study.axes import AXES, CELLS, DEFAULT
from benchmarks.study.problems import Cell, Kind, Result
from benchmarks.study.setting import Method, Setting

Errors = dict[tuple[Cell, Setting], list[float]]

_LITTLE = 1e-3  # added to errors, so that cells in which nearly nothing is wrong do not decide


@frozen
class Group:
    """Cells whose errors are one number: relative to the default's, or in percent, where the default has none."""

    name: str
    cells: tuple[Cell, ...]
    in_percent: bool = False

    def value(self, errors: Errors, setting: Setting) -> float | None:
        """None where the setting, or the default beside it, was not measured on every cell."""
        if not all((cell, one) in errors for cell in self.cells for one in (setting, DEFAULT)):
            return None
        return percent(errors, self.cells, setting) if self.in_percent else relative(errors, self.cells, setting)


def _of_kind(kind: Kind, rows: int = 0) -> tuple[Cell, ...]:
    return tuple(cell for cell in CELLS if cell.kind is kind and rows in (0, cell.rows))


GROUPS = (
    Group("paths, 100 rows", _of_kind(Kind.PATHS, 100)),
    Group("paths, 1,000 rows", _of_kind(Kind.PATHS, 1000)),
    Group("knapsack", _of_kind(Kind.KNAPSACK)),
    *(Group(f"{cell}, % wrong", (cell,), in_percent=True) for cell in _of_kind(Kind.SORTING)),
    Group("matching", _of_kind(Kind.MATCHING)),
    Group("neighbours", _of_kind(Kind.NEIGHBOURS)),
)


def errors_of(results: Sequence[Result]) -> Errors:
    """The errors of each cell and setting, in the order of their seeds."""
    found: Errors = {}
    for result in sorted(results, key=lambda result: result.run.seed):
        found.setdefault((result.run.cell, result.run.setting), []).append(result.error)
    return found


def percent(errors: Errors, cells: Sequence[Cell], setting: Setting) -> float:
    """The mean over cells of the setting's mean error."""
    return 100 * statistics.fmean(statistics.fmean(errors[cell, setting]) for cell in cells)


def relative(errors: Errors, cells: Sequence[Cell], setting: Setting) -> float:
    """The geometric mean over cells of the setting's mean error as a multiple of the default's; 1.01 is 1 % more.

    Errors have 0.1 points added first.
    """
    means = [(statistics.fmean(errors[cell, setting]), statistics.fmean(errors[cell, DEFAULT])) for cell in cells]
    return statistics.geometric_mean((own + _LITTLE) / (default + _LITTLE) for own, default in means)


Rows = list[list[str]]
"""Of a table, the heading first."""


def print_axes(results: Sequence[Result], console: Console) -> None:
    """A table for every axis of which something was measured."""
    errors = errors_of(results)
    for axis in AXES:
        rows = axis_rows(errors, axis)
        if len(rows) > 1:
            console.print(_table(rows), crop=False)


def axis_rows(errors: Errors, axis: str) -> Rows:
    """Settings down, and across the groups of cells on which more than the default was measured."""
    tried = AXES[axis]
    values = {group.name: [group.value(errors, setting) for setting in tried] for group in GROUPS}
    leaving = [setting != DEFAULT for setting in tried]
    values = {
        name: of
        for name, of in values.items()
        if any(leaves and value is not None for leaves, value in zip(leaving, of, strict=True))
    }
    rows = [[axis, *values]]
    for setting, *own in zip(tried, *values.values(), strict=True):
        if any(value is not None for value in own):
            rows.append([told(setting), *("" if value is None else f"{value:.2f}" for value in own)])
    return rows


def best_of(errors: Errors, cell: Cell, settings: Sequence[Setting]) -> float | None:
    """The least of the settings' mean errors on a cell."""
    return min((statistics.fmean(errors[cell, one]) for one in settings if (cell, one) in errors), default=None)


def print_rivals(results: Sequence[Result], console: Console) -> None:
    """The rivals' table."""
    console.print(_table(rivals_rows(errors_of(results))), crop=False)


def rivals_rows(errors: Errors) -> Rows:
    """The default beside the best setting of our own grid, and each rival at the best of its grid: mean errors in %.

    The best are chosen for each cell on the seeds that are shown, in favour of whoever has the larger grid: against
    the default. After the cells of a problem come their means, and the means at the best setting for all of them.
    """
    tried = list(dict.fromkeys(setting for settings in AXES.values() for setting in settings))
    grids: dict[str, list[Setting]] = {"default": [DEFAULT]}
    for method in Method:
        name = "our best" if method is Method.DIRECT else method.value
        grids[name] = [setting for setting in tried if setting.method is method]
    rows = [["each at the best of its grid", *grids]]
    for kind in Kind:
        cells = [cell for cell in _of_kind(kind) if (cell, DEFAULT) in errors]
        best = {cell: [best_of(errors, cell, grid) for grid in grids.values()] for cell in cells}
        rows += [[str(cell), *map(_percent, of_cell)] for cell, of_cell in best.items()]
        if len(cells) > 1:
            means = [
                None if None in column else statistics.fmean(column) for column in zip(*best.values(), strict=True)
            ]
            at_one = [best_for_all(errors, cells, grid) for grid in grids.values()]
            rows.append([f"{kind.value}, mean", *map(_percent, means)])
            rows.append([f"{kind.value}, mean at one setting", *map(_percent, at_one)])
    return rows


def best_for_all(errors: Errors, cells: Sequence[Cell], settings: Sequence[Setting]) -> float | None:
    """The least mean error over cells of a setting that was measured on all of them."""
    whole = [one for one in settings if all((cell, one) in errors for cell in cells)]
    return min((percent(errors, cells, one) / 100 for one in whole), default=None)


def _percent(error: float | None) -> str:
    return "" if error is None else f"{100 * error:.2f}"


def page_tables(results: Sequence[Result]) -> Tables:
    """Those of docs/choosing.md."""
    errors = errors_of(results)
    of_axes = {axis: functools.partial(markdown, *axis_rows(errors, axis)) for axis in AXES}
    return of_axes | {"rivals": functools.partial(markdown, *rivals_rows(errors))}


def told(setting: Setting) -> str:
    """Where a setting leaves the default."""
    parts = [
        f"{name} {_text(value)}" for name, value in attrs.asdict(setting).items() if getattr(DEFAULT, name) != value
    ]
    return ", ".join(parts) or "default"


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(getattr(value, "value", value))


def _table(rows: Rows) -> Table:
    """As wide as it needs to be: a wrapped table cannot be read."""
    heading, *rest = rows
    width = 60 + sum(len(name) + 2 for name in heading)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), width=width)
    for name in heading:
        table.add_column(name, justify="left" if name is heading[0] else "right", no_wrap=True)
    for row in rest:
        table.add_row(*row)
    return table
