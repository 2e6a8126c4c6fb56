"""The results file: what is written is read, a cut line goes, damage is named, nothing else changes."""

import enum
import json
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

import structpred as sp
from tasks.common.results import ResultsFile, commit
from tasks.common.structure import plain


class Colour(enum.Enum):
    RED = "red"


@attrs.frozen
class Outcome:
    seed: int
    loss: float


@attrs.frozen
class Result:
    colour: Colour
    outcome: Outcome
    commit: str


def result(seed: int = 0, commit: str = "abc") -> Result:
    return Result(Colour.RED, Outcome(seed, loss=1 / 3), commit)


def line(seed: int = 0, commit: str = "abc") -> bytes:
    """One line, formatted unlike the file's own, so that a rewrite would show."""
    return json.dumps(plain(result(seed, commit)), ensure_ascii=False, separators=(" , ", ":")).encode() + b"\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "results.jsonl"


def test_what_is_appended_is_read_in_its_order(path: Path) -> None:
    file = ResultsFile(path, Result)
    assert file.read() == []
    file.append([result(3), result(1)])
    file.append([result(2)])
    assert file.read() == ResultsFile(path, Result).read() == [result(3), result(1), result(2)]


def test_a_line_cut_anywhere_is_removed_and_reported_and_the_whole_lines_stay(path: Path) -> None:
    last = line(2)
    for kept in [*range(1, len(last), 29), len(last) - 2]:
        path.write_bytes(line(0) + line(1) + last[:kept])
        file = ResultsFile(path, Result)
        assert file.cut_line
        assert path.read_bytes() == line(0) + line(1)
        assert not ResultsFile(path, Result).cut_line
    assert list(path.parent.iterdir()) == [path]


def test_a_whole_last_line_without_its_newline_is_kept_and_gets_one(path: Path) -> None:
    for before in (b"", line(0) + line(1)):
        path.write_bytes(before + line(2)[:-1])
        file = ResultsFile(path, Result)
        assert not file.cut_line
        assert path.read_bytes() == before + line(2)
        file.append([result(3)])
        assert [r.outcome.seed for r in file.read()][-2:] == [2, 3]


NOT_RESULTS = {
    "a JSON file": b'{"name": "a package", "version": 3}',
    "text after a result": line() + b"some text",
    "another's line after a result": line() + b'{"name": 3}',
    "a checkpoint": b"PK\x03\x04\x00\n{\x00\xff",
    "one line cut short": line()[:40],
    "a cut line after damage": b"damaged\n" + line(1) + line(2)[:20],
    "brackets without end": b"[" * 100_000,
}


@pytest.mark.parametrize("content", NOT_RESULTS.values(), ids=NOT_RESULTS.keys())
def test_a_file_of_anything_else_is_refused_and_stays_byte_for_byte(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(sp.ArgumentError, match=r"^results: expected a JSON line of this experiment, got another in li"):
        ResultsFile(path, Result)
    assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


FIELDS = [
    ('"loss":0.3333333333333333', '"loss":null', "outcome.loss: expected a finite number, got None"),
    ('"seed":0', '"seed":0.5', "outcome.seed: expected an integer, got 0.5"),
    ('"seed":0 , ', "", "outcome.seed: expected a value, got none"),
    ('"red"', "3", "colour: expected one of red, got 3"),
    ('"abc"', "null", "commit: expected a string, got None"),
    ('"abc"', '"abc" , "more":1', "more: expected no such field"),
]


@pytest.mark.parametrize(("good", "bad", "told"), FIELDS)
def test_the_field_that_is_wrong_is_named_with_its_line(path: Path, good: str, bad: str, told: str) -> None:
    content = line(1) + line(0).replace(good.encode(), bad.encode())
    assert content != line(1) + line(0)
    path.write_bytes(content)
    with pytest.raises(sp.ArgumentError) as refused:
        ResultsFile(path, Result)
    assert f"in line 2 of {str(path)!r} ({told}); repair or remove that line" in str(refused.value)
    assert path.read_bytes() == content


def test_what_does_not_fit_the_disk_is_refused_and_nothing_of_it_stays(path: Path, small_disk: Callable) -> None:
    file = ResultsFile(path, Result)
    file.append([result(0)])
    before = path.read_bytes()
    assert 40 < len(before) < 150
    with (
        small_disk(),
        pytest.raises(sp.ArgumentError, match=r"results: expected a file that can be written.*--results"),
    ):
        file.append([result(1), result(2), result(3)])
    assert path.read_bytes() == before


def test_the_commit_is_that_of_this_checkout_and_unknown_outside_of_git(monkeypatch: pytest.MonkeyPatch) -> None:
    here = commit()
    assert here == "unknown" or len(here.rstrip("+")) >= 10
    monkeypatch.setenv("PATH", "")
    assert commit() == "unknown"
    monkeypatch.setenv("STRUCTPRED_COMMIT", "0123456789")  # on a machine that has the files alone
    assert commit() == "0123456789"
