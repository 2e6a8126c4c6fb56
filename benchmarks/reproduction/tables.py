"""The tables of the page, by their names there."""

from pathlib import Path

from benchmarks.page import Tables
from benchmarks.reproduction import accuracy, seconds, sorting

PAGE = Path(__file__).parents[2] / "docs" / "reproduction.md"
TABLES: Tables = {
    "table 1": sorting.table,
    "verdict 1": sorting.verdict,
    "table 2": seconds.of_sorting,
    "table 3": accuracy.table,
    "verdict 3": accuracy.verdict,
    "table 4": seconds.of_neighbours,
}
