"""A table trains what its file lacks, keeps each result as it comes, and prints a row for each cell."""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs
import pytest
from rich.console import Console
from rich.progress import Progress

from tasks.common.report import Column, count, mean, median, median_path, print_table, standard_error
from tasks.common.results import ResultsFile, open_results
from tasks.common.table import complete


@attrs.frozen
class Run:
    size: int
    seed: int


@attrs.frozen
class Result:
    run: Run
    loss: float


QUIET = Console(quiet=True)
RUNS = [Run(size, seed) for size in (3, 4) for seed in (0, 1, 2)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "results.jsonl"


@attrs.define
class Trainer:
    """What is asked of it; stops, as for Ctrl-C, in the place of a result."""

    stop_at: int | None = None
    asked: list[list[Run]] = attrs.field(factory=list)
    given: int = 0

    def __call__(self, runs: Sequence[Run], _: Progress) -> Iterator[Result]:
        self.asked.append(list(runs))
        for run in runs:
            if self.given == self.stop_at:
                raise KeyboardInterrupt
            self.given += 1
            yield Result(run, 0.5 * run.seed)


def table(path: Path, runs: list[Run], trainer: Trainer, **how: object) -> list[Result]:
    with open_results(path, Result, QUIET) as file:
        return complete(file, runs, trainer, QUIET, **how)


def test_runs_train_in_batches_of_one_cell_and_come_back_in_their_order(path: Path) -> None:
    trainer = Trainer()
    results = table(path, RUNS, trainer, together=lambda run: run.size - 1)
    assert trainer.asked == [RUNS[:2], RUNS[2:3], RUNS[3:]]
    assert [result.run for result in results] == RUNS
    assert ResultsFile(path, Result).read() == results


def test_only_what_is_missing_is_trained_and_what_is_there_twice_counts_once_as_the_last_says(path: Path) -> None:
    there = [Result(RUNS[4], 9.0), Result(Run(5, 0), 9.0), Result(RUNS[4], 8.0)]
    ResultsFile(path, Result).append(there)
    trainer = Trainer()
    results = table(path, [*RUNS, RUNS[0]], trainer, together=lambda _: 10)
    assert trainer.asked == [RUNS[:3], [RUNS[3], RUNS[5]]]
    assert [result.loss for result in results] == [0.0, 0.5, 1.0, 0.0, 8.0, 1.0]
    assert table(path, RUNS, trainer) == results
    assert len(trainer.asked) == 2
    assert ResultsFile(path, Result).read()[:3] == there


def test_a_stopped_table_keeps_each_result_that_came_and_goes_on_from_there(path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        table(path, RUNS, Trainer(stop_at=2), together=lambda _: 3)
    assert [result.run for result in ResultsFile(path, Result).read()] == RUNS[:2]
    trainer = Trainer()
    assert [result.run for result in table(path, RUNS, trainer, together=lambda _: 3)] == RUNS
    assert trainer.asked == [RUNS[2:3], RUNS[3:]]


def test_a_result_that_does_not_count_is_trained_again(path: Path) -> None:
    ResultsFile(path, Result).append([Result(RUNS[0], -1.0), Result(RUNS[1], 3.0)])
    trainer = Trainer()
    results = table(path, RUNS[:2], trainer, counts=lambda result: result.loss >= 0)
    assert trainer.asked == [[RUNS[0]]]
    assert [result.loss for result in results] == [0.0, 3.0]


def test_one_is_told_of_a_new_file_and_of_a_cut_line_whatever_the_path_is_called(tmp_path: Path) -> None:
    path = tmp_path / "[/of] results.jsonl"
    path.parent.mkdir()

    def told() -> str:
        console = Console(file=io.StringIO(), width=500)
        with open_results(path, Result, console) as file:
            file.append([Result(RUNS[0], 1.0)])
        return console.file.getvalue()

    assert "[/of] results.jsonl is new; results are added to it as they come." in told()
    assert told() == ""
    path.write_bytes(path.read_bytes()[:-9])
    assert "[/of] results.jsonl ended in a line cut short; it was removed" in told()


# The report.

COLUMNS = [
    Column[Result]("size", lambda results: str(results[0].run.size)),
    Column("runs", count),
    Column[Result]("loss", lambda results: mean([result.loss for result in results], standard_error)),
]


def test_each_cell_is_a_row_in_the_order_of_the_results_that_no_narrow_terminal_cuts() -> None:
    results = [Result(Run(size, seed), loss) for size, seed, loss in ((4, 0, 1), (3, 0, 7), (4, 1, 3), (4, 2, 5))]
    for width in (20, 200):
        console = Console(file=io.StringIO(), width=width)
        print_table("A title", COLUMNS, results, console)
        words = [line.split() for line in console.file.getvalue().splitlines() if line.strip()]
        assert words[0] == ["A", "title"]
        assert words[1] == ["size", "runs", "loss"]
        assert words[3:] == [["4", "3", "3.00", "±", "1.15"], ["3", "1", "7.00"]]


def test_a_figure_is_a_mean_with_its_spread_a_median_or_a_path_of_medians() -> None:
    assert mean([1.0, 3.0], standard_error, ".1f") == "2.0 ± 1.0"
    assert (mean([1.0, 3.0]), mean([4.0], standard_error), mean([])) == ("2.00", "4.00", "")
    assert median([1.0, 1000.0, 4000.0], ",.0f") == "1,000"
    assert (median_path([[1, 9, 5], [2, 9, 4], [3, 9, 9]], ".1f"), median_path([], ".1f")) == ("2.0→5.0", "")
