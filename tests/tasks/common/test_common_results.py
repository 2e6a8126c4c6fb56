"""The results file: what is written is read, a cut line goes, damage is named, nothing else changes."""

import enum
import json
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

import structpred as sp
from tasks.common import results
from tasks.common.results import commit, plain


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


class ResultsFile(results.ResultsFile[Result]):
    result = Result


def result(seed: int = 0, commit: str = "abc") -> Result:
    return Result(Colour.RED, Outcome(seed, loss=1 / 3), commit)


def line(seed: int = 0, commit: str = "abc") -> bytes:
    """One line, formatted unlike the file's own, so that a rewrite would show."""
    return json.dumps(plain(result(seed, commit)), ensure_ascii=False, separators=(" , ", ":")).encode() + b"\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "results.jsonl"


def test_what_is_appended_is_read_in_its_order(path: Path) -> None:
    file = ResultsFile(path)
    assert file.read() == []
    file.append([result(3), result(1)])
    file.append([result(2)])
    assert file.read() == ResultsFile(path).read() == [result(3), result(1), result(2)]


def test_every_line_is_one_json_object_with_enums_by_value(path: Path) -> None:
    ResultsFile(path).append([result(0), result(1)])
    content = path.read_bytes()
    assert content.endswith(b"\n")
    lines = [json.loads(text) for text in content.splitlines()]
    assert [fields["outcome"]["seed"] for fields in lines] == [0, 1]
    assert all(fields["colour"] == "red" and fields["commit"] == "abc" for fields in lines)


def test_plain_values_survive_json_and_differ_where_values_differ() -> None:
    assert json.loads(json.dumps(plain(result()))) == plain(result()) == plain(attrs.evolve(result()))
    assert plain(result()) != plain(result(seed=1))


def test_opening_again_and_appending_keeps_what_is_there_byte_for_byte(path: Path) -> None:
    path.write_bytes(line(0) + line(1))
    file = ResultsFile(path)
    assert not file.cut_line
    file.append([result(2)])
    assert path.read_bytes().startswith(line(0) + line(1))
    assert [r.outcome.seed for r in file.read()] == [0, 1, 2]


def test_two_open_files_of_one_path_both_append(path: Path) -> None:
    first, second = ResultsFile(path), ResultsFile(path)
    for file, seed in ((first, 0), (second, 1), (first, 2)):
        file.append([result(seed)])
    assert [r.outcome.seed for r in first.read()] == [0, 1, 2]


def test_a_line_cut_anywhere_is_removed_and_reported_and_the_whole_lines_stay(path: Path) -> None:
    last = line(2)
    for kept in [*range(1, len(last), 29), len(last) - 2]:
        path.write_bytes(line(0) + line(1) + last[:kept])
        file = ResultsFile(path)
        assert file.cut_line
        assert path.read_bytes() == line(0) + line(1)
        assert not ResultsFile(path).cut_line
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_had_a_cut_line_has_the_permissions_it_had(path: Path) -> None:
    path.write_bytes(line() + line()[:30])
    path.chmod(0o640)
    assert ResultsFile(path).cut_line
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_line_cut_within_a_character_is_removed(path: Path) -> None:
    last = line(1, commit="für")
    cut = last.index("ü".encode()) + 1
    path.write_bytes(line(0, commit="für") + last[:cut])
    assert ResultsFile(path).cut_line
    assert path.read_bytes() == line(0, commit="für")


def test_a_whole_last_line_without_its_newline_is_kept_and_gets_one(path: Path) -> None:
    for before in (b"", line(0) + line(1)):
        path.write_bytes(before + line(2)[:-1])
        file = ResultsFile(path)
        assert not file.cut_line
        assert path.read_bytes() == before + line(2)
        file.append([result(3)])
        assert [r.outcome.seed for r in file.read()][-2:] == [2, 3]


def test_an_empty_file_can_be_appended_to(path: Path) -> None:
    path.touch()
    file = ResultsFile(path)
    file.append([result()])
    assert file.read() == [result()]


