"""The printed table against numbers computed by hand, beside the paper's."""

import io

import attrs
from rich.console import Console

from tasks.common.report import print_table
from tasks.common.settings import Scale
from tasks.knn.config import DataSet, Method, Run
from tasks.knn.report import COLUMNS, PAPER_BASELINES, PAPER_TABLE_3, TITLE, print_result
from tasks.knn.results import Result
from tasks.knn.train import Epoch, Measures
from tests.tasks.knn.tiny import TINY


def result(k: int = 2, scale: Scale = Scale.ONE, dataset: DataSet = DataSet.MNIST, **changes: object) -> Result:
    """Of two epochs; the paper has no k of 2, so that its row has our figures alone."""
    fields = {
        "best_epoch": False,
        "method": Method.DIRECT,
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
    training = attrs.evolve(TINY, dataset=dataset, epochs=2, best_epoch=fields["best_epoch"])
    run = Run(training, k, scale, 0, method=fields["method"])
    return Result(run, fields["test"], epochs, fields["speed"], "a machine", "abc")


def row(*results: Result) -> str:
    """The words of a table of one row."""
    console = Console(file=io.StringIO(), width=80)
    print_table(TITLE, COLUMNS, results, console)
    return " ".join(console.file.getvalue().splitlines()[-2].split())


def test_a_row_has_means_and_sample_deviations_of_its_accuracies_and_medians_of_the_rest() -> None:
    three = [
        # In percent the tests' mean is 72, their variance (100 + 4 + 144) / 2; held out: 80, and (25 + 1 + 36) / 2.
        result(test=0.62, held_out=(0.9, 0.75), nonzero=(0.9, 0.1), seconds=(1.0, 2.0), speed=1000.0),
        result(test=0.70, held_out=(0.9, 0.79), nonzero=(0.8, 0.3), seconds=(10.0, 2.0), speed=1234.0),
        result(test=0.84, held_out=(0.9, 0.86), nonzero=(0.1, 0.2), seconds=(80.0, 9.0), speed=98765.0),
    ]
    assert row(*three) == "2 sigma 1 3 72.00 ± 11.14 80.00 ± 5.57 80→20 1.00→1.00 1,234 12"


def test_what_one_run_has_not_is_left_out() -> None:
    assert row(result()) == "2 sigma 1 1 50.00 75.00 50→25 1.00→1.00 1,000 3"
    assert row(result(scale=Scale.NONE, sigma=(0.0, 0.0))) == "2 sigma 0 1 50.00 75.00 50→25 1,000 3"
    assert row(result(test=None)) == "2 sigma 1 1 75.00 50→25 1.00→1.00 1,000 3"
    assert row(result(held_out=(None, None))) == "2 sigma 1 1 50.00 50→25 1.00→1.00 1,000 3"
    assert row(result(test=None), result(test=0.25)).startswith("2 sigma 1 2 25.00 75.00 ± 0.00 ")


PAPERS = (Scale.NONE, Scale.ONE, Scale.LEARNED)


def test_the_papers_figure_stands_in_brackets_after_ours() -> None:
    assert row(result(3, Scale.ONE)).startswith("3 sigma 1 1 50.00 (53.84) 75.00 ")
    assert row(result(9, Scale.LEARNED, DataSet.CIFAR_10)).startswith("9 learned 1 50.00 (91.70) 75.00 ")
    assert set(PAPER_TABLE_3) == {(dataset, scale, k) for dataset in DataSet for scale in PAPERS for k in (1, 3, 5, 9)}


def test_each_relaxation_has_a_row_with_its_own_figure_and_no_share_of_gradients() -> None:
    quiet = {"sigma": (0.0, 0.0), "nonzero": (1.0, 1.0)}
    assert (
        row(result(1, Scale.NONE, method=Method.NEURAL_SORT, **quiet)) == "1 NeuralSort 1 50.00 (99.20) 75.00 1,000 3"
    )
    noisy = {"method": Method.STOCHASTIC_NEURAL_SORT, "nonzero": (1.0, 1.0)}
    assert row(result(5, **noisy)) == "5 NeuralSort* 1 50.00 (99.40) 75.00 1.00→1.00 1,000 3"
    noisy = {"method": Method.RELAX_SUBSAMPLE, "nonzero": (1.0, 1.0)}
    assert row(result(5, dataset=DataSet.CIFAR_10, **noisy)).startswith("5 RelaxSub 1 50.00 (90.10) 75.00")
    assert row(result(9, **noisy)).startswith("9 RelaxSub 1 50.00 75.00")  # the paper has k = 5 alone
    assert len(PAPER_BASELINES) == 3 * 3 * 4


def test_the_held_out_accuracy_is_that_of_the_weights_that_are_used() -> None:
    assert result(held_out=(0.8, None)).held_out == 0.8
    assert result(held_out=(0.8, 0.7)).held_out == 0.7
    assert result(held_out=(0.8, 0.7), best_epoch=True).held_out == 0.8
    assert result(held_out=(None, None)).held_out is None


def test_one_training_is_told_in_words() -> None:
    console = Console(file=io.StringIO(), width=200)
    print_result(result(seconds=(10.0, 2.4)), console)
    assert console.file.getvalue() == (
        "mnist, k = 2, sigma 1, seed 0: 2 epochs in 12 s at 1,000 images/s; held-out accuracy 75.00 %; test accuracy "
        "50.00 %.\nIn the last epoch 25.0 % of the noisy neighbours were right, and 25.0 % of the queries had a "
        "gradient.\n"
    )
