"""The tables of the documentation follow from the committed results, for the presets as they are."""

from __future__ import annotations

import io
from pathlib import Path

import attrs
import pytest
import torch
from rich.console import Console

from tasks.common.report import print_table
from tasks.common.results import ResultsFile
from tasks.matching.board import Board
from tasks.matching.config import ALL_IMAGES, LEARNED, QUICK, Method, Run, Training
from tasks.matching.data import Grids
from tasks.matching.methods import rate_of
from tasks.matching.report import COLUMNS, TITLE
from tasks.matching.results import Result
from tests.tasks.matching.test_data import mnist

ROOT = Path(__file__).parents[3]
RESULTS = ROOT / "tasks" / "matching" / "results"
PAGE = ROOT / "docs" / "matching.md"
BEST = [Method.DIRECT_HAMMING, Method.FENCHEL_YOUNG, Method.SPO_PLUS, Method.HINGE]


@pytest.mark.parametrize(
    ("name", "training", "k", "methods", "seeds"),
    [
        ("quick", QUICK, 4, list(Method), [200_000, 200_001, 200_002]),
        ("quick", QUICK, 8, BEST, [200_000]),
        ("all_images", ALL_IMAGES, 4, [*BEST, Method.TRUE_WEIGHTS], [200_000]),
        ("quick", attrs.evolve(QUICK, epochs=30), 4, [Method.BLACKBOX_PAPER, Method.SPO_PLUS], [200_000]),
        ("learned", LEARNED, 4, BEST, [200_000]),
    ],
)
def test_every_row_of_the_table_stands_on_the_page(
    name: str, training: Training, k: int, methods: list[Method], seeds: list[int]
) -> None:
    file = ResultsFile(RESULTS / f"{name}.jsonl", Result)
    known = {result.run: result for result in file.read() if (result.run.training, result.run.k) == (training, k)}
    shown = [next(r for run, r in known.items() if (run.method, run.seed) == (m, s)) for s in seeds for m in methods]
    output = io.StringIO()
    print_table(TITLE, COLUMNS, shown, Console(file=output, width=80))
    rows = [line.split() for line in output.getvalue().splitlines() if line.split()[:1] == [str(k)]]
    assert len(rows) == len(methods)
    on_the_page = [line.split() for line in PAGE.read_text(encoding="utf-8").splitlines()]
    assert [row for row in rows if row not in on_the_page] == []


def test_the_rate_of_each_method_is_the_best_of_those_tried() -> None:
    tried: dict[Method, list[tuple[float, float]]] = {}
    for result in ResultsFile(RESULTS / "rates.jsonl", Result).read():
        method, rate = result.run.method, result.run.training.rate
        assert result.run == Run(attrs.evolve(QUICK, epochs=2, rate=rate), 4, method, 100_000)
        tried.setdefault(method, []).append((result.trained_on.optimal, rate))
    assert {method: max(measured)[1] for method, measured in tried.items()} == {m: rate_of(m) for m in Method}


@pytest.mark.parametrize(("k", "said"), [(4, "94.4 % of the target's edges, and the target as a whole in 83.7 %"),
                                         (8, "with k = 8 in 46.8 %")])  # fmt: skip
def test_the_page_says_how_often_ties_make_another_matching_as_light(k: int, said: str) -> None:
    """The lightest by the true weights, to which less is added than makes up for a difference of 1."""
    board = Board(k)
    grids = Grids.draw(board, mnist().test, 1000, seed=200_000)
    weights = board.two_digit_numbers(grids.digits.labels[grids.index]).double()
    weights += torch.rand(weights.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64) / k**2
    same = board.lightest(weights).argmax(-1) == grids.white
    edges, whole = (f"{100 * some.double().mean():.1f} %" for some in (same, same.all(-1)))
    assert said.endswith(whole)
    assert k != 4 or said.startswith(edges)
    assert said in " ".join(PAGE.read_text(encoding="utf-8").split())