NOT_RESULTS = {
    "a JSON file": b'{"name": "a package", "version": 3}',
    "a JSON file of many lines": b'{\n  "name": "a package"\n}',
    "text": b"some text",
    "text after a result": line() + b"some text",
    "another's line after a result": line() + b'{"name": 3}',
    "a checkpoint": b"PK\x03\x04\x00\n{\x00\xff",
    "one line cut short": line()[:40],
    "a cut line after damage": b"damaged\n" + line(1) + line(2)[:20],
    "a cut line after a blank one": line(0) + b"\n" + line(2)[:20],
    "zeros after a result": line() + bytes(20),
    "a newline": b"\n",
    "brackets without end": b"[" * 100_000,
}


@pytest.mark.parametrize("content", NOT_RESULTS.values(), ids=NOT_RESULTS.keys())
def test_a_file_of_anything_else_is_refused_and_stays_byte_for_byte(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(sp.ArgumentError, match=r"^results: expected a JSON line of this experiment, got another in li"):
        ResultsFile(path)
    assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


DAMAGED = {
    "no JSON": b'{"colour": "red",',
    "blank": b"",
    "zeros": b"\0" * 20,
    "not UTF-8": b'{"colour": "\xff"}',
    "no object": b"[5]",
    "a number": b"5",
    "no outcome": line().replace(b'"outcome"', b'"result"').strip(),
    "a field missing in the outcome": line().replace(b'"seed":0 , ', b"").strip(),
    "a field too many": b'{"more":1 , ' + line().strip()[1:],
    "no such enum value": line().replace(b'"red"', b'"two"').strip(),
}


@pytest.mark.parametrize("damaged", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_line_is_named_and_nothing_is_changed(path: Path, damaged: bytes) -> None:
    assert damaged != line().strip()
    content = line(0) + damaged + b"\n" + line(1)
    path.write_bytes(content)
    with pytest.raises(sp.ArgumentError, match=r"^results: .*line 2 of .*results\.jsonl"):
        ResultsFile(path)
    assert path.read_bytes() == content


def test_a_damaged_last_line_that_ends_in_a_newline_was_not_cut_and_is_named(path: Path) -> None:
    path.write_bytes(line(0) + line(1)[:40] + b"\n")
    with pytest.raises(sp.ArgumentError, match="line 2 of"):
        ResultsFile(path)


FIELDS = [
    ('"loss":0.3333333333333333', '"loss":null', "outcome.loss: expected a finite number, got None"),
    ('"loss":0.3333333333333333', '"loss":NaN', "outcome.loss: expected a finite number, got nan"),
    ('"loss":0.3333333333333333', '"loss":"0.3"', "outcome.loss: expected a finite number, got '0.3'"),
    ('"loss":0.3333333333333333', '"loss":true', "outcome.loss: expected a finite number, got True"),
    ('"seed":0', '"seed":0.5', "outcome.seed: expected an integer, got 0.5"),
    ('"seed":0', '"seed":false', "outcome.seed: expected an integer, got False"),
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
        ResultsFile(path)
    assert f"in line 2 of {str(path)!r} ({told}); repair or remove that line" in str(refused.value)
    assert path.read_bytes() == content


def test_what_could_not_be_read_again_is_not_written(path: Path) -> None:
    file = ResultsFile(path)
    with pytest.raises(ValueError, match="not JSON compliant"):
        file.append([Result(Colour.RED, Outcome(0, float("nan")), "abc")])
    assert not path.exists()


def test_a_folder_a_device_or_a_path_in_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    for path in (tmp_path, tmp_path / "file" / "results.jsonl", tmp_path / "none" / "r.jsonl", Path("/dev/full")):
        with pytest.raises(sp.ArgumentError, match=r"results: expected a file that can be written.*--results"):
            ResultsFile(path)
    assert (tmp_path / "file").read_text() == "kept"


def test_what_does_not_fit_the_disk_is_refused_and_nothing_of_it_stays(path: Path, small_disk: Callable) -> None:
    file = ResultsFile(path)
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
