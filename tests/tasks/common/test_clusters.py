"""A table on real clusters, of which workers die."""

import re
import threading
import time
from pathlib import Path

import dask
import pytest

from tasks.common.results import ResultsFile
from tasks.common.workers import Backend, Workers, WorkersDiedError
from tasks.sorting.__main__ import main
from tasks.sorting.results import Result
from tests.tasks.common.clusters import dask_cluster, ray_cluster
from tests.tasks.common.deaths import Task, square

TABLE = ["table", "--lengths", "3", "4", "5", "6", "--repetitions", "2", "--epochs", "30", "--average-from", "10"]


def trained(path: Path, *options: object) -> dict[object, object]:
    """A table of sorting: of each run all that does not hang on the clock."""
    assert main([*TABLE, "--results", str(path), *map(str, options)]) == 0
    return {
        result.run: (result.outcome.wrong, result.outcome.train_loss, result.outcome.scale_path)
        for result in ResultsFile(path, Result).read()
    }


def test_a_table_on_a_dask_cluster_of_which_a_worker_is_killed_is_bit_for_bit_what_this_process_makes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, seen = tmp_path / "dask.jsonl", []
    with dask_cluster(tmp_path, nannies=False) as cluster:

        def kill_in_the_middle() -> None:
            deadline = time.monotonic() + 600
            while not (path.exists() and path.read_bytes()) and time.monotonic() < deadline:
                time.sleep(0.001)
            cluster.kill_a_worker()
            seen.append(len(path.read_bytes().splitlines()))

        killer = threading.Thread(target=kill_in_the_middle)
        killer.start()
        there = trained(path, "--workers", 2, "--backend", "dask", "--address", cluster.address)
        killer.join()
    assert 0 < seen[0] < len(there)
    assert there == trained(tmp_path / "here.jsonl")
    assert len(there) == 4 * 2
    assert len(path.read_bytes().splitlines()) == 4 * 2


def test_where_there_is_no_cluster_one_is_told_what_to_write(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--workers", "2", "--backend", "dask", "--results", str(tmp_path / "r.jsonl")]
    assert main([*TABLE, *options]) == 2
    with dask.config.set({"distributed.comm.timeouts.connect": "200ms"}):
        assert main([*TABLE, *options, "--address", "tcp://127.0.0.1:9"]) == 2
    printed = " ".join(capsys.readouterr().out.split())
    assert "address: expected a Dask scheduler's, got none; write for example --address tcp://host:8786" in printed
    assert re.search(r"address: expected a cluster with workers at 'tcp://127.0.0.1:9', found none \(", printed)


def answers_of_dying(workers: Workers, folder: Path) -> list[int]:
    """The squares of six numbers, of which the fourth is lost; a process dies of the second once."""
    deaths = folder / "deaths"
    deaths.mkdir()
    tasks = [Task(number, deaths, times={1: 1, 3: 99}.get(number, 0)) for number in range(6)]
    answers = []
    with pytest.raises(WorkersDiedError) as caught:
        answers.extend(answer for answer, *_ in workers.answers(square, tasks))
    assert caught.value.items == [tasks[3]]
    return sorted(answers)


@pytest.mark.slow
def test_what_workers_of_a_dask_cluster_die_of_is_named(tmp_path: Path) -> None:
    with dask_cluster(tmp_path, nannies=True) as cluster:
        workers = Workers(2, Backend.DASK, cluster.address)
        assert answers_of_dying(workers, tmp_path) == [0, 1, 4, 16, 25]


@pytest.mark.slow
def test_what_workers_of_a_ray_cluster_die_of_is_named(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    with ray_cluster(tmp_path) as address:
        workers = Workers(2, Backend.RAY, address)
        assert answers_of_dying(workers, tmp_path) == [0, 1, 4, 16, 25]
        ((answer, _, threads),) = workers.answers(square, [Task(7)])
        assert (answer, threads) == (49, 1)
