"""The table of the documentation follows from the committed results, for the training as it is."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from tasks.common.results import ResultsFile
from tasks.common.treebank.settings import Training
from tasks.parsing.results import Result, print_results

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "parsing.md"
ENGLISH_WORDS, ENGLISH_SENTENCES = 25_094, 2_077  # of the test set of release 2.15


def test_every_row_of_the_table_stands_on_the_page():
    results = ResultsFile(ROOT / "tasks" / "parsing" / "results" / "ewt.jsonl", Result).read()
    assert {result.run.training for result in results} == {Training()}
    for result in results:
        assert (sum(result.test.words), len(result.test.words)) == (ENGLISH_WORDS, ENGLISH_SENTENCES)
    output = io.StringIO()
    print_results(results, Console(file=output, width=200), test=True)
    rows = [line.split() for line in output.getvalue().splitlines() if line.strip() and "─" not in line]
    on_the_page = [line.split() for line in PAGE.read_text(encoding="utf-8").splitlines()]
    assert len(rows) > 3
    assert [row for row in rows if row not in on_the_page and "set" not in row] == []
