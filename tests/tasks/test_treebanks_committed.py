"""The tables of docs/parsing.md follow from the committed results, for the training as it is."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from tasks.common.results import ResultsFile
from tasks.common.treebank.settings import Training
from tasks.parsing import results as parsing
from tasks.tagging import results as tagging

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "parsing.md"
ENGLISH_WORDS, ENGLISH_SENTENCES = 25_094, 2_077  # of the test set of release 2.15


@pytest.mark.parametrize("task", [parsing, tagging], ids=["parsing", "tagging"])
def test_every_row_of_the_table_stands_on_the_page(task):
    folder = Path(task.__file__).parent
    results = ResultsFile(folder / "results" / "ewt.jsonl", task.Result).read()
    assert {result.run.training for result in results} == {Training()}
    for result in results:
        assert (sum(result.test.words), len(result.test.words)) == (ENGLISH_WORDS, ENGLISH_SENTENCES)
    output = io.StringIO()
    task.print_results(results, Console(file=output, width=200), test=True)
    rows = [line.split() for line in output.getvalue().splitlines() if line.strip() and "─" not in line]
    on_the_page = [line.split() for line in PAGE.read_text(encoding="utf-8").splitlines()]
    assert len(rows) > 3
    assert [row for row in rows if row not in on_the_page and "set" not in row] == []
