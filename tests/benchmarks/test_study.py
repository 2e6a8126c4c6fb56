"""The study: every setting trains, its steps and sigmas are what they say, and its tables read right."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import attrs
import pytest
import torch
from rich.console import Console

import structpred as sp
from benchmarks.page import names, with_tables
from benchmarks.study.axes import AXES, CELLS, DEFAULT, settings_of
from benchmarks.study.learner import Learner
from benchmarks.study.problems import Cell, Kind, Result, Run, train
from benchmarks.study.report import (
    GROUPS,
    best_for_all,
    best_of,
    errors_of,
    page_tables,
    print_axes,
    print_rivals,
    told,
)
from benchmarks.study.setting import Learning, Method, Setting, Unit
from tasks.common.results import ResultsFile

ROOT = Path(__file__).parents[2]

SPACE = sp.OneHot(4)
SETTINGS = list(dict.fromkeys(setting for settings in AXES.values() for setting in settings))


def problem(runs: int = 2) -> tuple[torch.Tensor, sp.LinearLoss]:
    generator = torch.Generator().manual_seed(0)
    costs = torch.rand(runs, 6, 4, generator=generator)
    best = SPACE.argmax(-costs)
    scores = torch.randn(runs, 6, 4, generator=generator).requires_grad_()
    return scores, sp.LinearLoss(costs, -(costs * best).sum(-1), event_dims=1, best=best)


def learner(setting: Setting, runs: int | None = 2) -> Learner:
    torch.manual_seed(0)
    return Learner(setting, SPACE, noise=sp.Gumbel(), draws=2, rate=0.1, runs=runs)


@pytest.mark.parametrize("setting", SETTINGS, ids=told)
def test_every_setting_has_a_loss_for_each_example_with_a_gradient(setting):
    scores, loss = problem()
    value = learner(setting)(scores, loss)
    value.sum().backward()
    assert value.shape == (2, 6)
    assert scores.grad.isfinite().all()
    adaptive = setting.method is Method.ADAPTIVE_IMPLICIT_MLE  # whose first step is short against much noise
    assert scores.grad.any() or (adaptive and setting.sigma > 1)


def test_the_default_is_the_librarys():
    mine = learner(attrs.evolve(DEFAULT, draws=1), runs=None).module
    library = sp.PerturbedDirectLoss(SPACE)
    assert mine.epsilon == library.epsilon
    assert mine.scale().item() == library.scale().item()
    assert mine.scale.rate == library.scale.rate
    assert mine.noise == library.noise


@pytest.mark.parametrize(("learning", "moves"), [(how, how is not Learning.FIXED) for how in Learning])
def test_sigma_moves_if_it_is_learned(learning, moves):
    scores, loss = problem()
    of = learner(Setting(learning=learning, sigma=0.5))
    assert of.sigma == pytest.approx(0.5)
    of(scores, loss).sum().backward()
    assert (abs(of.sigma - 0.5) > 1e-4) == moves


def test_units_differ_in_what_the_range_is_a_mean_of():
    scores, loss = problem()
    ranges = loss.coefficients.amax(-1) - loss.coefficients.amin(-1)
    steps = {}
    for unit in Unit:
        step = learner(Setting(unit=unit)).module.epsilon
        steps[unit] = [step.start(scores, it.coefficients, torch.tensor(1.0), 1) for it in (loss, loss_times(loss, 2))]
    torch.testing.assert_close(steps[Unit.BATCH][0], -256 / ranges.mean(-1, keepdim=True).expand(2, 6))
    torch.testing.assert_close(steps[Unit.EXAMPLE][0], -256 / ranges)
    torch.testing.assert_close(steps[Unit.RUNNING][0], steps[Unit.BATCH][0])
    torch.testing.assert_close(steps[Unit.RUNNING][1], steps[Unit.BATCH][0] / 1.1)


def loss_times(loss: sp.LinearLoss, factor: float) -> sp.LinearLoss:
    return sp.LinearLoss(factor * loss.coefficients, event_dims=1)


def test_a_small_cell_trains_and_learns():
    cell = Cell(Kind.PATHS, degree=1, rows=20)
    outcomes = list(train(cell, DEFAULT, [100_000, 100_001], data_dir=None))  # type: ignore[arg-type]
    assert len(outcomes) == 2
    assert all(0 <= error < 0.2 and sigma > 0 for error, sigma in outcomes)


def test_every_cell_has_the_default_first_and_no_setting_twice():
    for cell in CELLS:
        settings = settings_of(cell)
        assert settings[0] == DEFAULT
        assert len(set(settings)) == len(settings)


PATHS = GROUPS[0].cells


def results(cells: Sequence[Cell] = PATHS) -> list[Result]:
    spo = AXES["spo+"]
    errors = {DEFAULT: (0.1, 0.3), AXES["step"][0]: (0.3, 0.5), spo[0]: (0.9, 0.9), spo[1]: (0.2, 0.2)}
    return [
        Result(Run(cell, setting, seed), error, 1.0, "abc")
        for cell in cells
        for setting, pair in errors.items()
        for seed, error in enumerate(pair)
    ]


def printed(show: Callable[[Sequence[Result], Console], None], measured: Sequence[Result]) -> list[list[str]]:
    output = io.StringIO()
    show(measured, Console(file=output, width=200))
    return [line.split() for line in output.getvalue().splitlines() if line.strip()]


def test_errors_are_told_relative_to_the_defaults_over_all_cells_of_a_group_or_not_at_all():
    errors = errors_of(results())
    assert errors[PATHS[0], DEFAULT] == [0.1, 0.3]
    assert GROUPS[0].value(errors, AXES["step"][0]) == pytest.approx(0.401 / 0.201)
    assert GROUPS[1].value(errors, DEFAULT) is None
    assert GROUPS[0].value(errors, AXES["step"][1]) is None
    assert GROUPS[0].value(errors_of(results(PATHS[1:])), DEFAULT) is None
    rows = printed(print_axes, results())
    assert ["ratio", "-4", "2.00"] in rows
    assert ["step", "paths,", "100", "rows"] in rows  # no other group is whole


def test_rivals_are_shown_at_the_best_of_each_grid():
    errors = errors_of(results())
    assert best_of(errors, PATHS[0], AXES["spo+"]) == pytest.approx(0.2)
    assert best_of(errors, PATHS[0], AXES["hinge"]) is None
    rows = printed(print_rivals, results())
    assert sum(row[-3:] == ["20.00", "20.00", "20.00"] for row in rows) == len(PATHS) + 2  # and the means


def test_one_setting_for_all_cells_is_not_better_than_the_best_of_each():
    settings = AXES["spo+"]
    errors = {(cell, one): [0.1 * abs(i - j)] for i, cell in enumerate(PATHS) for j, one in enumerate(settings)}
    assert [best_of(errors, cell, settings) for cell in PATHS[: len(settings)]] == [0.0] * min(
        len(PATHS), len(settings)
    )
    by_hand = min(sum(abs(i - j) for i in range(len(PATHS))) for j in range(len(settings))) / len(PATHS) / 10
    assert best_for_all(errors, PATHS, settings) == pytest.approx(by_hand)
    assert best_for_all(errors, [*PATHS, Cell(Kind.MATCHING)], settings) is None


def test_sorting_is_told_in_percent_as_the_default_leaves_nothing_wrong():
    cell = Cell(Kind.SORTING, length=60)
    (group,) = [group for group in GROUPS if group.cells == (cell,)]
    assert group.name == "sorting 60, % wrong"
    assert group.value(errors_of(results([cell])), AXES["step"][0]) == pytest.approx(40)


def test_every_cell_is_in_one_group():
    assert [cell for group in GROUPS for cell in group.cells] == list(CELLS)


def test_the_page_has_every_table_as_the_committed_results_have_it():
    committed = ResultsFile(ROOT / "benchmarks" / "study" / "results.jsonl", Result).read()
    text = (ROOT / "docs" / "choosing.md").read_text(encoding="utf-8")
    tables = page_tables(committed)
    assert set(names(text)) == set(tables)
    assert with_tables(text, tables) == text, "write it anew: python -m benchmarks.study page"


def test_rivals_have_grids_of_their_own():
    for method in Method:
        assert sum(setting.method is method for setting in SETTINGS) >= 5
