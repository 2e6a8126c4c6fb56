"""The command line: presets and fields, refusals, and what ``table`` runs and skips."""

import importlib
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import attrs
import pytest

import structpred as sp
from tasks.common.files import exclusive
from tasks.common.results import commit, plain
from tasks.common.settings import Optimizer, Scale
from tasks.sorting import experiment
from tasks.sorting.__main__ import main
from tasks.sorting.commands import Figure, Table, Train, parse
from tasks.sorting.config import BEST, PAPER, Decomposition, Training, Weights
from tasks.sorting.results import Result, ResultsFile
from tasks.sorting.train import Outcome

Calls = list[tuple[Training, Scale, int, list[int]]]


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
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Every training that the commands ask for; none is really done. The terminal is wide."""
    monkeypatch.setenv("COLUMNS", "200")
    asked: Calls = []

    def train(training: Training, scale: Scale, length: int, seeds: Sequence[int], observe: Callable) -> list[Outcome]:
        asked.append((training, scale, length, list(seeds)))
        return [outcome(seed) for seed in seeds]

    monkeypatch.setattr(experiment, "train", train)
    return asked


def test_the_paper_preset_has_the_protocols_numbers() -> None:
    assert (
        Training(
            decomposition=Decomposition.PAPER,
            epochs=2000,
            patience=50,
            weights=Weights.BEST,
            score_rate=0.1,
            scale_optimizer=Optimizer.SGD,
            scale_rate=1e-6,
            initial_scale=None,
            epsilon=-12,
            epsilon_factor=1.1,
            num_samples=5,
            sequences=10,
        )
        == PAPER
    )


def test_the_table_command_repeats_the_papers_table_by_default() -> None:
    table = parse(["table"])
    assert table.lengths == (5, 10, 25, 40, 60, 100)
    assert table.repetitions == 200


@pytest.mark.parametrize(("command", "default"), [("train", BEST), ("table", BEST), ("figure", PAPER)])
def test_every_command_takes_both_presets(command: str, default: Training) -> None:
    assert parse([command]).training == default
    assert parse([command, "best"]).training == BEST
    assert parse([command, "paper"]).training == PAPER


@pytest.mark.parametrize("command", ["train", "table", "figure"])
def test_a_field_of_a_preset_can_be_overridden_and_the_others_stay(command: str) -> None:
    options = ["--decomposition", "squared", "--patience", "None", "--epsilon", "-3", "--weights", "last"]
    changed = {"decomposition": Decomposition.SQUARED, "patience": None, "epsilon": -3.0, "weights": Weights.LAST}
    assert parse([command, "paper", *options]).training == attrs.evolve(PAPER, **changed)


def test_the_options_of_each_command_are_read(tmp_path: Path) -> None:
    train = parse(["train", "--length", "7", "--scale", "one", "--seed", "3", "--results", str(tmp_path / "r")])
    assert train == Train(BEST, 7, Scale.ONE, 3, tmp_path / "r")
    options = ["--lengths", "5", "6", "--scales", "none", "one", "--repetitions", "2", "--first-seed", "9"]
    table = parse(["table", *options, "--together", "4", "--results", str(tmp_path / "r")])
    assert table == Table(BEST, (5, 6), (Scale.NONE, Scale.ONE), 2, 9, 4, tmp_path / "r")
    figure = parse(["figure", "--lengths", "3", "--epochs", "8", "--runs", "2", "--output", str(tmp_path / "p")])
    assert figure == Figure(lengths=(3,), epochs=8, runs=2, output=tmp_path / "p")


REFUSED = [
    ("train --length 0", "length"),
    ("train --seed -1", "seed"),
    ("train --scale two", "two"),
    ("train --epochs 0", "epochs"),
    ("train paper --patience 0", "patience"),
    ("train --average-from 100000", "average_from"),
    ("train --epochs 7 --average-from 7", "average_from"),
    ("train --num-samples 0", "num_samples"),
    ("train --score-rate 0", "score_rate"),
    ("train --initial-scale -1", "initial_scale"),
    ("train --decomposition cubed", "cubed"),
    ("train --epsilon 0", "epsilon"),
    ("train --epsilon nan", "epsilon"),
    ("train --epsilon-factor 0.9", "epsilon_factor"),
    ("train worst", "worst"),
    ("table --lengths 5 0", "lengths"),
    ("table --lengths", "lengths"),
    ("table --scales", "scales"),
    ("table --scales one two", "two"),
    ("table --repetitions 0", "repetitions"),
    ("table --together 0", "together"),
    ("table --first-seed -1", "first_seed"),
    ("table --epsilon 0", "epsilon"),
    ("figure --lengths 0", "lengths"),
    ("figure --epochs 0", "epochs"),
    ("figure --runs 0", "runs"),
    ("figure --epsilon 0", "epsilon"),
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


def test_an_unwritable_results_file_is_refused_before_any_training(
    calls: Calls, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    for command in ("train", "table"):
        for path in (tmp_path, tmp_path / "file" / "results.jsonl", tmp_path / "none" / "r.jsonl", "/dev/full"):
            status, printed = run([command, "--results", path], capsys)
            assert status == 2
            assert "error: results: expected a file that can be written" in printed
    assert calls == []


def test_a_damaged_results_file_is_refused_before_any_training(
    calls: Calls, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for damaged in ("damaged\n", '{"name": "a JSON file"}'):
        results.write_text(damaged)
        for command in ("train", "table"):
            status, printed = run([command, "--results", results], capsys)
            assert (status, "line 1 of" in printed) == (2, True)
            assert results.read_text() == damaged
    assert calls == []


def test_train_appends_its_result_and_says_how_it_sorts(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--length", 4, "--seed", 6, "--scale", "one", "--epochs", 3, "--average-from", 1, "--results", results]
    status, printed = run(["train", *options], capsys)
    assert status == 0
    (result,) = ResultsFile(results).read()
    assert (result.length, result.scale, result.outcome.seed, result.outcome.epochs) == (4, Scale.ONE, 6, 3)
    assert result.training == plain(attrs.evolve(BEST, epochs=3, average_from=1))
    assert f"{round(4 * result.outcome.wrong)} of 4 numbers out of place" in printed
    assert re.search(r"sigma along the way: 1(\.0+)? 1(\.0+)? 1(\.0+)?\b", printed)


def test_a_cut_line_is_reported_whatever_the_path_is_called(
    calls: Calls, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "[/of] results.jsonl"
    results.parent.mkdir()
    main(["train", "--results", str(results)])
    results.write_text(results.read_text() + results.read_text()[:30])
    status, printed = run(["train", "--results", results], capsys)
    assert (status, "[/of] results.jsonl ended in a line cut short" in printed) == (0, True)


def test_every_result_says_what_code_it_came_from(calls: Calls, results: Path) -> None:
    main(["train", "--results", str(results)])
    assert json.loads(results.read_text())["commit"] == commit()


def test_table_trains_every_length_and_scale_with_every_seed(
    calls: Calls, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--lengths", 3, 4, "--scales", "none", "one", "--repetitions", 2, "--first-seed", 5]
    status, printed = run(["table", *options, "--results", results], capsys)
    assert status == 0
    cells = [(3, Scale.NONE), (3, Scale.ONE), (4, Scale.NONE), (4, Scale.ONE)]
    assert calls == [(BEST, scale, length, [5, 6]) for length, scale in cells]
    assert len(results.read_text().splitlines()) == 8
    assert "perfect" in printed


def test_table_runs_only_what_is_missing_and_then_nothing(calls: Calls, results: Path) -> None:
    command = ["table", "--lengths", "3", "4", "--results", str(results)]
    learned = plain(BEST)
    ResultsFile(results).append([Result(3, Scale.LEARNED, learned, outcome(seed), "abc") for seed in (0, 2)])
    assert main([*command, "--repetitions", "4"]) == 0
    assert calls == [(BEST, Scale.LEARNED, 3, [1, 3]), (BEST, Scale.LEARNED, 4, [0, 1, 2, 3])]
    calls.clear()
    assert main([*command, "--repetitions", "4"]) == 0
    assert calls == []
    assert main([*command, "--repetitions", "5"]) == 0
    assert calls == [(BEST, Scale.LEARNED, 3, [4]), (BEST, Scale.LEARNED, 4, [4])]


def test_other_trainings_lengths_scales_and_seeds_in_the_file_are_not_mixed_up(
    calls: Calls, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = attrs.evolve(outcome(0), wrong=1.0)
    others = [
        Result(3, Scale.LEARNED, plain(attrs.evolve(BEST, epsilon=-11.0)), bad, "abc"),
        Result(4, Scale.LEARNED, plain(BEST), bad, "abc"),
        Result(3, Scale.ONE, plain(BEST), bad, "abc"),
        Result(3, Scale.LEARNED, plain(BEST), attrs.evolve(bad, seed=1), "abc"),
    ]
    for _ in range(2):  # the others come before the one that is asked for, and after
        ResultsFile(results).append(others)
        _, printed = run(["table", "--lengths", 3, "--repetitions", 1, "--results", results], capsys)
        assert calls == [(BEST, Scale.LEARNED, 3, [0])]
        assert re.search(r"\b3\W+learned\W+1\W+100\.0\W+0\.00\W+0\.00\b", printed)


def test_a_length_or_scale_named_twice_is_trained_once(calls: Calls, results: Path) -> None:
    main(["table", "--lengths", "3", "3", "--scales", "one", "one", "--repetitions", "2", "--results", str(results)])
    assert calls == [(BEST, Scale.ONE, 3, [0, 1])]


def test_a_repetition_that_the_file_has_twice_counts_once(
    calls: Calls, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    twice = Result(3, Scale.LEARNED, plain(BEST), attrs.evolve(outcome(0), wrong=1.0), "abc")
    ResultsFile(results).append([twice, twice])
    _, printed = run(["table", "--lengths", 3, "--repetitions", 2, "--results", results], capsys)
    assert re.search(r"\b3\W+learned\W+2\W+50\.0\b", printed)


def test_together_says_how_many_train_as_one_batch(calls: Calls, results: Path) -> None:
    main(["table", "--lengths", "3", "--repetitions", "5", "--together", "2", "--results", str(results)])
    assert [seeds for *_, seeds in calls] == [[0, 1], [2, 3], [4]]


def test_every_seed_is_in_one_batch_whatever_the_length(calls: Calls, results: Path) -> None:
    lengths = [1, 25, 400]
    main(["table", "--lengths", *map(str, lengths), "--repetitions", "9", "--results", str(results)])
    for length in lengths:
        batches = [seeds for _, _, d, seeds in calls if d == length]
        assert [seed for seeds in batches for seed in seeds] == list(range(9))


def test_a_stopped_table_keeps_what_is_finished_and_goes_on_from_there(
    calls: Calls, results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["table", "--lengths", 3, "--repetitions", 4, "--together", 2, "--results", results]
    train = experiment.train

    def stop_after_one(*arguments: object) -> list[Outcome]:
        if calls:
            raise KeyboardInterrupt
        return train(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(experiment, "train", stop_after_one)
        status, printed = run(command, capsys)
    assert status == 130
    assert "goes on from what its results file holds" in printed
    assert [r.outcome.seed for r in ResultsFile(results).read()] == [0, 1]
    calls.clear()
    assert run(command, capsys)[0] == 0
    assert [seeds for *_, seeds in calls] == [[2, 3]]


def test_a_cut_line_is_reported_and_its_repetition_runs_again(
    calls: Calls, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["table", "--lengths", 3, "--repetitions", 3, "--results", results]
    run(command, capsys)
    calls.clear()
    results.write_bytes(results.read_bytes()[:-30])
    _, printed = run(command, capsys)
    assert "ended in a line cut short" in printed
    assert [seeds for *_, seeds in calls] == [[2]]


@pytest.mark.parametrize("package", ["rich", "tyro", "filelock"])
def test_a_missing_extra_is_named(package: str, without: Callable[[str], None]) -> None:
    without(package)
    with pytest.raises(sp.MissingExtraError) as caught:
        importlib.import_module("tasks.sorting.__main__")
    assert str(caught.value) == f"tasks.sorting needs {package}; write pip install '.[tasks]' in the checkout"


def test_a_figure_without_matplotlib_names_the_extra(
    without: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    without("matplotlib")
    assert importlib.import_module("tasks.sorting.__main__").main(["figure"]) == 2
    told = "error: tasks.sorting needs matplotlib; write pip install '.[tasks]' in the checkout\n"
    assert capsys.readouterr().out == told


def test_a_new_results_file_is_told_as_new_and_one_that_is_there_is_not(
    calls: Calls, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["table", "--lengths", 3, "--repetitions", 1, "--results", results]
    assert "results.jsonl is new; results are added to it" in run(command, capsys)[1]
    assert "is new" not in run(command, capsys)[1]


def test_a_results_file_that_another_process_writes_is_refused_before_any_training(
    calls: Calls, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with exclusive(results, "results"):
        for command in ("train", "table"):
            status, printed = run([command, "--results", results], capsys)
            assert (status, "results: expected a file that no other process writes" in printed) == (2, True)
    assert calls == []
    assert not results.exists()
