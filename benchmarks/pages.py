"""Which page of the documentation has which table of the committed rows."""

from functools import partial
from pathlib import Path

from benchmarks.page import Tables
from benchmarks.report import committed, in_short, machine_of, slopes_table, table_of
from benchmarks.row import Group

_ROOT = Path(__file__).parents[1]
_DOCS = _ROOT / "docs"
_ON_OTHER_PAGES = {
    Group.NEIGHBOURS: "knn.md",
    Group.PYEPO: "predict-then-optimize.md",
}


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
    },
    **{_DOCS / name: _tables(group) for group, name in _ON_OTHER_PAGES.items()},
}
