"""The regrets of methods over many cells, paired by cell and data seed."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Any

import scipy.stats
from rich import box
from rich.console import Console
from rich.table import Table

from tasks.common.report import mean, standard_error
from tasks.planning.config import Result, Run
from tasks.planning.objectives import Method

_WIDTH = 96
Cell = tuple[Any, ...]
Choice = Callable[[Cell, Method], float]
"""The knob of a method in a cell."""


def cell(run: Run) -> Cell:
    """What makes results comparable, whatever the method and the seed."""
    return run.kind, run.degree, run.rows, run.noise_width, run.size


def default_knob(_: Cell, method: Method) -> float:
    return method.default


def chosen_by(results: Sequence[Result]) -> Choice:
    """In each cell the knob of least mean regret over these results, which no table should show."""

    def choose(where: Cell, method: Method) -> float:
        own = [result for result in results if cell(result.run) == where and result.run.method is method]
        return min(method.knobs, key=lambda knob: statistics.fmean(result.regret(knob) for result in own))

    return choose


def print_regrets(title: str, results: Sequence[Result], choose: Choice, console: Console) -> None:
    """A table for each number of rows and noise, with a row for each method and a column for each degree.

    Regrets are in percent, the mean over the seeds with its standard error; the least of each cell is bold.
    """
    console.print(title, style="italic")
    methods = list(dict.fromkeys(result.run.method for result in results))
    for rows, noise_width in dict.fromkeys((result.run.rows, result.run.noise_width) for result in results):
        own = [result for result in results if (result.run.rows, result.run.noise_width) == (rows, noise_width)]
        cells = sorted(dict.fromkeys(cell(result.run) for result in own), key=lambda where: where[1])
        table = _table(f"{rows:,} rows, noise {noise_width:g}", "degree", *(str(where[1]) for where in cells))
        of_cells = [{method: _percent(own, where, method, choose) for method in methods} for where in cells]
        least = [min(statistics.fmean(regrets) for regrets in of_cell.values()) for of_cell in of_cells]
        for method in methods:
            regrets = [of_cell[method] for of_cell in of_cells]
            told = [mean(values, standard_error) for values in regrets]
            bold = [statistics.fmean(values) == best for values, best in zip(regrets, least, strict=True)]
            table.add_row(method.value, *map(_bold_if, bold, told))
        console.print(table, crop=False)


def print_comparison(title: str, results: Sequence[Result], choose: Choice, console: Console) -> None:
    """Each method against the direct loss at its default: the difference of their regrets over all cells, by seed."""
    methods = list(dict.fromkeys(result.run.method for result in results))
    cells = list(dict.fromkeys(cell(result.run) for result in results))
    ours = _over_cells(results, cells, Method.DIRECT, default_knob)
    table = _table(title, "method", "regret", "less the direct loss's", "Wilcoxon p", "cells where it is less")
    for method in methods:
        theirs = _over_cells(results, cells, method, choose)
        gaps = [100 * (theirs[seed] - ours[seed]) for seed in sorted(ours)]
        fewer = sum(
            statistics.fmean(_regrets(results, where, method, choose).values())
            < statistics.fmean(_regrets(results, where, Method.DIRECT, default_knob).values())
            for where in cells
        )
        same = not any(gaps)
        p = "" if same or len(gaps) < 2 else f"{scipy.stats.wilcoxon(gaps).pvalue:.3f}"
        spread = f" ± {standard_error(gaps):.2f}" if len(gaps) > 1 else ""
        gap = "" if same else f"{statistics.fmean(gaps):+.2f}{spread}"
        regret = 100 * statistics.fmean(theirs.values())
        table.add_row(method.value, f"{regret:.2f}", gap, p, "" if same else f"{fewer} of {len(cells)}")
    console.print(table, crop=False)


def _percent(results: Sequence[Result], where: Cell, method: Method, choose: Choice) -> list[float]:
    return [100 * regret for regret in _regrets(results, where, method, choose).values()]


def _regrets(results: Sequence[Result], where: Cell, method: Method, choose: Choice) -> dict[int, float]:
    """By seed."""
    own = [result for result in results if cell(result.run) == where and result.run.method is method]
    return {result.run.seed: result.regret(choose(where, method)) for result in own}


def _over_cells(results: Sequence[Result], cells: Sequence[Cell], method: Method, choose: Choice) -> dict[int, float]:
    """The mean over the cells, by seed."""
    each = [_regrets(results, where, method, choose) for where in cells]
    return {seed: statistics.fmean(regrets[seed] for regrets in each) for seed in each[0]}


def _bold_if(bold: bool, text: str) -> str:
    return f"[bold]{text}[/]" if bold else text


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, width=_WIDTH, padding=(0, 1, 0, 0))
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table
