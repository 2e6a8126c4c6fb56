"""The commands: results that go on after a stop, knobs chosen on other seeds, bad input in one line."""

import json
from pathlib import Path

import attrs
import pytest
from rich.console import Console

from tasks.planning.__main__ import main
from tasks.planning.config import Kind, Result, Run
from tasks.planning.objectives import Method
from tasks.planning.report import cell, chosen_by, default_knob, print_comparison, print_regrets
from tasks.planning.train import Training

TRAINING = Training()
SMALL = ["--degrees", "2", "--rows", "40", "--noise-widths", "0.5", "--repetitions", "2"]


def table(results: Path, *more: str) -> int:
    return main(["table", *SMALL, "--methods", "mse", "direct", *more, "--results", str(results)])


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.planning.commands._training", lambda rows, hidden: Training(epochs=2, hidden=hidden))


def test_a_table_goes_on_from_its_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "r.jsonl"
    assert table(file) == 0
    first = capsys.readouterr().out
    lines = file.read_bytes().splitlines(keepends=True)
    assert len(lines) == 2 * 4  # of two methods, on two seeds to choose by and two to report
    seeds = {json.loads(line)["run"]["seed"] for line in lines}
    assert seeds == {100_000, 100_001, 200_000, 200_001}

    file.write_bytes(b"".join(lines[:5]))
    assert table(file) == 0
    assert file.read_bytes().splitlines()[:5] == [line.rstrip() for line in lines[:5]]
    again = capsys.readouterr().out
    assert [line for line in again.splitlines() if "│" in line] == [line for line in first.splitlines() if "│" in line]
    regrets = [json.loads(line)["regrets"] for line in lines]
    assert [json.loads(line)["regrets"] for line in file.read_bytes().splitlines()] == regrets


def test_knapsacks_have_a_space_a_seed(tmp_path: Path) -> None:
    file = tmp_path / "r.jsonl"
    assert table(file, "--kind", "knapsack", "--no-choose", "--methods", "direct") == 0
    results = [json.loads(line) for line in file.read_text().splitlines()]
    assert [result["run"]["seed"] for result in results] == [200_000, 200_001]
    assert all(0 <= regret < 1 for result in results for regret in result["regrets"])


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_is_drawn_at_its_size(kind: Kind) -> None:
    run = Run(kind, 3, 2, 4, 0.5, Method.DIRECT, TRAINING, 100_000)
    (instances,) = attrs.evolve(run.problem, test_rows=2).draw([run.seed])
    assert instances.space.shape == ((12,) if kind is Kind.PATHS else (3,))


def test_one_training_says_what_two_stages_reach(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--rows", "40", "--method", "spo+"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "% before training" in said
    assert "with spo+;" in said
    assert "% with the two-stage method." in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["table", "--noise-widths", "1.5", "--rows", "40"], "noise_width: expected a number from 0 to 1, got 1.5"),
        (["table", "--noise-widths", "-1"], "noise_width: expected a number from 0 to 1, got -1.0"),
        (["figure"], "expected results of the seeds that are reported, got none; run table first"),
    ],
)
def test_bad_input_is_refused_in_one_line(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert message in " ".join(capsys.readouterr().out.split())


# --- the report


def result(method: Method, seed: int, *regrets: float) -> Result:
    run = Run(Kind.PATHS, 5, 4, 100, 0.5, method, TRAINING, seed)
    return Result(run, method.knobs, [*regrets] or [0.1] * len(method.knobs), 1.0, 1.0, "")


def test_knobs_are_chosen_by_the_mean_over_seeds() -> None:
    choosing = [result(Method.DIRECT, 0, 0.3, 0.1, 0.3, 0.3, 0.3), result(Method.DIRECT, 1, 0.3, 0.2, 0.1, 0.3, 0.3)]
    where = cell(choosing[0].run)
    assert chosen_by(choosing)(where, Method.DIRECT) == 0.3
    assert default_knob(where, Method.DIRECT) == 1.0
    assert choosing[1].regret() == 0.1


def test_methods_are_compared_by_seed() -> None:
    console = Console(record=True, width=130)
    results = [result(Method.DIRECT, seed, *[0.1 + 0.01 * seed] * 5) for seed in range(3)]
    results += [result(Method.MSE, seed, 0.12 + 0.01 * seed) for seed in range(3)]
    print_regrets("Regrets", results, default_knob, console)
    print_comparison("Compared", results, default_knob, console)
    told = console.export_text()
    assert "11.00" in told  # the direct loss's mean, in percent
    assert "+2.00 ± 0.00" in told
    assert "0 of 1" in told


def test_results_are_told_apart_by_all_but_method_and_seed() -> None:
    one = result(Method.DIRECT, 0).run
    assert cell(one) == cell(attrs.evolve(one, method=Method.MSE, seed=3))
    assert cell(one) != cell(attrs.evolve(one, degree=6))
