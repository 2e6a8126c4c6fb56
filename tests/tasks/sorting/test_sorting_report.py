"""The printed table against numbers computed by hand, beside the paper's."""

import io
import re
from collections import Counter

import pytest
from rich.console import Console

from tasks.common.results import plain
from tasks.common.settings import Scale
from tasks.sorting.config import BEST
from tasks.sorting.report import PAPER_TABLE_1, print_outcome, print_table
from tasks.sorting.results import Result
from tasks.sorting.train import Outcome


def result(length: int, scale: Scale, wrong: float, **changes: object) -> Result:
    fields = {"seed": 0, "epochs": 10, "seconds": 1.0, "train_loss": 0.5, "scale_path": [4.0, 3.5]} | changes
    return Result(length, scale, plain(BEST), Outcome(wrong=wrong, **fields), "abc")


def printed(results: list[Result], *cells: tuple[int, Scale], width: int = 200) -> list[str]:
    """The lines of the table that start with a number, whatever frames it has."""
    console = Console(file=io.StringIO(), width=width)
    print_table(results, cells, console)
    lines = [line.strip("│ ") for line in console.file.getvalue().splitlines()]
    return [line for line in lines if line[:1].isdigit()]


def numbers(line: str) -> list[float]:
    return [float(number) for number in re.findall(r"\d+(?:\.\d+)?", line)]


def row(results: list[Result], length: int, scale: Scale) -> list[float]:
    """The numbers of a one-line table."""
    (line,) = printed(results, (length, scale))
    return numbers(line)


# The paper has no sequences of 7 numbers: a row of those has our figures alone.
def test_a_row_has_the_measures_of_its_repetitions() -> None:
    wrong = (0.0, 0.2, 0.4, 0.0)  # in percent the mean is 15, the variance 1100 / 4
    cells = row([result(7, Scale.ONE, fraction) for fraction in wrong], 7, Scale.ONE)
    assert cells[:6] == [7, 1, 4, 50.0, 15.0, 16.58]


def test_all_perfect_is_100_percent_and_nothing_wrong() -> None:
    assert row([result(7, Scale.ONE, 0.0)] * 3, 7, Scale.ONE)[:6] == [7, 1, 3, 100, 0, 0]


def test_epochs_seconds_and_sigmas_are_medians() -> None:
    paths = ([4.0, 9.0, 3.0], [4.5, 9.0, 2.0], [1.0, 9.0, 0.25])
    three = [
        result(7, Scale.LEARNED, 0.0, epochs=epochs, seconds=seconds, scale_path=path)
        for epochs, seconds, path in zip((9, 200, 30), (0.5, 60.0, 1.25), paths, strict=True)
    ]
    assert row(three, 7, Scale.LEARNED)[-4:] == [30, 1.25, 4.0, 2.0]


def test_without_noise_there_is_no_sigma_to_tell() -> None:
    cells = row([result(7, Scale.NONE, 0.0, epochs=10, seconds=1.5, scale_path=[])], 7, Scale.NONE)
    assert cells == [7, 0, 1, 100, 0, 0, 10, 1.5]


@pytest.mark.parametrize(
    ("length", "scale", "paper"),
    [
        (5, Scale.NONE, (98.5, 0.6, 4.9)),
        (25, Scale.ONE, (97.5, 0.3, 1.7)),
        (60, Scale.ONE, (80.0, 0.9, 2.2)),
        (100, Scale.NONE, (74.9, 1.4, 6.9)),
        (100, Scale.LEARNED, (76.8, 0.9, 2.1)),
    ],
)
def test_the_papers_figures_stand_beside_ours(length: int, scale: Scale, paper: tuple[float, float, float]) -> None:
    with_paper = row([result(length, scale, 0.0)], length, scale)
    ours = row([result(7, scale, 0.0)], 7, scale)
    added = Counter(with_paper[1:]) - Counter(ours[1:])
    assert [number for number in with_paper if number in added] == list(paper)


def test_the_papers_table_has_every_length_and_setting() -> None:
    assert set(PAPER_TABLE_1) == {(length, scale) for length in (5, 10, 25, 40, 60, 100) for scale in Scale}


def test_rows_come_in_the_order_asked_each_with_its_own_results_and_none_without() -> None:
    results = [result(5, Scale.ONE, 1.0), result(5, Scale.LEARNED, 0.0), result(10, Scale.ONE, 0.5)]
    asked = [(10, Scale.ONE), (10, Scale.LEARNED), (5, Scale.LEARNED), (5, Scale.ONE)]
    first, second, third = printed(results, *asked)
    assert numbers(first)[:4] == [10, 1, 1, 0.0]
    assert "learned" in second
    assert numbers(second)[:3] == [5, 1, 100.0]
    assert numbers(third)[:4] == [5, 1, 1, 0.0]


def test_no_figure_is_cut_at_the_80_columns_of_a_plain_terminal_or_a_pipe() -> None:
    of_100 = [result(100, Scale.LEARNED, wrong, epochs=2000, seconds=12.34) for wrong in (0.0, 0.25)]
    (narrow,) = printed(of_100, (100, Scale.LEARNED), width=80)
    (wide,) = printed(of_100, (100, Scale.LEARNED), width=200)
    assert "…" not in narrow
    assert numbers(narrow) == numbers(wide)


def test_one_repetition_is_told_with_the_path_of_its_sigma() -> None:
    console = Console(file=io.StringIO(), width=200)
    print_outcome(result(5, Scale.LEARNED, 0.6, epochs=12, train_loss=0.125), console)
    text = console.file.getvalue()
    assert "12 epochs" in text
    assert "loss 0.125" in text
    assert "3 of 5 numbers out of place" in text
    assert numbers(text.partition("sigma along the way:")[2]) == [4.0, 3.5]


def test_one_repetition_without_noise_is_told_without_sigma() -> None:
    console = Console(file=io.StringIO(), width=200)
    print_outcome(result(5, Scale.NONE, 0.0, scale_path=[]), console)
    assert "sigma" not in console.file.getvalue()
