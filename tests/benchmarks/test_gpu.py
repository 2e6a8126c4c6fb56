"""The visit to a GPU, rehearsed on the CPU: all is measured once, and a second call goes on from the files."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import structpred as sp
from benchmarks.gpu import smoke
from benchmarks.gpu.__main__ import main
from benchmarks.gpu.records import Record
from tasks.common.results import ResultsFile
from tasks.knn.results import Result

ROOT = Path(__file__).parents[2]
CPU = torch.device("cpu")


def exported(kind: type) -> set[str]:
    classes = [value for value in vars(sp).values() if inspect.isclass(value) and issubclass(value, kind)]
    return {value.__name__ for value in classes if not inspect.isabstract(value)} - {kind.__name__}


def test_every_space_objective_and_layer_is_compared() -> None:
    assert exported(sp.StructuredSpace) == set(smoke.SPACES)
    presets = {name for name, value in vars(sp).items() if inspect.isfunction(value)}
    assert exported(sp.Objective) | presets == set(smoke.OBJECTIVES)
    assert exported(sp.Layer) == set(smoke.LAYERS)


@pytest.fixture
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("_one_thread")
def test_a_rehearsal_measures_all_and_a_second_call_what_the_files_lack(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--device", "cpu", "--tiny", "--output", str(tmp_path), "--methods", "direct", "neuralsort"]
    options += ["--seeds", "0", "1"]
    assert main(options) == 0, capsys.readouterr().out
    path = tmp_path / "gpu.jsonl"
    records = ResultsFile(path, Record).read()
    names = {
        stage: [record.name for record in records if record.stage == stage]
        for stage in ("smoke", "speed", "table-2", "table-3", "paper")
    }
    assert set(names["smoke"]) == set(smoke.cases())
    assert len(names["speed"]) == 3 * (3 + 2)
    assert names["table-2"] == ["d = 10", "d = 40", "d = 100"]
    epochs = {"cifar-10": 60, "fashion-mnist": 60, "mnist": 20}
    methods = ("direct", "neuralsort")
    assert names["table-3"] == [
        f"{name}, {count} epochs, k = {k}, {method}, seed {seed}"
        for name, count in epochs.items()
        for seed in (0, 1)
        for k in (5, 1)
        for method in methods
    ]
    assert names["paper"] == [f"{name}, paper, k = {k}" for k in (5, 1) for name in epochs]
    assert len(ResultsFile(tmp_path / "gpu-knn.jsonl", Result).read()) == 30
    assert sorted(file.name for file in tmp_path.iterdir()) == ["gpu-knn.jsonl", "gpu.jsonl"]
    whole = path.read_bytes()
    path.write_bytes(whole.replace(whole.splitlines(keepends=True)[3], b"")[:-7])  # one is gone, and the last cut short
    capsys.readouterr()
    assert main(options) == 0
    again = ResultsFile(path, Record).read()
    assert {(record.stage, record.name) for record in again} == {(record.stage, record.name) for record in records}
    assert len(again) == len(records)
    assert len(ResultsFile(tmp_path / "gpu-knn.jsonl", Result).read()) == 30
    assert len(capsys.readouterr().out.splitlines()) < 10


def test_a_wrong_answer_fails_and_the_visit_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = iter([torch.zeros(2), torch.ones(2), torch.ones(2), torch.ones(2)])
    monkeypatch.setattr(smoke, "cases", lambda: dict.fromkeys(("bad", "good"), lambda _: [next(answers)]))
    assert main(["--device", "cpu", "--tiny", "--stages", "smoke", "--output", str(tmp_path)]) == 1
    bad, good = ResultsFile(tmp_path / "gpu.jsonl", Record).read()
    assert "not close" in bad.values["error"]
    assert good.values == {"equal": True, "compared": 1}
    assert "failed: smoke, bad" in capsys.readouterr().out


def test_neither_the_command_lines_library_nor_the_solver_is_needed() -> None:
    absent = "dict.fromkeys(['tyro', 'ortools', 'matplotlib', 'joblib'])"
    code = f"import sys; sys.modules.update({absent}); import benchmarks.gpu.__main__"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
