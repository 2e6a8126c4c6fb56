"""The tables of README and documentation follow from the committed results, for the presets as they are."""

from __future__ import annotations

import functools
import io
import statistics
from pathlib import Path

import attrs
import pytest
from rich.console import Console

from tasks.common.report import print_table
from tasks.common.results import ResultsFile
from tasks.common.settings import Scale
from tasks.knn.config import QUICK, Growth, Loss, Training
from tasks.knn.report import COLUMNS, TITLE, WIDTH
from tasks.knn.results import Result

ROOT = Path(__file__).parents[3]
RESULTS = ROOT / "tasks" / "knn" / "results"
CELLS = [(k, scale) for k in (1, 3, 5, 9) for scale in (Scale.NONE, Scale.ONE, Scale.LEARNED)]
FIXED = attrs.evolve(QUICK, epsilon=-0.05, margin=1.0)

EPSILON = {Loss.MATCH: -1.0, Loss.DISTANCE: -0.2, Loss.SCALED_MATCH: -0.05}
FORMS = {
    "one-sided": {"margin": 0.0},
    "one-sided, 5 draws": {"margin": 0.0, "num_samples": 5},
    "one-sided, epsilon grows for each query": {"margin": 0.0, "growth": Growth.QUERY, "epsilon_factor": 2.0},
    "central": {"margin": 1.0},
}


@functools.cache
def results(name: str, training: Training) -> list[Result]:
    return [
        result for result in ResultsFile(RESULTS / f"{name}.jsonl", Result).read() if result.run.training == training
    ]


@pytest.mark.parametrize(
    ("page", "name", "training", "cells"),
    [
        ("README.md", "quick", QUICK, [(5, Scale.ADAPTIVE)]),
        ("docs/knn.md", "quick", QUICK, [(5, Scale.ADAPTIVE)]),
        ("docs/knn.md", "fixed_step", FIXED, CELLS),
    ],
)
def test_every_row_of_the_table_stands_on_the_page(
    page: str, name: str, training: Training, cells: list[tuple[int, Scale]]
) -> None:
    shown = []
    for cell in cells:
        shown += [r for r in results(name, training) if (r.run.k, r.run.scale) == cell]
        assert sorted(r.run.seed for r in shown if (r.run.k, r.run.scale) == cell) == [0, 1, 2]
    rows = printed(shown)
    assert len(rows) == len(cells)
    assert rows_missing(page, rows) == []


def test_every_baseline_stands_on_the_page() -> None:
    rows = printed(results("rivals", QUICK))
    assert len(rows) == 4 * 4
    assert rows_missing("docs/knn.md", rows) == []


def printed(shown: list[Result]) -> list[list[str]]:
    """The words of each row of the table."""
    output = io.StringIO()
    print_table(TITLE, COLUMNS, shown, Console(file=output, width=WIDTH), WIDTH)
    return [line.split() for line in output.getvalue().splitlines() if line.split() and line.split()[0].isdigit()]


def rows_missing(page: str, rows: list[list[str]]) -> list[list[str]]:
    on_the_page = [line.split() for line in (ROOT / page).read_text(encoding="utf-8").splitlines()]
    return [row for row in rows if row not in on_the_page]


@pytest.mark.parametrize(
    ("loss", "form"), [(loss, form) for form in ("one-sided", "central") for loss in Loss]
    + [(Loss.SCALED_MATCH, form) for form in FORMS if form not in ("one-sided", "central")],
)  # fmt: skip
def test_every_loss_stands_on_the_page_as_it_was_measured(loss: Loss, form: str) -> None:
    training = attrs.evolve(QUICK, loss=loss, epsilon=EPSILON[loss], **FORMS[form])
    measured = results("fixed_step", training) or results("losses", training)
    known = [r for r in measured if (r.run.k, r.run.scale) == (5, Scale.LEARNED) and r.run.seed < 2]
    assert sorted(r.run.seed for r in known) == [0, 1]
    held_out = ", ".join(f"{100 * r.held_out:.2f}" for r in sorted(known, key=lambda r: r.run.seed))
    nonzero, sigma = (
        [statistics.fmean(getattr(r.epochs[at].measures, name) for r in known) for at in (0, -1)]
        for name in ("nonzero", "scale")
    )
    row = (
        f"| `{loss.value}` | {training.epsilon:g} | {form} | {held_out} | "
        f"{100 * nonzero[0]:.0f} → {100 * nonzero[1]:.0f} % | {sigma[0]:.2f} → {sigma[1]:.2f} |"
    )
    assert row in (ROOT / "docs" / "knn.md").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize(("scale", "said"), [(Scale.ONE, "is 51 with sigma = 1"), (Scale.NONE, "and 10 without noise")])
def test_the_page_says_how_large_the_embeddings_became(scale: Scale, said: str) -> None:
    """Under the scaled match a wrong neighbour costs the mean distance."""
    (result,) = (r for r in results("fixed_step", FIXED) if (r.run.k, r.run.scale, r.run.seed) == (5, scale, 0))
    last = result.epochs[-1].measures
    assert f" {last.loss / (5 * (1 - last.right)):.0f} " in said
    assert said in " ".join((ROOT / "docs" / "knn.md").read_text(encoding="utf-8").split())
