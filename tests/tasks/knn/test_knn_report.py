"""The printed table against numbers computed by hand, beside the paper's."""

import io

import attrs
import pytest
from rich.console import Console
from tiny_knn import TINY

from tasks.common.settings import Scale
from tasks.knn.config import DataSet, Run
from tasks.knn.report import PAPER_TABLE_3, print_result, print_table
from tasks.knn.results import Result
from tasks.knn.train import Epoch, Measures


def result(k: int = 2, scale: Scale = Scale.ONE, dataset: DataSet = DataSet.MNIST, **changes: object) -> Result:
    """Of two epochs; the paper has no k of 2, so that its row has our figures alone."""
    fields = {
        "seed": 0,
        "test": 0.5,
        "held_out": (0.25, 0.75),
        "nonzero": (0.5, 0.25),
        "sigma": (1.0, 1.0),
        "seconds": (1.0, 2.0),
        "speed": 1000.0,
    } | changes
    of_epochs = zip(*(fields[name] for name in ("nonzero", "sigma", "seconds", "held_out")), strict=True)
    epochs = [
        Epoch(number, Measures(loss=0.1, right=0.125 * number, nonzero=nonzero, scale=sigma), seconds, held_out)
        for number, (nonzero, sigma, seconds, held_out) in enumerate(of_epochs, start=1)
    ]
    run = Run(attrs.evolve(TINY, dataset=dataset, epochs=2), k, scale, fields["seed"])
    return Result(run, fields["test"], epochs, fields["speed"], "a machine", "abc")


def rows(results: list[Result], *cells: tuple[int, Scale], width: int = 200) -> list[list[str]]:
    """The words of each line of the table that starts with a number."""
    console = Console(file=io.StringIO(), width=width)
    print_table(results, cells, console)
    lines = [line.split() for line in console.file.getvalue().splitlines()]
    return [line for line in lines if line and line[0].isdigit()]


def row(results: list[Result], k: int = 2, scale: Scale = Scale.ONE) -> str:
    (line,) = rows(results, (k, scale))
    return " ".join(line)


def test_a_row_has_means_and_sample_deviations_of_its_accuracies_and_medians_of_the_rest() -> None:
    three = [
        # In percent the tests' mean is 72, their variance (100 + 4 + 144) / 2; held out: 80, and (25 + 1 + 36) / 2.
        result(test=0.62, held_out=(0.9, 0.75), nonzero=(0.9, 0.1), seconds=(1.0, 2.0), speed=1000.0),
        result(test=0.70, held_out=(0.9, 0.79), nonzero=(0.8, 0.3), seconds=(10.0, 2.0), speed=1234.0),
        result(test=0.84, held_out=(0.9, 0.86), nonzero=(0.1, 0.2), seconds=(80.0, 9.0), speed=98765.0),
    ]
    assert row(three) == "2 1 3 72.00 ± 11.14 80.00 ± 5.57 80→20 1.00→1.00 1,234 12"


def test_one_run_has_no_deviation() -> None:
    assert row([result()]) == "2 1 1 50.00 75.00 50→25 1.00→1.00 1,000 3"


def test_the_path_of_sigma_goes_from_the_first_epoch_to_the_last_by_medians() -> None:
    paths = ((0.7, 0.6), (0.71, 0.1), (0.9, 0.2))
    line = row([result(scale=Scale.LEARNED, sigma=path) for path in paths], scale=Scale.LEARNED)
    assert line == "2 learned 3 50.00 ± 0.00 75.00 ± 0.00 50→25 0.71→0.20 1,000 3"


def test_without_noise_there_is_no_sigma_to_tell() -> None:
    line = row([result(scale=Scale.NONE, sigma=(0.0, 0.0))], scale=Scale.NONE)
    assert line == "2 0 1 50.00 75.00 50→25 1,000 3"


def test_what_was_not_measured_is_left_out() -> None:
    assert row([result(test=None)]) == "2 1 1 75.00 50→25 1.00→1.00 1,000 3"
    assert row([result(held_out=(None, None))]) == "2 1 1 50.00 50→25 1.00→1.00 1,000 3"
    half = [result(test=None), result(test=0.25)]
    assert row(half).startswith("2 1 2 25.00 75.00 ± 0.00 ")


