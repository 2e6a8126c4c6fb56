"""What a line of nearest-neighbour results holds: the whole run, every epoch, and all that came of it."""

import json
from pathlib import Path

import attrs
import pytest
from tiny_knn import TINY

import structpred as sp
from tasks.common.results import plain
from tasks.common.settings import Scale
from tasks.knn.config import Run
from tasks.knn.results import Result, ResultsFile
from tasks.knn.train import Epoch, Measures


def epoch(number: int, held_out: float | None) -> Epoch:
    return Epoch(number, Measures(loss=1 / 3, right=0.5, nonzero=0.25, scale=0.7), seconds=2.5, held_out=held_out)


def result(*held_out: float | None, best_epoch: bool = False, seed: int = 0, test: float | None = 0.9) -> Result:
    run = Run(attrs.evolve(TINY, epochs=max(1, len(held_out)), best_epoch=best_epoch), 3, Scale.LEARNED, seed)
    epochs = [epoch(number, accuracy) for number, accuracy in enumerate(held_out, start=1)]
    return Result(run, test, epochs, images_per_second=1234.5, device="a machine", commit="abc")


def test_what_is_appended_is_read(tmp_path: Path) -> None:
    file = ResultsFile(tmp_path / "results.jsonl")
    appended = [result(0.5, None, 0.75, seed=3), result(None, test=None, best_epoch=True, seed=1)]
    file.append(appended)
    assert ResultsFile(tmp_path / "results.jsonl").read() == file.read() == appended


def test_a_line_has_the_whole_run(tmp_path: Path) -> None:
    ResultsFile(tmp_path / "results.jsonl").append([result(0.5)])
    fields = json.loads((tmp_path / "results.jsonl").read_text())
    assert fields["run"] == plain(result(0.5).run)
    assert set(fields["run"]["training"]) == {field.name for field in attrs.fields(type(TINY))}
    assert [entry["number"] for entry in fields["epochs"]] == [1]


def test_the_held_out_accuracy_is_that_of_the_weights_that_are_used() -> None:
    measured = (0.5, 0.75, None, 0.7)
    assert result(*measured).held_out == 0.7
    assert result(*measured, best_epoch=True).held_out == 0.75
    assert result(0.5, None).held_out == 0.5
    assert result(0.0, best_epoch=True).held_out == 0.0
    assert result(None, None).held_out is None


def test_its_seconds_are_those_of_its_epochs() -> None:
    assert result(0.5, 0.6, 0.7).seconds == 7.5


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ('"learned"', '"two"'),
        ('"mnist"', '"emnist"'),
        ('"k": 3', '"k": 0'),
        ('"seed": 0', '"number": 0'),
        ('"epsilon": -0.5, ', ""),
        ('"right": 0.5, ', ""),
        ('"number": 1, ', '"number": 1, "more": 1, '),
        ('"test": 0.9, ', ""),
        ('"epochs": [', '"epoch": ['),
    ],
)
def test_a_line_of_something_else_is_named(good: str, bad: str, tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    ResultsFile(path).append([result(0.5)])
    damaged = path.read_text().replace(good, bad)
    assert damaged != path.read_text()
    path.write_text(damaged)
    with pytest.raises(sp.ArgumentError, match=r"^results: .*line 1 of"):
        ResultsFile(path)
