"""Writes the tables of docs/reproduction.md anew, from the committed results; what stands between them it leaves."""

from pathlib import Path

from benchmarks.reproduction.page import with_tables
from tasks.common.files import whole_file

PAGE = Path(__file__).parents[2] / "docs" / "reproduction.md"

if __name__ == "__main__":
    text = with_tables(PAGE.read_text(encoding="utf-8"))
    with whole_file(PAGE, "page") as unfinished:
        unfinished.write_text(text, encoding="utf-8")
