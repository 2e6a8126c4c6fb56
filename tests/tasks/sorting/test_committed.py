"""The tables of README and documentation follow from the committed results, for the presets as they are."""

from __future__ import annotations

import functools
import io
from pathlib import Path

import attrs
import pytest
from rich.console import Console

from tasks.common.report import print_table
from tasks.common.results import ResultsFile
from tasks.common.settings import Scale
from tasks.sorting.config import BEST, PAPER
from tasks.sorting.report import COLUMNS, TITLE
from tasks.sorting.results import Result

ROOT = Path(__file__).parents[3]
RESULTS = ROOT / "tasks" / "sorting" / "results"
LENGTHS = (5, 10, 25, 40, 60, 100)
NOT_LEARNED = [(d, s) for d in LENGTHS[:5] for s in (Scale.NONE, Scale.ONE)]
OF_THE_PAPER = (Scale.NONE, Scale.ONE, Scale.LEARNED)
FIXED = attrs.evolve(BEST, score_rate=0.1, beta2=0.999, epsilon=-12.0, num_samples=5)
LONG_MEMORY = attrs.evolve(BEST, beta2=0.999)


@functools.cache
def committed(name: str) -> list[Result]:
    return ResultsFile(RESULTS / f"{name}.jsonl", Result).read()


@pytest.mark.parametrize(
    ("page", "preset", "name", "cells", "repetitions"),
    [
        ("README.md", BEST, "best", [(d, Scale.ADAPTIVE) for d in LENGTHS], 200),
        ("docs/sorting.md", BEST, "best", [(d, Scale.ADAPTIVE) for d in LENGTHS], 200),
        ("docs/sorting.md", BEST, "best", [(200, Scale.ADAPTIVE)], 40),
        ("docs/sorting.md", LONG_MEMORY, "long_memory", [(d, Scale.ADAPTIVE) for d in LENGTHS], 200),
        *(
            (
                "docs/sorting.md",
                attrs.evolve(training, epochs=2000, average_from=1000),
                "long_memory",
                [(40, Scale.ADAPTIVE)],
                50,
            )
            for training in (BEST, LONG_MEMORY)
        ),
        ("docs/sorting.md", FIXED, "fixed_step", [(d, Scale.LEARNED) for d in LENGTHS], 200),
        ("docs/sorting.md", FIXED, "fixed_step", [*NOT_LEARNED, (100, Scale.NONE), (100, Scale.ONE)], 50),
        ("docs/sorting.md", PAPER, "paper", [(d, s) for d in LENGTHS[:4] for s in OF_THE_PAPER], 50),
    ],
)
def test_every_row_of_the_table_stands_on_the_page(page, preset, name, cells, repetitions):
    results = []
    for cell in cells:
        results += [r for r in committed(name) if r.training == preset and (r.length, r.scale) == cell]
        assert sorted(r.outcome.seed for r in results if (r.length, r.scale) == cell) == list(range(repetitions))
    output = io.StringIO()
    print_table(TITLE, COLUMNS, results, Console(file=output, width=80))
    lines = [line.split() for line in output.getvalue().splitlines() if line.strip()]
    heading, rows = (
        [line for line in lines if line[0] in ("d", "first→last")],
        [line for line in lines if line[0].isdigit()],
    )
    assert len(rows) == len(cells)
    on_the_page = [line.split() for line in (ROOT / page).read_text(encoding="utf-8").splitlines()]
    assert [row for row in heading + rows if row not in on_the_page] == []
