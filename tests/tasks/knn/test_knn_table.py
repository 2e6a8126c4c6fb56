"""``table`` runs what its file lacks, seed by seed, goes on where it was stopped, and tests only if it should."""

import re
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from tiny_knn import OPTIONS, data, files

from tasks.common.settings import Scale
from tasks.knn import experiment
from tasks.knn.commands import parse
from tasks.knn.config import Run
from tasks.knn.data import Data
from tasks.knn.results import Result, ResultsFile

TABLE = ["table", *OPTIONS, "--epochs", "1", "--results", "results.jsonl"]
TRAINING = parse(TABLE).training
Command = Callable[..., str]


def trainings(steps: list[Run]) -> list[Run]:
    """Each run once, in the order in which they began."""
    return list(dict.fromkeys(steps))


def in_file() -> list[Result]:
    return ResultsFile(Path("results.jsonl")).read()


def timeless(results: list[Result]) -> list[Result]:
    """Without what hangs on the machine's speed."""
    epochs = [[attrs.evolve(epoch, seconds=0.0) for epoch in result.epochs] for result in results]
    return [attrs.evolve(result, epochs=e, images_per_second=0.0) for result, e in zip(results, epochs, strict=True)]


def test_every_cell_is_trained_with_every_seed_and_seed_by_seed(command: Command, steps: list[Run]) -> None:
    printed = command(*TABLE, "--ks", 1, 3, "--scales", "none", "learned", "--repetitions", 2, "--first-seed", 5)
    cells = [(1, Scale.NONE), (1, Scale.LEARNED), (3, Scale.NONE), (3, Scale.LEARNED)]
    runs = [Run(TRAINING, k, scale, seed) for seed in (5, 6) for k, scale in cells]
    assert trainings(steps) == [result.run for result in in_file()] == runs
    assert len(steps) == 3 * len(runs)
    assert all(result.test is not None and len(result.epochs) == 1 for result in in_file())
    assert files(Path()) == ["results.jsonl"]  # no checkpoint is left
    rows = [line.split()[:3] for line in printed.splitlines() if re.match(r" +\d", line)]
    assert rows == [["1", "0", "2"], ["1", "learned", "2"], ["3", "0", "2"], ["3", "learned", "2"]]


def test_a_k_or_scale_named_twice_is_trained_once(command: Command, steps: list[Run]) -> None:
    printed = command(*TABLE, "--ks", 3, 3, "--scales", "one", "one", "--repetitions", 1)
    assert len(steps) == 3
    assert len([line for line in printed.splitlines() if re.match(r" +3 +1 +1 ", line)]) == 1


