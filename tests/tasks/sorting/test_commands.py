"""The command line: presets and fields, refusals, and what ``table`` runs and skips."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest

from tasks.common import cli
from tasks.common.results import ResultsFile, commit
from tasks.common.settings import Scale, Seeds
from tasks.common.workers import Backend, Workers
from tasks.sorting import commands
from tasks.sorting.__main__ import main
from tasks.sorting.commands import Command, Figure, Table, Train
from tasks.sorting.config import AUTHORS, BEST, PAPER, Decomposition, Method, Run, Training, Weights
from tasks.sorting.results import Result
from tasks.sorting.train import Outcome

Calls = list[tuple[Training, Scale, int, list[int]]]


def parse(*arguments: object) -> Any:
    return cli.parse(Command, "tasks.sorting", [str(argument) for argument in arguments])


def outcome(seed: int) -> Outcome:
    return Outcome(seed, wrong=0.0, epochs=3, seconds=0.5, train_loss=0.25, scale_path=[4.0, 3.5])


def run(arguments: Sequence[object], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """The exit status and everything printed, as one line without the frames of messages."""
    try:
        status = main([str(argument) for argument in arguments])
    except SystemExit as stop:
        status = stop.code
    printed = "".join(capsys.readouterr())
    return status, " ".join(printed.split()).replace(" │ │ ", " ")


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results.jsonl"


@pytest.fixture
def methods() -> list[Method]:
    """The method of every training that the commands ask for."""
    return []


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, methods: list[Method]) -> Calls:
    """Every training that the commands ask for; none is really done. The terminal is wide."""
    monkeypatch.setenv("COLUMNS", "200")
    asked: Calls = []

    def train(
        training: Training, scale: Scale, length: int, seeds: Sequence[int], observe: Callable, *, method: Method
    ) -> list[Outcome]:
        assert method.scale in (None, scale)
        asked.append((training, scale, length, list(seeds)))
        methods.append(method)
        return [outcome(seed) for seed in seeds]

    monkeypatch.setattr(commands, "train", train)
    return asked


@pytest.mark.parametrize(("command", "default"), [("train", BEST), ("table", BEST), ("figure", PAPER)])
def test_every_command_takes_every_preset_whose_fields_can_be_overridden(command: str, default: Training) -> None:
    assert parse(command).training == default
    assert parse(command, "best").training == BEST
    assert parse(command, "authors").training == AUTHORS
    options = ["--decomposition", "squared", "--patience", "None", "--epsilon", "-3", "--weights", "last"]
    changed = {"decomposition": Decomposition.SQUARED, "patience": None, "epsilon": -3.0, "weights": Weights.LAST}
    assert parse(command, "paper", *options).training == attrs.evolve(PAPER, **changed)


def test_the_options_of_each_command_are_read_and_the_table_is_the_papers_by_default() -> None:
    train = parse(
        "train", "--length", 7, "--scale", "one", "--method", "gumbel-sinkhorn", "--seed", 3, "--results", "r"
    )
    assert train == Train(BEST, 7, Scale.ONE, Method.GUMBEL_SINKHORN, 3, Path("r"))
    options = ["--lengths", 5, 6, "--scales", "none", "one", "--repetitions", 2, "--first-seed", 9]
    assert parse("table", *options, "--methods", "gumbel-sinkhorn", "--results", "r") == Table(
        BEST, (5, 6), (Scale.NONE, Scale.ONE), (Method.GUMBEL_SINKHORN,), Seeds(2, 9), Path("r")
    )
    options = ["--workers", 4, "--backend", "dask", "--address", "tcp://there"]
    assert parse("table", *options).workers == Workers(4, Backend.DASK, "tcp://there")
    assert parse("table").workers == Workers()
    figure = parse("figure", "--lengths", 3, "--epochs", 8, "--runs", 2, "--output", "p")
    assert figure == Figure(lengths=(3,), epochs=8, runs=2, output=Path("p"))
    assert (parse("table").lengths, parse("table").seeds) == ((5, 10, 25, 40, 60, 100), Seeds(200))


REFUSED = [
    ("train --length 0", "length"),
    ("train --scale two", "two"),
    ("train paper --patience 0", "patience"),
    ("train --epochs 7 --average-from 7", "average_from"),
    ("train --initial-scale -1", "initial_scale"),
    ("train --epsilon nan", "epsilon"),
    ("train --temperature 0", "temperature"),
    ("train authors --epsilon None", "epsilon: expected a number, as the estimator is the published one, got none"),
    ("train authors --noise-variance -1", "noise_variance"),
    ("table --lengths 5 0", "lengths"),
    ("table --repetitions 0", "repetitions"),
    ("table --workers 0", "workers"),
    ("table --workers 2 --address tcp://there", "address: expected none for loky"),
    ("figure --runs 0", "runs"),
    ("draw", "draw"),
]


@pytest.mark.parametrize(("arguments", "named"), REFUSED, ids=[arguments for arguments, _ in REFUSED])
def test_a_bad_value_is_refused_with_status_2_and_named(
    arguments: str, named: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # for the commands' default files
    status, printed = run(arguments.split(), capsys)
    assert status == 2
    assert named in printed.replace("-", "_")
    assert "Traceback" not in printed
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["train", "table"])
def test_a_results_file_that_is_damaged_or_cannot_be_written_is_refused_before_any_training(
    command: str, calls: Calls, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results.write_text('{"name": "a JSON file"}')
    status, printed = run([command, "--results", results], capsys)
    assert (status, "line 1 of" in printed) == (2, True)
    assert results.read_text() == '{"name": "a JSON file"}'
    status, printed = run([command, "--results", results / "below"], capsys)
    assert (status, "error: results: expected a file that can be written" in printed) == (2, True)
    assert calls == []


def test_train_appends_its_result_and_says_how_it_sorts(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--length", 4, "--seed", 6, "--scale", "one", "--epochs", 3, "--average-from", 1, "--results", results]
    status, printed = run(["train", *options], capsys)
    assert status == 0
    (result,) = ResultsFile(results, Result).read()
    assert (result.length, result.scale, result.outcome.seed, result.outcome.epochs) == (4, Scale.ONE, 6, 3)
    assert (result.training, result.commit) == (attrs.evolve(BEST, epochs=3, average_from=1), commit())
    assert f"{round(4 * result.outcome.wrong)} of 4 numbers out of place" in printed
    assert re.search(r"sigma along the way: 1(\.0+)? 1(\.0+)? 1(\.0+)?\b", printed)


def test_table_trains_every_length_and_scale_with_every_seed_it_lacks(
    calls: Calls, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = attrs.evolve(outcome(5), wrong=1.0)
    of_others = [
        Result(3, Scale.ONE, attrs.evolve(BEST, epsilon=-11.0), bad, "abc"),
        Result(5, Scale.ONE, BEST, bad, "abc"),
        Result(3, Scale.LEARNED, BEST, bad, "abc"),
        Result(3, Scale.ONE, BEST, attrs.evolve(bad, seed=7), "abc"),
    ]
    ResultsFile(results, Result).append([*of_others, Result(4, Scale.NONE, BEST, outcome(5), "abc")])
    options = ["--lengths", 3, 4, 3, "--scales", "none", "one", "--repetitions", 2, "--first-seed", 5]
    status, printed = run(["table", *options, "--results", results], capsys)
    assert status == 0
    cells = [(3, Scale.NONE, [5, 6]), (3, Scale.ONE, [5, 6]), (4, Scale.NONE, [6]), (4, Scale.ONE, [5, 6])]
    assert calls == [(BEST, scale, length, seeds) for length, scale, seeds in cells]
    assert re.search(r"\b3\W+sigma 1\W+2\W+100\.0\W+0\.00 ± 0\.00\b", printed)


def test_long_sequences_train_few_at_a_time(calls: Calls, results: Path) -> None:
    main(["table", "--lengths", "3", "200", "--repetitions", "5", "--results", str(results)])
    assert [seeds for *_, seeds in calls] == [[0, 1, 2, 3, 4], [0, 1], [2, 3], [4]]


def test_a_table_of_both_methods_has_gumbel_sinkhorn_once_whatever_the_noise_of_the_other(
    calls: Calls, methods: list[Method], results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--lengths", 3, "--methods", "direct", "gumbel-sinkhorn", "--scales", "none", "one", "--repetitions", 2]
    for _ in range(2):  # the second finds all of it in the file
        status, printed = run(["table", *options, "--results", results], capsys)
        assert status == 0
        assert [scale for _, scale, *_ in calls] == [Scale.NONE, Scale.ONE, Scale.ONE]
        assert methods == [Method.DIRECT, Method.DIRECT, Method.GUMBEL_SINKHORN]
        for name in ("sigma 0", "sigma 1", "Sinkhorn"):
            assert re.search(rf"\b3\W+{name}\W+2\W+100\.0\b", printed)


def test_train_takes_gumbel_sinkhorn_with_its_own_noise(results: Path) -> None:
    options = ["--length", 3, "--method", "gumbel-sinkhorn", "--epochs", 2, "--average-from", 1, "--results", results]
    assert main(["train", *map(str, options)]) == 0
    (result,) = ResultsFile(results, Result).read()
    assert (result.method, result.scale) == (Method.GUMBEL_SINKHORN, Scale.ONE)


@pytest.mark.parametrize("scale", [Scale.NONE, Scale.LEARNED])
def test_gumbel_sinkhorn_with_other_noise_is_refused(scale: Scale) -> None:
    with pytest.raises(ValueError, match=f"scale: expected one, as gumbel-sinkhorn has it, got {scale.value}"):
        Run(BEST, 5, scale, 0, method=Method.GUMBEL_SINKHORN)


def test_relaxations_take_more_memory_and_so_fewer_train_at_a_time(calls: Calls, results: Path) -> None:
    options = ["--lengths", "70", "--methods", "direct", "gumbel-sinkhorn", "--repetitions", "20"]
    main(["table", *options, "--results", str(results)])
    sizes = [len(seeds) for *_, seeds in calls]
    assert sizes == [20] + [2] * 10
