"""The printed table against numbers computed by hand, beside the paper's."""

import io

from rich.console import Console

from tasks.common.report import print_table
from tasks.common.settings import Scale
from tasks.sorting.config import BEST, Method
from tasks.sorting.report import COLUMNS, PAPER_GUMBEL_SINKHORN, PAPER_TABLE_1, TITLE, print_outcome
from tasks.sorting.results import Result
from tasks.sorting.train import Outcome


def result(length: int, scale: Scale, wrong: float, method: Method = Method.DIRECT, **changes: object) -> Result:
    fields = {"seed": 0, "epochs": 10, "seconds": 1.0, "train_loss": 0.5, "scale_path": [4.0, 3.5]} | changes
    return Result(length, scale, BEST, Outcome(wrong=wrong, **fields), "abc", method=method)


def row(*results: Result) -> str:
    """The words of a table of one row."""
    console = Console(file=io.StringIO(), width=80)
    print_table(TITLE, COLUMNS, results, console)
    return " ".join(console.file.getvalue().splitlines()[-2].split())


# The paper has no sequences of 7 numbers: a row of those has our figures alone.
def test_a_row_has_the_measures_of_its_repetitions() -> None:
    paths = ([4.0, 9.0, 3.0], [4.5, 9.0, 2.0], [1.0, 9.0, 0.25])
    three = [
        result(7, Scale.LEARNED, wrong, epochs=epochs, seconds=seconds, scale_path=path)
        for wrong, epochs, seconds, path in zip((0.0, 0.3, 0.6), (9, 200, 30), (0.5, 60.0, 1.25), paths, strict=True)
    ]
    assert row(*three) == "7 learned 3 33.3 30.00 ± 24.49 30 1.25 4.00→2.00"
    assert row(result(7, Scale.NONE, 0.0, scale_path=[])) == "7 sigma 0 1 100.0 0.00 10 1.00"


PAPERS = (Scale.NONE, Scale.ONE, Scale.LEARNED)


def test_the_papers_figures_stand_beside_ours() -> None:
    assert row(result(5, Scale.NONE, 0.0)).startswith("5 sigma 0 1 100.0 (98.5) 0.00 (0.6 ± 4.9) 10 ")
    assert row(result(100, Scale.LEARNED, 0.0)).startswith("100 learned 1 100.0 (76.8) 0.00 (0.9 ± 2.1) 10 ")
    assert set(PAPER_TABLE_1) == {(length, scale) for length in (5, 10, 25, 40, 60, 100) for scale in PAPERS}


def test_gumbel_sinkhorn_has_a_row_of_its_own_with_its_own_figures() -> None:
    rival = result(60, Scale.ONE, 0.0, Method.GUMBEL_SINKHORN, scale_path=[])
    assert row(rival) == "60 Sinkhorn 1 100.0 (21.0) 0.00 (5.0 ± 9.0) 10 1.00"
    assert set(PAPER_GUMBEL_SINKHORN) == {5, 10, 25, 40, 60, 100}
    console = Console(file=io.StringIO(), width=80)
    print_table(TITLE, COLUMNS, [rival, result(60, Scale.ONE, 0.0)], console)
    assert [line.split()[1] for line in console.file.getvalue().splitlines()[-3:-1]] == ["Sinkhorn", "sigma"]


def test_one_repetition_is_told_with_the_path_of_its_sigma_if_it_has_one() -> None:
    console = Console(file=io.StringIO(), width=200)
    print_outcome(result(5, Scale.LEARNED, 0.6, epochs=12, train_loss=0.125), console)
    assert console.file.getvalue() == (
        "12 epochs in 1.0 s, last training loss 0.125; the unseen sequence has 3 of 5 numbers out of place.\n"
        "sigma along the way: 4.00 3.50\n"
    )
    print_outcome(result(5, Scale.NONE, 0.0, scale_path=[]), console)
    assert console.file.getvalue().count("sigma") == 1
