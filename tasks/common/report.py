"""Results as the rows of a table on the terminal, and how a cell is written."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

import attrs
from attrs import frozen
from rich import box
from rich.console import Console
from rich.table import Table


class HasRun(attrs.AttrsInstance, Protocol):
    """The result of a run: an attrs value that has it."""

    @property
    def run(self) -> Any: ...


Result = TypeVar("Result", bound=HasRun)

_WIDTH = 96


@frozen
class Column(Generic[Result]):
    """What each row has of its results, which differ in their seed alone."""

    heading: str
    text: Callable[[Sequence[Result]], str]


def print_table(
    title: str, columns: Sequence[Column[Result]], results: Sequence[Result], console: Console, width: int = _WIDTH
) -> None:
    """One row for the results of each cell, in the order in which the cells first appear.

    Args:
        title: what stands above.
        columns: from left to right.
        results: each with a ``run``, an attrs value whose ``seed`` does not count for the cell.
        console: where to.
        width: of the table, whatever the terminal's: a wrapped one cannot be read.
    """
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, width=width, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(column.heading, justify="right", no_wrap=True)
    cells: dict[Any, list[Result]] = {}
    for result in results:
        cells.setdefault(cell_of(result.run), []).append(result)
    for of_cell in cells.values():
        table.add_row(*(column.text(of_cell) for column in columns))
    console.print(table, crop=False)


def cell_of(run: Any) -> Any:
    """The run whatever its seed."""
    return attrs.evolve(run, seed=0)


def count(results: Sequence[Result]) -> str:
    return str(len(results))


def standard_error(values: Sequence[float]) -> float:
    """That of the mean of two or more values."""
    return statistics.stdev(values) / math.sqrt(len(values))


def mean(values: Sequence[float], spread: Callable[[Sequence[float]], float] | None = None, form: str = ".2f") -> str:
    """``mean ± spread``, which may be a standard error or deviation; of one value itself, of none nothing."""
    if not values:
        return ""
    told = format(statistics.fmean(values), form)
    return f"{told} ± {format(spread(values), form)}" if spread and len(values) > 1 else told


def median(values: Sequence[float], form: str) -> str:
    return format(statistics.median(values), form)


def median_path(paths: Sequence[Sequence[float]], form: str) -> str:
    """``first→last``: of values that each run has one after the other, medians over the runs."""
    return "→".join(median([path[position] for path in paths], form) for position in (0, -1)) if paths else ""
