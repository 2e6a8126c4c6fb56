"""Pages whose tables are written from results, between a comment that names each and ``<!-- end -->``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tasks.common.files import whole_file

Tables = Mapping[str, Callable[[], Sequence[str]]]
"""The lines of each table, by its name."""

_BLOCK = re.compile(r"^<!-- ([^\n]+) -->\n(.*?)^<!-- end -->$", re.DOTALL | re.MULTILINE)


def with_tables(text: str, tables: Tables) -> str:
    """The text with every table as it is now; what stands between them is left."""

    def block(found: re.Match[str]) -> str:
        return "\n".join([f"<!-- {found[1]} -->", *tables[found[1]](), "<!-- end -->"])

    return _BLOCK.sub(block, text)


def names(text: str) -> list[str]:
    """Of the tables that a text has."""
    return [found[1] for found in _BLOCK.finditer(text)]


def rewrite(page: Path, tables: Tables) -> None:
    """Writes the tables of a page anew."""
    text = with_tables(page.read_text(encoding="utf-8"), tables)
    with whole_file(page, "page") as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def markdown(heading: Sequence[str], *rows: Sequence[str]) -> list[str]:
    """The lines of a table, whose first column is text and whose others are numbers."""
    lines = [heading, ["---", *["---:"] * (len(heading) - 1)], *rows]
    return [f"| {' | '.join(line)} |" for line in lines]
