"""The command line: each class is a command, each field an option."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import tyro
from attrs import field, frozen, validators
from rich.console import Console

import structpred as sp
from benchmarks.measure import Machine, Result, measure
from benchmarks.page import rewrite
from benchmarks.pages import PAGES
from benchmarks.report import latest, print_table
from benchmarks.row import Group
from benchmarks.rows import every
from tasks.common.extra import tasks_extra
from tasks.common.files import DEFAULT_FOLDER
from tasks.common.results import commit, open_results
from tasks.common.table import progress_bar

RESULTS = Path("benchmarks/results.jsonl")
FIGURE = Path("docs/growth.png")


@frozen
class Run:
    """Measure the rows that the results file lacks, and print the table.

    On a machine that does nothing else. It goes on where it was stopped, on the same kind of machine.
    """

    results: Path = DEFAULT_FOLDER / "benchmarks.jsonl"
    """The file that results are read from and appended to."""
    groups: tuple[Group, ...] = field(default=tuple(Group), validator=validators.min_len(1))
    """Which rows; all unless named."""
    again: bool = False
    """Measure anew what the file has of another commit; of a row the last result counts."""
    seconds: float = field(default=3.0, validator=validators.gt(0))
    """How long to measure each, beside what it takes to make; a few have longer rounds."""

    def run(self, console: Console) -> None:
        with open_results(self.results, Result, console) as file:
            known = file.read()
            _require_one_machine(known, self.results)
            at = commit()
            measured = {result.key for result in known if result.commit == at or not self.again}
            wanted = [row for row in every.ROWS if row.group in self.groups]
            with progress_bar(console) as progress:
                bar = progress.add_task("rows", total=len(wanted), completed=sum(row.key in measured for row in wanted))
                for row in (row for row in wanted if row.key not in measured):
                    if lacking := row.lacks():
                        told = f"{row.name} against {row.reference}: left out, needs {', '.join(lacking)}"
                        console.print(told, markup=False, highlight=False, soft_wrap=True)
                    else:
                        file.append([measure(row, self.seconds)])
                    progress.advance(bar)
            print_table(latest(file.read()), console)


@frozen
class Report:
    """Print the table of a results file."""

    results: Path = RESULTS
    """What ``run`` wrote."""

    def run(self, console: Console) -> None:
        with open_results(self.results, Result, console) as file:
            print_table(latest(file.read()), console)


@frozen
class Page:
    """Write the tables of the documentation anew from the committed results."""

    def run(self, console: Console) -> None:
        for page, tables in PAGES.items():
            rewrite(page, tables)


@frozen
class Figure:
    """Draw how steps grow, from a results file."""

    results: Path = RESULTS
    """What ``run`` wrote."""
    output: Path = FIGURE
    """The picture."""

    def run(self, console: Console) -> None:
        with tasks_extra("benchmarks"):  # matplotlib, for this command alone
            from benchmarks.figure import draw

        with open_results(self.results, Result, console) as file:
            draw(latest(file.read()), self.output)
        console.print(f"{self.output} has the picture.", markup=False, highlight=False)


def _require_one_machine(results: Iterable[Result], path: Path) -> None:
    """Rows of one table are of one kind of machine, with the same libraries."""
    for result in results:
        if result.machine != Machine.here():
            raise sp.ArgumentError(
                f"results: expected rows of {Machine.here()}, got one of {result.machine} in {str(path)!r}; remove "
                "that file, or name another with --results"
            )


Command = (
    Annotated[Run, tyro.conf.subcommand("run")]
    | Annotated[Report, tyro.conf.subcommand("report")]
    | Annotated[Page, tyro.conf.subcommand("page")]
    | Annotated[Figure, tyro.conf.subcommand("figure")]
)
