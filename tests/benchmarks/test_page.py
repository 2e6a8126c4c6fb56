"""Tables are written into a page, between their comments."""

from __future__ import annotations

import pytest

from benchmarks.page import markdown, names, rewrite, with_tables

TABLES = {"a": lambda: ["1", "2"], "by the rule": list}
TEXT = "before\n\n<!-- a -->\nold\n<!-- end -->\n\n<!-- by the rule -->\n<!-- end -->\n<!-- c\nafter\n"
WRITTEN = TEXT.replace("old", "1\n2")


def test_tables_are_written_between_their_comments_and_nothing_else_changes(tmp_path):
    assert names(TEXT) == list(TABLES)
    assert with_tables(TEXT, TABLES) == WRITTEN
    assert with_tables(WRITTEN, TABLES) == WRITTEN
    page = tmp_path / "page.md"
    page.write_text(TEXT)
    rewrite(page, TABLES)
    assert page.read_text() == WRITTEN


def test_an_unknown_table_is_refused():
    with pytest.raises(KeyError, match="table 9"):
        with_tables("<!-- table 9 -->\n<!-- end -->\n", TABLES)


def test_lines_are_markdown():
    assert markdown(["a", "b"], ["1", "2"]) == ["| a | b |", "| --- | ---: |", "| 1 | 2 |"]
