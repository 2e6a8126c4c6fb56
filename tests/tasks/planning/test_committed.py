"""The tables of the documentation follow from the committed results."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from tasks.common.results import ResultsFile
from tasks.planning.config import Result
from tasks.planning.report import cell, chosen_by, default_knob, print_comparison, print_regrets

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "predict-then-optimize.md"
REPORTED, CHOOSING = range(200_000, 200_010), range(100_000, 100_010)
UNSEEN = set(range(210_000, 210_010))


def committed(name: str) -> list[Result]:
    return ResultsFile(ROOT / "tasks" / "planning" / "results" / f"{name}.jsonl", Result).read()


def rows_missing_on_the_page(output: io.StringIO, least: float) -> list[list[str]]:
    rows = [line.split() for line in output.getvalue().splitlines() if "±" in line]
    assert len(rows) > least
    on_the_page = [line.split() for line in PAGE.read_text(encoding="utf-8").splitlines()]
    return [row for row in rows if row not in on_the_page]


@pytest.mark.parametrize(("name", "cells"), [("paths", 20), ("knapsack", 2)])
def test_every_row_of_the_tables_stands_on_the_page(name: str, cells: int) -> None:
    results = committed(name)
    shown = [result for result in results if result.run.seed in REPORTED]
    choice = chosen_by([result for result in results if result.run.seed in CHOOSING])
    output = io.StringIO()
    console = Console(file=output, width=100)
    print_regrets("", shown, default_knob, console)
    for choose in (default_knob, choice):
        print_comparison("", shown, choose, console)
    methods = {result.run.method for result in shown}
    assert rows_missing_on_the_page(output, least=len(methods) * cells / 5) == []


@pytest.mark.parametrize(("name", "cells"), [("paths_unseen", 20), ("knapsack_unseen", 10)])
def test_the_comparison_on_unseen_seeds_stands_on_the_page(name: str, cells: int) -> None:
    results = committed(name)
    assert {result.run.seed for result in results} == UNSEEN
    assert len({cell(result.run) for result in results}) == cells
    output = io.StringIO()
    print_comparison("", results, default_knob, Console(file=output, width=100))
    assert rows_missing_on_the_page(output, least=3) == []
