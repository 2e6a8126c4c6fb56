"""The command line: what the commands run, skip, print and refuse."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import attrs
import matplotlib.image
import pytest
from rich.progress import Progress

from tasks.common import cli
from tasks.common.results import ResultsFile, commit
from tasks.common.settings import Seeds
from tasks.matching import commands
from tasks.matching.__main__ import main
from tasks.matching.commands import Command, Table
from tasks.matching.config import ALL_IMAGES, LEARNED, QUICK, Method, Run
from tasks.matching.results import Result
from tests.tasks.matching.tiny import data

SMALL = ("quick", "--epochs", "1", "--grids", "40", "--batch-size", "20", "--digits", "30")
TRAINING = attrs.evolve(QUICK, epochs=1, grids=40, batch_size=20, digits=30)

Call = Callable[..., tuple[int, str]]


@pytest.fixture
def call(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    """Runs a command in an own folder, on digits of milliseconds; its exit status, and what it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "2000")
    monkeypatch.setattr(commands, "load", data)

    def run(*arguments: object) -> tuple[int, str]:
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as stop:
            status = stop.code
        return status, "".join(capsys.readouterr())

    return run


def test_presets_and_options_are_read() -> None:
    table = cli.parse(Command, "tasks.matching", ["table", "--methods", "hinge", "blackbox", "--k", "8", "learned"])
    assert table == Table(LEARNED, 8, (Method.HINGE, Method.BLACKBOX))
    assert cli.parse(Command, "tasks.matching", ["table"]) == Table(QUICK, 4, tuple(Method), Seeds(3, 200_000))
    assert cli.parse(Command, "tasks.matching", ["train", "all-images"]).training == ALL_IMAGES


def test_train_says_how_good_the_matchings_are_and_draws_one(call: Call) -> None:
    status, printed = call("train", "--method", "spo-plus", "--picture", "p.png", *SMALL)
    assert status == 0
    assert "have an optimal matching" in printed
    image = matplotlib.image.imread("p.png")
    red, green = image[..., 0], image[..., 1]
    assert (red - green > 0.2).any()
    assert (green - red > 0.2).any()


def test_table_trains_what_the_file_lacks_and_prints_all(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[Run] = []
    train = commands.train
    monkeypatch.setattr(commands, "train", lambda run, *rest: trained.append(run) or train(run, *rest))
    options = ("--k", 2, "--first-seed", 7, "--results", "r.jsonl")
    assert call("table", *options, "--methods", "hinge", "--repetitions", 1, "--no-test", *SMALL)[0] == 0
    assert call("table", *options, "--methods", "hinge", "--repetitions", 1, *SMALL)[0] == 0  # now on test images
    status, printed = call("table", *options, "--methods", "hinge", "blackbox-paper", "--repetitions", 2, *SMALL)
    assert status == 0
    hinge, blackbox = ([Run(TRAINING, 2, method, seed) for seed in (7, 8)] for method in
                       (Method.HINGE, Method.BLACKBOX_PAPER))  # fmt: skip
    assert trained == [hinge[0], hinge[0], blackbox[0], hinge[1], blackbox[1]]
    rows = [line.split()[:4] for line in printed.splitlines() if line.split()[:1] == ["2"]]
    assert rows == [["2", "hinge", "target", "2"], ["2", "blackbox-paper", "target", "2"]]
    results = ResultsFile(Path("r.jsonl"), Result).read()
    assert [result.run for result in results] == trained
    assert [result.test is None for result in results] == [True, False, False, False, False]
    assert {result.commit for result in results} == {commit()}


def test_trainings_that_are_sent_to_another_process_read_the_images_anew(call: Call) -> None:
    run = Run(TRAINING, 2, Method.HINGE, 7)
    here = commands._Trainings(Path("images"), test=True)
    measured = [
        [(result.held_out, result.test) for result in trainings([run], Progress(disable=True))]
        for trainings in (here, pickle.loads(pickle.dumps(here)))
    ]
    assert measured[0] == measured[1]


REFUSED = [
    ("train --k 3", "k: expected an even integer"),
    ("table --k 0", "k: expected an even integer"),
    ("table --methods magic", "magic"),
    ("train quick --epochs 0", "epochs"),
    ("table --repetitions 0", "repetitions"),
    ("train quick --digits 81", "digits: expected at most 80"),
    ("table --results nowhere/r.jsonl", "results: expected a file that can be written"),
    ("train --picture nowhere/p.png", "picture: expected a file that can be written"),
]


@pytest.mark.parametrize(("arguments", "said"), REFUSED, ids=[arguments for arguments, _ in REFUSED])
def test_a_bad_value_is_refused_with_status_2_and_named(arguments: str, said: str, call: Call) -> None:
    status, printed = call(*arguments.split())
    assert status == 2
    assert said in printed
    assert "Traceback" not in printed


def test_missing_data_and_results_of_another_kind_are_refused(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("other.jsonl").write_text('{"length": 5}\n')
    status, printed = call("table", "--results", "other.jsonl")
    assert (status, "line 1 of 'other.jsonl'" in printed) == (2, True)
    assert Path("other.jsonl").read_text() == '{"length": 5}\n'
    monkeypatch.undo()
    monkeypatch.chdir(Path("other.jsonl").absolute().parent)
    status, printed = call("train", "--data-dir", "nowhere")
    assert (status, "data_dir: expected MNIST in 'nowhere/MNIST/raw'" in printed) == (2, True)
