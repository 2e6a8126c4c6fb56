"""A page whose tables stand between comments that name them, ``<!-- table 1 -->`` and ``<!-- end -->``."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from benchmarks.reproduction import accuracy, seconds, sorting

TABLES: dict[str, Callable[[], list[str]]] = {
    "table 1": sorting.table,
    "verdict 1": sorting.verdict,
    "table 2": seconds.of_sorting,
    "table 3": accuracy.table,
    "verdict 3": accuracy.verdict,
    "table 4": seconds.of_neighbours,
}
_BLOCK = re.compile(r"^<!-- (\w+ \d) -->\n(.*?)^<!-- end -->$", re.DOTALL | re.MULTILINE)


def with_tables(text: str) -> str:
    """The text with every table as the committed results have it."""

    def block(found: re.Match[str]) -> str:
        return "\n".join([f"<!-- {found[1]} -->", *TABLES[found[1]](), "<!-- end -->"])

    return _BLOCK.sub(block, text)


def names(text: str) -> Sequence[str]:
    """Of the tables that a text has."""
    return [found[1] for found in _BLOCK.finditer(text)]
