"""Processes of this machine train as this one would; one that dies costs what it had, which is tried once more."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import attrs
import pytest
from rich.console import Console
from rich.progress import Progress

from tasks.common import cli
from tasks.common.results import ResultsFile, open_results
from tasks.common.table import complete
from tasks.common.workers import Backend, Workers, WorkersDiedError
from tests.tasks.common.deaths import Task, square

QUIET = Console(quiet=True)


def test_two_processes_with_one_thread_each_do_all(tmp_path: Path) -> None:
    # The second dies of its first try, and so is done last; the first and the third wait for one another.
    deaths, meets = tmp_path / "deaths", tmp_path / "meets"
    deaths.mkdir()
    meets.mkdir()
    tasks = [Task(n, deaths, times=int(n == 1), meets=meets if n in (0, 2) else None) for n in range(5)]
    answers = list(Workers(2).answers(square, tasks))
    assert sorted(answer for answer, *_ in answers) == [0, 1, 4, 9, 16]
    assert answers[-1][0] == 1
    processes = {process for _, process, _ in answers}
    (died,) = (int(path.name.split("-")[1]) for path in deaths.iterdir())
    assert len(processes) == 2
    assert not processes & {died, os.getpid()}
    assert {threads for *_, threads in answers} == {1}


def test_what_dies_twice_is_named_after_all_others_are_done(tmp_path: Path) -> None:
    tasks = [Task(number, tmp_path, times=2 * (number == 0)) for number in range(3)]
    answers = []
    with pytest.raises(WorkersDiedError, match=r"number 0, deaths .*, times 2") as caught:
        answers.extend(Workers(1).answers(square, tasks))
    assert [answer for answer, *_ in answers] == [1, 4]
    assert caught.value.items == [tasks[0]]
    assert len(list(tmp_path.iterdir())) == 2


def test_an_error_of_the_work_is_raised_here_and_says_where_it_was() -> None:
    tasks = [Task(number, raises=number == 1) for number in range(9)]
    with pytest.raises(ValueError, match=r"^number: expected another, got 1") as caught:
        list(Workers(1).answers(square, tasks))
    assert "in square" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 0}, "'workers' must be >= 1"),
        ({"backend": Backend.DASK}, "workers: expected how many of the cluster's to use, got none"),
        ({"workers": 2, "address": "tcp://there"}, "address: expected none for loky"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Workers(**options)


@pytest.mark.parametrize(
    ("package", "options", "said"),
    [
        ("joblib", [], "--backend loky needs joblib; write pip install '.[cluster]' in the checkout"),
        ("dask", ["dask"], "--backend dask needs dask; write pip install '.[cluster]' in the checkout"),
        ("ray", ["ray"], "--backend ray needs ray; write pip install '.[ray]' in the checkout"),
    ],
)
def test_a_backend_that_is_not_installed_is_told_with_what_installs_it(
    package: str,
    options: list[str],
    said: str,
    without: Callable[[str], None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    without(package)
    from tasks.sorting.__main__ import main

    backend = [word for name in options for word in ("--backend", name)]
    assert main(["table", "--workers", "2", *backend, "--results", str(tmp_path / "r.jsonl")]) == 2
    assert said in " ".join(capsys.readouterr().out.split())


# A table.


@attrs.frozen
class Run:
    size: int
    seed: int


@attrs.frozen
class Result:
    run: Run
    process: int


@attrs.frozen
class Trainer:
    """Dies of the runs of size 0."""

    deaths: Path

    def __call__(self, runs: Sequence[Run], _: Progress) -> Iterator[Result]:
        for run in runs:
            _, process, _ = square(Task(run.seed, self.deaths, times=2 * (run.size == 0)))
            yield Result(run, process)


def test_one_process_writes_what_others_train_and_a_table_without_the_lost_runs_ends_with_status_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [Run(size, seed) for size in (0, 1) for seed in (5, 6)]
    path, written = tmp_path / "r.jsonl", []

    @attrs.frozen
    class Table:
        def run(self, _: Console) -> None:
            with open_results(path, Result, QUIET) as file:
                how = {"workers": Workers(1), "together": lambda _: 2, "written": written.append}
                complete(file, runs, Trainer(tmp_path), QUIET, **how)

    monkeypatch.setattr(cli, "parse", lambda *_: Table())
    assert cli.main(Table, "tasks.sorting") == 3
    printed = " ".join(capsys.readouterr().out.split())
    assert "size 0, seed 5; size 0, seed 6. All others are done" in printed
    results = ResultsFile(path, Result).read()
    assert results == written
    assert {result.run for result in results} == {run for run in runs if run.size}
    assert os.getpid() not in {result.process for result in results}
