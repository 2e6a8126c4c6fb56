"""The page of reproduced tables is that of the committed results, and its intervals are what they say."""

from __future__ import annotations

import math

import pytest

from benchmarks.interval import Beside, Interval
from benchmarks.page import names, with_tables
from benchmarks.reproduction import accuracy, sorting
from benchmarks.reproduction.layout import counted, told
from benchmarks.reproduction.tables import PAGE, TABLES


def test_the_page_has_every_table_as_the_committed_results_have_it() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert names(text) == list(TABLES)
    assert with_tables(text, TABLES) == text, "write it anew: python -m benchmarks.reproduction"


@pytest.mark.parametrize(("successes", "trials"), [(0, 5), (3, 7), (50, 50), (9_927, 10_000)])
def test_wilsons_interval_has_the_shares_whose_score_test_does_not_refuse_what_came(
    successes: int, trials: int
) -> None:
    z = 1.959963984540054
    interval = Interval.wilson(successes, trials)
    share = successes / trials
    assert interval.value == pytest.approx(100 * share)
    for end, outermost in ((interval.low / 100, 0.0), (interval.high / 100, 1.0)):
        if end != pytest.approx(outermost, abs=1e-12):  # where the test cannot refuse, the share itself ends it
            assert abs(share - end) == pytest.approx(z * math.sqrt(end * (1 - end) / trials))
    assert interval.low <= interval.value <= interval.high


def test_students_interval_is_the_textbooks() -> None:
    interval = Interval.student([99.0, 99.2, 99.4])
    reach = 4.302652729911275 * 0.2 / math.sqrt(3)  # t(0.975) of two degrees of freedom
    assert (interval.value, interval.low, interval.high) == pytest.approx((99.2, 99.2 - reach, 99.2 + reach))


@pytest.mark.parametrize(
    ("paper", "mark"), [(89.9, "↑"), (90.0, "="), (95.0, "="), (96.0, "="), (96.1, "↓")]
)  # fmt: skip
def test_the_mark_says_where_our_interval_lies(paper: float, mark: str) -> None:
    own = Interval(94.0, 90.0, 96.0)
    assert own.beside(paper).value == mark
    assert told(own, 7, paper, 1) == f"{mark} 94.0 [90.0, 96.0] (7)"
    assert told(own, 7, None, 2) == "94.00 [90.00, 96.00] (7)"


def test_figures_are_counted_by_where_they_lie() -> None:
    line = counted("`best`", [Beside.HIGHER, Beside.AROUND, Beside.HIGHER])
    assert line == ("- `best`: of 3 figures of the paper, 1 lie in our interval; we are higher in 2 and lower in 0.")


def test_a_verdict_counts_the_figures_that_stand_in_the_table() -> None:
    for table, verdict in ((sorting.table(), sorting.verdict()), (accuracy.table(), accuracy.verdict())):
        marks = sum(line.count(f"| {mark.value} ") for line in table for mark in Beside)
        assert marks == sum(int(line.split(": of ")[1].split()[0]) for line in verdict) > 0
