"""Which page of the documentation has which table of the committed rows."""

from functools import partial
from pathlib import Path

from benchmarks.gpu import tables as on_a_gpu
from benchmarks.page import Tables
from benchmarks.report import committed, in_short, machine_of, slopes_table, table_of
from benchmarks.row import Group

_ROOT = Path(__file__).parents[1]
_DOCS = _ROOT / "docs"


def _tables(*groups: Group) -> Tables:
    return {group.value: partial(_table, group) for group in groups}


def _table(group: Group) -> list[str]:
    return table_of(committed(), group)


_SPEED = (
    Group.STEP,
    Group.SHARES,
    Group.RIVALS,
    Group.SPACES,
    Group.PROGRAMS,
    Group.THREADS,
    Group.IMPORT,
    Group.MEMORY,
)

PAGES: dict[Path, Tables] = {
    _ROOT / "README.md": {"a step": lambda: in_short(committed())},
    _DOCS / "speed.md": {
        "machine": lambda: machine_of(committed()),
        "growth": lambda: slopes_table(committed()),
        **_tables(*_SPEED),
        "answers on a GPU": on_a_gpu.answers,
        "speeds on a GPU": on_a_gpu.speeds,
    },
    _DOCS / "knn.md": {
        **_tables(Group.NEIGHBOURS),
        "table 3 on a GPU": on_a_gpu.table_3,
        "beside baselines on a GPU": on_a_gpu.beside_baselines,
        "choice": on_a_gpu.choice,
    },
    _DOCS / "predict-then-optimize.md": _tables(Group.PYEPO),
}
