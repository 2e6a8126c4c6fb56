"""The printed table against numbers computed by hand, beside the paper's."""

import io

import pytest
from rich.console import Console

from tasks.sorting.config import BEST, Scale
from tasks.sorting.report import PAPER_TABLE_1, print_outcome, print_table
from tasks.sorting.results import Result, settings_of
from tasks.sorting.train import Outcome


def result(length: int, scale: Scale, wrong: float, **changes: object) -> Result:
    fields = {"seed": 0, "epochs": 10, "seconds": 1.0, "train_loss": 0.5, "scale_path": [4.0, 3.5]} | changes
    return Result(length, scale, settings_of(BEST), Outcome(wrong=wrong, **fields), "abc")


def printed(results: list[Result], *cells: tuple[int, Scale]) -> list[list[str]]:
    """The rows of the table, heading first, as lists of cells."""
    console = Console(file=io.StringIO(), width=200)
    print_table(results, cells, console)
    lines = console.file.getvalue().replace("┃", "│").splitlines()
    return [[cell.strip() for cell in line.strip("│ ").split("│")] for line in lines if "│" in line]


def row(results: list[Result], length: int, scale: Scale) -> dict[str, str]:
    headings, cells = printed(results, (length, scale))
    headings[headings.index("paper: perfect %") + 1] = "paper: wrong % (std)"
    cells += [""] * (len(headings) - len(cells))  # the last may be blank
    return dict(zip(headings, cells, strict=True))


def test_a_row_has_the_measures_of_its_repetitions() -> None:
    four = [result(5, Scale.LEARNED, wrong) for wrong in (0.0, 0.2, 0.4, 0.0)]
    cells = row(four, 5, Scale.LEARNED)
    assert cells["d"] == "5"
    assert cells["sigma"] == "learned"
    assert cells["runs"] == "4"
    assert cells["perfect %"] == "50.0"
    assert cells["wrong % (std)"] == "15.00 (16.58)"  # 0, 20, 40, 0: the variance is 1100 / 4


def test_all_perfect_is_100_percent_and_nothing_wrong() -> None:
    cells = row([result(5, Scale.ONE, 0.0)] * 3, 5, Scale.ONE)
    assert (cells["perfect %"], cells["wrong % (std)"], cells["sigma"]) == ("100.0", "0.00 (0.00)", "1")


def test_epochs_seconds_and_sigmas_are_medians() -> None:
    paths = ([4.0, 9.0, 3.0], [4.5, 9.0, 2.0], [1.0, 9.0, 0.25])
    three = [
        result(10, Scale.LEARNED, 0.0, epochs=epochs, seconds=seconds, scale_path=path)
        for epochs, seconds, path in zip((9, 200, 30), (0.5, 60.0, 1.25), paths, strict=True)
    ]
    cells = row(three, 10, Scale.LEARNED)
    assert (cells["epochs"], cells["s / run"]) == ("30", "1.25")
    assert (cells["sigma first"], cells["last"]) == ("4.000", "2.000")


def test_without_noise_there_is_no_sigma_to_tell() -> None:
    cells = row([result(5, Scale.NONE, 0.0, scale_path=[])], 5, Scale.NONE)
    assert (cells["sigma"], cells["sigma first"], cells["last"]) == ("0", "", "")


@pytest.mark.parametrize(
    ("length", "scale", "perfect", "wrong"),
    [
        (5, Scale.NONE, "98.5", "0.6 (4.9)"),
        (25, Scale.ONE, "97.5", "0.3 (1.7)"),
        (60, Scale.ONE, "80.0", "0.9 (2.2)"),
        (100, Scale.NONE, "74.9", "1.4 (6.9)"),
        (100, Scale.LEARNED, "76.8", "0.9 (2.1)"),
    ],
)
def test_the_papers_figures_stand_beside_ours(length: int, scale: Scale, perfect: str, wrong: str) -> None:
    cells = row([result(length, scale, 0.0)], length, scale)
    assert (cells["paper: perfect %"], cells["paper: wrong % (std)"]) == (perfect, wrong)


def test_the_papers_table_has_every_length_and_setting() -> None:
    assert set(PAPER_TABLE_1) == {(length, scale) for length in (5, 10, 25, 40, 60, 100) for scale in Scale}


def test_a_length_that_the_paper_lacks_has_no_figures_of_it() -> None:
    cells = row([result(7, Scale.ONE, 0.0)], 7, Scale.ONE)
    assert (cells["paper: perfect %"], cells["paper: wrong % (std)"]) == ("", "")


def test_rows_come_in_the_order_asked_each_with_its_own_results_and_none_without() -> None:
    results = [result(5, Scale.ONE, 1.0), result(5, Scale.LEARNED, 0.0), result(10, Scale.ONE, 0.5)]
    asked = [(10, Scale.ONE), (10, Scale.LEARNED), (5, Scale.LEARNED), (5, Scale.ONE)]
    rows = printed(results, *asked)[1:]
    assert [cells[:4] for cells in rows] == [
        ["10", "1", "1", "0.0"],
        ["5", "learned", "1", "100.0"],
        ["5", "1", "1", "0.0"],
    ]


def test_no_figure_is_cut_at_the_80_columns_of_a_plain_terminal_or_a_pipe() -> None:
    console = Console(file=io.StringIO(), width=80)
    of_100 = [result(100, Scale.LEARNED, wrong, epochs=2000, seconds=12.34) for wrong in (0.0, 0.25)]
    print_table(of_100, [(100, Scale.LEARNED)], console)
    assert "…" not in console.file.getvalue()


def test_one_repetition_is_told_with_the_path_of_its_sigma() -> None:
    console = Console(file=io.StringIO(), width=200)
    print_outcome(result(5, Scale.LEARNED, 0.6, epochs=12, train_loss=0.125), console)
    text = console.file.getvalue()
    assert "12 epochs" in text
    assert "loss 0.125" in text
    assert "3 of 5 numbers out of place" in text
    assert "sigma along the way: 4 3.5" in text


def test_one_repetition_without_noise_is_told_without_sigma() -> None:
    console = Console(file=io.StringIO(), width=200)
    print_outcome(result(5, Scale.NONE, 0.0, scale_path=[]), console)
    assert "sigma" not in console.file.getvalue()