@pytest.mark.parametrize(
    ("dataset", "scale", "k", "percent"),
    [
        (DataSet.MNIST, Scale.NONE, 1, "99.10"),
        (DataSet.MNIST, Scale.ONE, 3, "53.84"),
        (DataSet.MNIST, Scale.LEARNED, 9, "99.34"),
        (DataSet.FASHION_MNIST, Scale.LEARNED, 5, "94.00"),
        (DataSet.CIFAR_10, Scale.NONE, 1, "24.90"),
        (DataSet.CIFAR_10, Scale.LEARNED, 9, "91.70"),
    ],
)
def test_the_papers_figure_stands_in_brackets_after_ours(dataset: DataSet, scale: Scale, k: int, percent: str) -> None:
    assert row([result(k, scale, dataset)], k, scale).startswith(f"{k} {scale.label} 1 50.00 ({percent}) 75.00 ")


def test_the_papers_table_has_every_data_set_setting_and_k() -> None:
    assert set(PAPER_TABLE_3) == {(dataset, scale, k) for dataset in DataSet for scale in Scale for k in (1, 3, 5, 9)}
    assert all(0 < percent < 100 for percent in PAPER_TABLE_3.values())


def test_rows_come_in_the_order_asked_each_with_its_own_results_and_none_without() -> None:
    results = [result(2, Scale.ONE, test=0.1), result(2, Scale.LEARNED, test=0.2), result(4, Scale.ONE, test=0.3)]
    asked = [(4, Scale.ONE), (4, Scale.LEARNED), (2, Scale.LEARNED), (2, Scale.ONE)]
    lines = [" ".join(line[:4]) for line in rows(results, *asked)]
    assert lines == ["4 1 1 30.00", "2 learned 1 20.00", "2 1 1 10.00"]


def test_no_figure_is_cut_at_the_80_columns_of_a_plain_terminal_or_a_pipe() -> None:
    long = [
        result(
            9, Scale.LEARNED, test=test, held_out=(0.9, test), nonzero=(1.0, 1.0), seconds=(9e4, 9e3), speed=999999.0
        )
        for test in (0.9012, 0.9987)
    ]
    (narrow,), (wide,) = (rows(long, (9, Scale.LEARNED), width=width) for width in (80, 200))
    assert narrow == wide
    assert "…" not in "".join(narrow)
    assert " ".join(narrow) == "9 learned 2 95.00 ± 6.89 (99.34) 95.00 ± 6.89 100→100 1.00→1.00 999,999 99000"


def test_every_figure_ends_where_its_heading_ends() -> None:
    console = Console(file=io.StringIO(), width=200)
    print_table([result(test=None, speed=7.0, seconds=(2.0, 2.0))], [(2, Scale.ONE)], console)
    lines = console.file.getvalue().splitlines()
    (heading,), (line,) = ([text for text in lines if start in text] for start in ("held out", "75.00"))
    for name, figure in (
        ("held out", "75.00"),
        ("non-zero", "50→25"),
        ("path", "1.00→1.00"),
        ("images/s", "7"),
        ("s/run", "4"),
    ):
        assert line[: heading.index(name) + len(name)].endswith(f" {figure}")


def printed(result: Result) -> str:
    console = Console(file=io.StringIO(), width=200)
    print_result(result, console)
    return console.file.getvalue()


def test_one_training_is_told_in_words() -> None:
    assert printed(result(k=3, scale=Scale.LEARNED, seed=4, speed=12345.6, dataset=DataSet.CIFAR_10)) == (
        "cifar-10, k = 3, sigma learned, seed 4: 2 epochs in 3 s at 12,346 images/s; held-out accuracy 75.00 %; "
        "test accuracy 50.00 %.\n"
        "In the last epoch 25.0 % of the noisy neighbours were right, and 25.0 % of the queries had a gradient.\n"
    )


def test_what_one_training_has_not_measured_is_not_told() -> None:
    assert "held-out" not in printed(result(held_out=(None, None)))
    assert "test accuracy" not in printed(result(test=None))
    assert "held-out accuracy 0.00 %; test accuracy 0.00 %" in printed(result(test=0.0, held_out=(0.5, 0.0)))