def test_only_what_is_missing_runs_and_then_nothing(
    command: Command, steps: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = ["--ks", 3, "--scales", "one"]
    first = command(*TABLE, *cells, "--repetitions", 1)
    lines = Path("results.jsonl").read_bytes()
    steps.clear()
    command(*TABLE, *cells, "--repetitions", 2)
    assert trainings(steps) == [Run(TRAINING, 3, Scale.ONE, 1)]
    assert Path("results.jsonl").read_bytes().startswith(lines)
    steps.clear()
    command(*TABLE, "--ks", 3, 2, "--scales", "none", "one", "--repetitions", 1)
    assert trainings(steps) == [Run(TRAINING, k, s, 0) for k, s in ((3, Scale.NONE), (2, Scale.NONE), (2, Scale.ONE))]
    lines = Path("results.jsonl").read_bytes()
    monkeypatch.setattr(experiment, "load", pytest.fail)  # there is nothing to do with images
    assert command(*TABLE, *cells, "--repetitions", 1).strip() in first
    assert Path("results.jsonl").read_bytes() == lines


def test_other_trainings_in_the_file_count_for_nothing(command: Command, steps: list[Run]) -> None:
    cells = ["--ks", 3, "--scales", "one", "--repetitions", 1]
    command(*TABLE, *cells, "--rate", 0.5)
    steps.clear()
    printed = command(*TABLE, *cells)
    assert trainings(steps) == [Run(TRAINING, 3, Scale.ONE, 0)]
    ours = in_file()[1].test
    assert re.search(rf"^ +3 +1 +1 +{100 * ours:.2f} ", printed, re.MULTILINE)


class Untouchable:
    """Images that nobody may look at."""

    def __getattr__(self, name: str) -> None:
        pytest.fail(f"looked at the test images, for {name}")

    def __len__(self) -> int:
        pytest.fail("looked at the test images, to count them")

    def __getitem__(self, index: object) -> None:
        pytest.fail("looked at the test images, for some of them")


def test_without_test_the_test_images_are_not_touched(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experiment, "load", lambda *_: Data(data().train, Untouchable()))
    command(*TABLE, "--ks", 3, "--scales", "one", "--repetitions", 2, "--no-test")
    assert [result.test for result in in_file()] == [None, None]
    assert all(result.held_out is not None for result in in_file())
    with pytest.raises(pytest.fail.Exception, match="looked at the test images"):
        command(*TABLE, "--ks", 3, "--scales", "one", "--repetitions", 1)


def test_a_result_without_test_serves_a_table_without_and_no_other(command: Command, steps: list[Run]) -> None:
    cells = ["--ks", 3, "--scales", "one", "--repetitions", 1]
    command(*TABLE, *cells, "--no-test")
    steps.clear()
    command(*TABLE, *cells, "--no-test")
    assert steps == []
    tested = command(*TABLE, *cells)
    assert len(steps) == 3
    without, with_test = timeless(in_file())
    assert attrs.evolve(with_test, test=None) == without
    # It is one run all the same, and has its test accuracy in the table, with or without the option.
    untested = command(*TABLE, *cells, "--no-test")
    first, second = Path("results.jsonl").read_text().splitlines(keepends=True)
    Path("results.jsonl").write_text(second + first)
    for printed in (tested, untested, command(*TABLE, *cells)):
        assert re.search(
            rf"^ +3 +1 +1 +{100 * with_test.test:.2f} +(?:\(.+\) +)?{100 * without.held_out:.2f} ",
            printed,
            re.MULTILINE,
        )
    assert len(steps) == 3


def test_a_stopped_table_goes_on_within_the_training_where_it_was(
    command: Command, steps: list[Run], interrupt_at: Callable[[int], None]
) -> None:
    cells = ["--ks", 3, "--scales", "learned", "--repetitions", 2, "--epochs", 3]
    command(*TABLE, *cells, "--results", "whole.jsonl")
    steps.clear()
    interrupt_at(9 + 4)
    printed = command(*TABLE, *cells, ends=130)
    assert "stopped; the same command goes on from its checkpoint and its results file" in printed
    assert [result.run.seed for result in in_file()] == [0]
    (checkpoint,) = (name for name in files(Path()) if not name.endswith(".jsonl"))
    assert re.fullmatch(r"results-k3-learned-seed1-[0-9a-f]{12}\.pt", checkpoint)
    steps.clear()
    command(*TABLE, *cells)
    assert [run.seed for run in steps] == [1] * 6  # the first epoch was saved
    assert timeless(in_file()) == timeless(ResultsFile(Path("whole.jsonl")).read())
    assert files(Path()) == ["results.jsonl", "whole.jsonl"]


def test_save_every_is_heeded_within_an_epoch(
    command: Command, steps: list[Run], interrupt_at: Callable[[int], None]
) -> None:
    cells = ["--ks", 3, "--scales", "learned", "--repetitions", 1, "--save-every", 0]
    interrupt_at(2)
    command(*TABLE, *cells, ends=130)
    steps.clear()
    command(*TABLE, *cells)
    assert len(steps) == 1


def test_tables_of_different_trainings_stopped_beside_one_file_do_not_meet(
    command: Command, steps: list[Run], interrupt_at: Callable[[int], None]
) -> None:
    cells = ["--ks", 3, "--scales", "learned", "--repetitions", 1, "--save-every", 0]
    for rate in (0.001, 0.002):
        interrupt_at(2)
        command(*TABLE, *cells, "--rate", rate, ends=130)
        steps.clear()
    assert len(files(Path())) == 2
    for rate in (0.001, 0.002):
        command(*TABLE, *cells, "--rate", rate)
    assert [run.training.rate for run in steps] == [0.001, 0.002]
    assert files(Path()) == ["results.jsonl"]


def test_a_stop_between_a_result_and_the_end_of_its_checkpoint_costs_nothing(
    command: Command, steps: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = ["--ks", 3, "--scales", "one", "--repetitions", 1]

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ResultsFile, "append", stop)
        command(*TABLE, *cells, ends=130)
    steps.clear()
    command(*TABLE, *cells)
    assert steps == []
    assert len(in_file()) == 1
    assert files(Path()) == ["results.jsonl"]


def test_a_cut_line_is_reported_and_its_training_runs_again(command: Command, steps: list[Run]) -> None:
    cells = ["--ks", 3, "--scales", "one", "--repetitions", 2]
    command(*TABLE, *cells)
    before = timeless(in_file())
    steps.clear()
    whole = Path("results.jsonl").read_bytes()
    Path("results.jsonl").write_bytes(whole[:-30])
    assert "results.jsonl ended in a line cut short; it was removed" in command(*TABLE, *cells)
    assert [run.seed for run in steps] == [1] * 3
    assert timeless(in_file()) == before
