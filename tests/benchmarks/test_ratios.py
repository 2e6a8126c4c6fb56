"""The table of ratios: what a row measures, that a run goes on, and that the pages say what was measured."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import attrs
import numpy as np
import pytest
import torch
from rich.console import Console

import structpred as sp
from benchmarks import commands
from benchmarks.commands import Command, Report, Run
from benchmarks.figure import draw
from benchmarks.measure import Machine, Quartiles, Result, measure
from benchmarks.page import names, with_tables
from benchmarks.pages import PAGES
from benchmarks.report import amount, committed, digits, latest, slopes_of, slopes_table, table_of, told
from benchmarks.row import Case, Group, Quality, Row, Unit
from benchmarks.rows import every
from tasks.common.cli import parse
from tasks.common.results import ResultsFile

ROWS = {row.key: row for row in every.ROWS}


def counting(returned: float = 8.0) -> tuple[Row, list[str]]:
    """A row that measures what its calls return, and the calls in their order."""
    calls: list[str] = []

    def call(name: str, value: float) -> float:
        calls.append(name)
        return value

    case = Case(
        lambda: call("ours", returned),
        lambda: call("theirs", 2.0),
        lambda: Quality("value", 1.0, 1.0, True),
        lambda: call("prepare", 0.0),
    )
    return Row(Group.MEMORY, "a", "b", lambda: case, unit=Unit.BYTES, rounds=4), calls


def quiet() -> Console:
    return Console(file=io.StringIO(), width=200)


def result(group: Group = Group.STEP, name: str = "a", size: float | None = None, seconds: float = 2.0) -> Result:
    here = Machine("a processor", 2, "3", "a library 1")
    times, one = Quartiles(0.5 * seconds, seconds, 2 * seconds), Quartiles(1.0, 1.0, 1.0)
    return Result(group, name, "b", Unit.SECONDS, 1, size, 5, times, one, times, None, here, "abc")


def test_calls_take_turns():
    row, calls = counting()
    measured = measure(row, seconds=0.0)
    theirs_first, ours_first = ["prepare", "theirs", "ours"], ["prepare", "ours", "theirs"]
    assert calls == 2 * (theirs_first + ours_first)
    assert (measured.rounds, measured.ours, measured.ratio) == (4, Quartiles(8, 8, 8), Quartiles(4, 4, 4))
    assert measured.quality == Quality("value", 1.0, 1.0, True)


def test_a_row_has_its_threads_and_gives_them_back(monkeypatch):
    threads = torch.get_num_threads()
    seen = []
    row = attrs.evolve(counting()[0], threads=threads + 1, make=lambda: seen.append(torch.get_num_threads()))
    with pytest.raises(AttributeError):
        measure(row, seconds=0.0)
    assert (seen, torch.get_num_threads()) == ([threads + 1], threads)


def test_seconds_are_measured_as_long_as_asked_after_a_round_that_does_not_count():
    calls: list[int] = []
    row = Row(Group.STEP, "a", "b", lambda: Case(lambda: calls.append(1), lambda: sum(range(1000))), rounds=1)
    assert measure(row, seconds=0.0).rounds == 1
    assert len(calls) == 2
    measured = measure(row, seconds=0.02)
    assert measured.rounds > 5
    assert 0 < measured.ours.median < measured.theirs.median
    assert measured.ratio.low <= measured.ratio.median <= measured.ratio.high < 1


def test_answers_are_the_same_if_each_examples_value_is():
    scores = np.array([[1.0, 1.0, -np.inf], [3.0, 2.0, 0.0]])
    ties = Quality.of_structures(scores, np.array([[1, 0, 0], [1, 0, 0]]), np.array([[0, 1, 0], [1, 0, 0]]))
    assert (ties.same, ties.ours, ties.reference) == (True, 2.0, 2.0)
    assert told(ties) == "same value"
    swapped = Quality.of_values(torch.tensor([1.0, 3.0]), torch.tensor([3.0, 1.0]))
    assert not swapped.same
    assert told(swapped) == "value: 2.00, theirs 2.00"


def test_a_run_measures_what_its_file_lacks(tmp_path, monkeypatch):
    row, calls = counting()
    absent = attrs.evolve(row, name="c", needs=("a_package_that_is_not_there",))
    monkeypatch.setattr(every, "ROWS", [row, absent])
    run, console = Run(results=tmp_path / "some.jsonl"), quiet()
    run.run(console)
    said = console.file.getvalue()
    assert "c against b: left out, needs a_package_that_is_not_there" in said
    assert "a: 0.0078 KiB; b: 0.0020 KiB; ratio 4.00 (4.00 to 4.00), threads: 1; same value" in said
    count = len(calls)
    monkeypatch.setattr(every, "ROWS", [row, attrs.evolve(row, name="d")])
    run.run(quiet())
    assert len(calls) == 2 * count
    assert [it.name for it in ResultsFile(run.results, Result).read()] == ["a", "d"]
    Report(results=run.results).run(quiet())


def test_rows_of_another_commit_are_measured_again_if_asked(tmp_path, monkeypatch):
    row, _ = counting()
    monkeypatch.setattr(every, "ROWS", [row])
    run = Run(results=tmp_path / "some.jsonl", again=True)
    for _ in range(2):
        run.run(quiet())
    first = ResultsFile(run.results, Result).read()
    assert len(first) == 1
    monkeypatch.setattr(commands, "commit", lambda: "another")
    run.run(quiet())
    both = ResultsFile(run.results, Result).read()
    assert len(both) == 2
    assert latest(both) == (both[1],)


def test_rows_of_another_machine_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(every, "ROWS", [])
    path = tmp_path / "some.jsonl"
    ResultsFile(path, Result).append([result()])
    with pytest.raises(sp.ArgumentError, match=r"expected rows of Machine.*, got one of Machine.*'a processor'"):
        Run(results=path).run(quiet())


def test_the_command_line():
    command = parse(Command, "benchmarks", ["run", "--groups", "step", "k", "--seconds", "1"])
    assert command == Run(groups=(Group.STEP, Group.WITH_K), seconds=1.0)


def test_growth_is_a_power(tmp_path: Path):
    grown = [result(Group.WITH_D, str(d), d, seconds=5 + d**3) for d in (1, 10, 100, 1000, 10000, 100000)]
    (slopes,) = slopes_of(grown)
    assert (slopes.ours, slopes.theirs) == pytest.approx((3.0, 0.0), abs=1e-4)
    assert slopes_table(grown)[-1] == "| d | 1 | 100,000 | **3.00** | 0.00 | 6.00 | 1,000,000,000,000,005 |"
    draw(grown, tmp_path / "growth.png")
    assert (tmp_path / "growth.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (2.345, Unit.SECONDS, "2.35 s"),
        (0.04567, Unit.SECONDS, "45.7 ms"),
        (3e-9, Unit.SECONDS, "0.0030 µs"),
        (3 * 2**30, Unit.BYTES, "3.00 GiB"),
        (1234.5 * 2**20, Unit.BYTES, "1.21 GiB"),
    ],
)
def test_amounts_have_the_unit_that_suits_them(value, unit, shown):
    assert amount(value, unit) == shown


def test_a_table_has_answers_only_where_they_were_compared():
    assert len(table_of([result()], Group.STEP)[0].split("|")) == 8
    compared = attrs.evolve(result(), quality=Quality("regret, %", 8.198, 8.5, False))
    assert table_of([result(), compared], Group.STEP)[-1].endswith("| regret, %: 8.20, theirs 8.50 |")
    assert [digits(it) for it in (0.0123, 1.234, 12.34, 1234.5, 0.0, 99.98)] == [
        "0.012",
        "1.23",
        "12.3",
        "1,234",
        "0",
        "100",
    ]


def test_rows_have_names_of_their_own_and_every_group_has_some():
    assert [key for key, count in Counter(row.key for row in every.ROWS).items() if count > 1] == []
    assert {row.group for row in every.ROWS} == set(Group)


@pytest.mark.parametrize(("group", "name"), [(Group.WITH_D, "`Matching(5)` x 10, 5 draws"), (Group.WITH_K, "")])
def test_a_step_solves_what_the_bare_solver_does(group, name):
    row = next(row for row in every.ROWS if row.group is group and row.name.startswith(name))
    measured = measure(attrs.evolve(row, rounds=1), seconds=0.0)
    assert measured.quality is not None
    assert measured.quality.same


@pytest.mark.slow
@pytest.mark.parametrize(
    "row",
    [row for row in every.ROWS if row.group in {Group.STEP, Group.SPACES, Group.PROGRAMS}],
    ids=lambda row: row.name,
)
def test_both_sides_of_a_row_come_to_the_same_answer(row):
    measured = measure(attrs.evolve(row, rounds=1), seconds=0.0)
    assert measured.quality is not None
    assert measured.quality.same or (
        row.reference.endswith("no single root") and measured.quality.ours < measured.quality.reference
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_has_its_tables_as_the_committed_results_have_them(page):
    text = page.read_text(encoding="utf-8")
    assert sorted(names(text)) == sorted(PAGES[page])
    assert with_tables(text, PAGES[page]) == text, "write it anew: python -m benchmarks page"


def test_the_committed_rows_are_all_there_are_and_of_one_machine():
    assert {it.key for it in committed()} == set(ROWS)
    assert len({it.machine for it in committed()}) == 1
    assert not [it.name for it in committed() if it.commit.endswith("+")]
