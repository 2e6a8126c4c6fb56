"""What a line of sorting results holds: the whole training, and all that came of it."""

import json
from pathlib import Path

import attrs
import pytest

import structpred as sp
from tasks.common.results import plain
from tasks.common.settings import Scale
from tasks.sorting.config import BEST, PAPER
from tasks.sorting.results import Result, ResultsFile
from tasks.sorting.train import Outcome


def result(seed: int = 0) -> Result:
    outcome = Outcome(seed, wrong=0.2, epochs=7, seconds=0.1, train_loss=1 / 3, scale_path=[4.0, 3.9])
    return Result(5, Scale.LEARNED, plain(PAPER), outcome, "abc")


def test_what_is_appended_is_read(tmp_path: Path) -> None:
    file = ResultsFile(tmp_path / "results.jsonl")
    file.append([result(3), result(1)])
    assert file.read() == [result(3), result(1)]


def test_a_line_has_the_whole_training(tmp_path: Path) -> None:
    ResultsFile(tmp_path / "results.jsonl").append([result()])
    fields = json.loads((tmp_path / "results.jsonl").read_text())
    assert fields["training"] == plain(PAPER)
    assert set(fields["training"]) == {field.name for field in attrs.fields(type(PAPER))}
    assert plain(BEST) != plain(attrs.evolve(BEST, epsilon=-11.0))


@pytest.mark.parametrize(("good", "bad"), [('"learned"', '"two"'), ('"epochs": 7, ', ""), ('"length"', '"size"')])
def test_a_line_of_something_else_is_named(good: str, bad: str, tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    ResultsFile(path).append([result()])
    damaged = path.read_text().replace(good, bad)
    assert damaged != path.read_text()
    path.write_text(damaged)
    with pytest.raises(sp.ArgumentError, match=r"^results: .*line 1 of"):
        ResultsFile(path)
