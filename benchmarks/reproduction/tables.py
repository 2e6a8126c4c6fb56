"""The tables of the page, by their names there."""

from pathlib import Path

from benchmarks.gpu import tables as on_a_gpu
from benchmarks.page import Tables
from benchmarks.reproduction import accuracy, seconds, sorting

PAGE = Path(__file__).parents[2] / "docs" / "reproduction.md"
TABLES: Tables = {
    "table 1": sorting.table,
    "verdict 1": sorting.verdict,
    "table 2": seconds.of_sorting,
    "table 2 on a GPU": on_a_gpu.table_2,
    "table 3": accuracy.table,
    "verdict 3": accuracy.verdict,
    "table 3 on a GPU": on_a_gpu.table_3,
    "beside baselines on a GPU": on_a_gpu.beside_baselines,
    "table 4": seconds.of_neighbours,
    "table 4 on a GPU": on_a_gpu.table_4,
}
