"""The command line: presets and fields are read, what cannot be is refused in one line, before any training."""

import enum
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import torch

from tasks.common import cli
from tasks.common.checkpoint import Checkpoint
from tasks.common.files import exclusive
from tasks.common.settings import Optimizer, Scale, Seeds
from tasks.knn import session
from tasks.knn.commands import Command, Evaluate, Picture, Table, Train
from tasks.knn.config import (
    PAPER_CIFAR_10,
    PAPER_FASHION_MNIST,
    PAPER_MNIST,
    QUICK,
    DataSet,
    Execution,
    Loss,
    Method,
    Run,
)
from tasks.knn.data import load
from tasks.knn.session import Source
from tasks.knn.train import Trainer
from tests.tasks.knn.tiny import CPU, FINISHED, OPTIONS, TINY, data, files, run, trained, trainer_of

Refused = Callable[..., str]
TRAIN = ["train", *OPTIONS]
TABLE = ["table", *OPTIONS, "--ks", "3", "--repetitions", "1"]
EVALUATE, PICTURE = ["evaluate"], ["picture"]


def parse(*arguments: object) -> Any:
    return cli.parse(Command, "tasks.knn", [str(argument) for argument in arguments])


@pytest.mark.parametrize("command", ["train", "table"])
def test_every_preset_can_be_had_and_its_fields_overridden(command: str) -> None:
    presets = {"quick": QUICK, "paper-mnist": PAPER_MNIST, "paper-fashion-mnist": PAPER_FASHION_MNIST}
    for name, preset in {**presets, "paper-cifar-10": PAPER_CIFAR_10}.items():
        assert parse(command, name).training == preset
    assert parse(command).training == QUICK
    changed = {
        "dataset": DataSet.FASHION_MNIST,
        "loss": Loss.MATCH,
        "scale_optimizer": Optimizer.ADAM,
        "epochs": 7,
        "epsilon": -0.5,
        "initial_scale": 2.0,
    }
    values = {name: value.value if isinstance(value, enum.Enum) else value for name, value in changed.items()}
    options = [word for name, value in values.items() for word in (f"--{name.replace('_', '-')}", value)]
    expected = attrs.evolve(PAPER_CIFAR_10, **changed, margin=1.0, best_epoch=False)
    assert parse(command, "paper-cifar-10", *options, "--margin", "1.0", "--no-best-epoch").training == expected


def test_the_options_of_each_command_are_read() -> None:
    where = "--data-dir images --download --device cpu --bf16 True --no-channels-last --compile"
    source = Source(data_dir=Path("images"), download=True)
    execution = Execution(device="cpu", bf16=True, channels_last=False, compile=True)
    asked = f"train --k 7 --scale one --method relaxsubsample --seed 3 --checkpoint c --save-every 2.5 {where}"
    assert parse(*asked.split()) == Train(
        QUICK, 7, Scale.ONE, Method.RELAX_SUBSAMPLE, 3, Path("c"), 2.5, source, execution
    )
    asked = f"evaluate --checkpoint c --results r {where}"
    assert parse(*asked.split()) == Evaluate(Path("c"), Path("r"), source, execution)
    asked = "table --ks 2 4 --scales none learned --methods neuralsort --repetitions 6 --first-seed 8"
    asked += " --no-test --results r --save-every 9"
    scales, methods = (Scale.NONE, Scale.LEARNED), (Method.NEURAL_SORT,)
    where_from = (source, execution)
    expected = Table(QUICK, (2, 4), scales, methods, Seeds(6, 8), False, Path("r"), 9.0, *where_from)
    assert parse(*asked.split(), *where.split()) == expected
    asked = f"picture --checkpoint c --queries 3 --output o {where}"
    assert parse(*asked.split()) == Picture(Path("c"), 3, Path("o"), source, execution)
    table = parse("table")
    assert (table.ks, table.scales, table.seeds) == ((1, 3, 5, 9), (Scale.ADAPTIVE,), Seeds(3))


REFUSED = [
    ("train --k 0", "k"),
    ("train --save-every nan", "save_every"),
    ("train --dataset emnist", "emnist"),
    ("train --epsilon 0", "epsilon: expected a finite number other than 0, got 0.0"),
    ("train --growth batch --epsilon 0.5", "epsilon_limit: expected a number beyond epsilon = 0.5, with its sign"),
    ("train --rate inf", "rate: expected a positive finite number, got inf"),
    ("train --best-epoch --held-out 0", "held_out: expected at least 1, to tell which epoch is best, got 0"),
    ("table --ks 5 0", "ks: expected integers of at least 1, got (5, 0)"),
    ("picture --queries 0", "queries"),
    ("evaluate --k 3", "k"),
]


@pytest.mark.parametrize(("arguments", "named"), REFUSED, ids=[arguments for arguments, _ in REFUSED])
def test_a_bad_value_is_refused_with_status_2_and_named_and_leaves_no_file(
    arguments: str, named: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # for the commands' default files
    status, printed = run(arguments.split(), capsys, monkeypatch)
    assert status == 2
    printed = " ".join(line.strip("│╭╮╰╯─ ") for line in printed.splitlines())
    assert named.replace("-", "_") in printed.replace("-", "_")
    assert "Traceback" not in printed
    assert list(tmp_path.iterdir()) == []


# What only the images, the machine or the files can tell.


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """What was asked of ``load``; the images are tiny."""
    asked = []
    monkeypatch.setattr(session, "load", lambda *arguments: (asked.append(arguments), data())[1])
    return asked


@pytest.fixture
def refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, loaded: list
) -> Refused:
    """Runs a command in an own folder; the one line that it says, of a run that left the files as they were."""
    monkeypatch.chdir(tmp_path)
    Checkpoint(Run(TINY, 3, Scale.ONE, 0), FINISHED).save(Path("results/knn.pt"))

    def run_refused(*arguments: object) -> str:
        before = {name: Path(name).read_bytes() for name in files(tmp_path)}
        status, printed = run(arguments, capsys, monkeypatch)
        assert status == 2
        *progress, line = (line.rstrip() for line in printed.splitlines() if line.strip())
        assert line.startswith("error: ")
        assert not [line for line in progress if "error" in line]
        assert {name: Path(name).read_bytes() for name in files(tmp_path)} == before
        return line.removeprefix("error: ")

    return run_refused


@pytest.mark.parametrize("command", [[*TRAIN, "--checkpoint", "new.pt"], TABLE], ids=["train", "table"])
def test_what_the_images_do_not_allow(command: list[str], refused: Refused) -> None:
    k = "--k" if "train" in command else "--ks"
    assert refused(*command, k, 20) == "k: expected less than candidates = 20, got 20"
    for name in ("candidates", "queries"):
        assert refused(*command, f"--{name}", 61) == f"{name}: expected at most 60, the training images, got 61"
    assert refused(*command, "--held-out", 80) == "held_out: expected less than 80, all training images, got 80"
    assert "NaN" in refused(*command, "--rate", "1e30")


@pytest.mark.parametrize("command", [TRAIN, TABLE, EVALUATE, PICTURE], ids=lambda command: command[0])
def test_a_device_that_is_not_there(command: list[str], refused: Refused, loaded: list) -> None:
    for name in ("tpu", "meta"):
        message = refused(*command, "--device", name)
        assert message.startswith(f"device: expected cpu, or cuda where there is a GPU, got {name!r} (")
        assert message.endswith("); write for example --device cpu")
    assert loaded == []


@pytest.mark.parametrize("command", [TRAIN, TABLE, EVALUATE, PICTURE], ids=lambda command: command[0])
def test_a_root_without_the_set_or_with_a_damaged_one(
    command: list[str], refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "load", load)
    options = [*(["--checkpoint", "new.pt"] if command is TRAIN else []), "--device", "cpu", "--data-dir", "root"]
    assert refused(*command, *options) == (
        "data_dir: expected mnist in 'root/MNIST/raw', found no such folder; add --download to fetch it, "
        "or name a root that has it with --data-dir"
    )
    folder = Path("root/MNIST/raw")
    folder.mkdir(parents=True)
    (folder / "train-images-idx3-ubyte").write_bytes(b"cut")
    assert refused(*command, *options).endswith("delete the folder 'root/MNIST/raw' and add --download")


@functools.cache
def finished() -> Trainer:
    """What TRAIN trains."""
    return trained(Trainer(Run(parse(*TRAIN).training, 5, Scale.ADAPTIVE, 0), *data().hold_out(20), CPU))


@pytest.mark.parametrize("command", [TRAIN, EVALUATE, PICTURE], ids=lambda command: command[0])
def test_a_checkpoint_that_is_damaged_or_lacks_a_part(command: list[str], refused: Refused) -> None:
    options = ["--checkpoint", "knn.pt", *([] if command is TRAIN else ["--device", "cpu"])]
    told = "checkpoint: expected a checkpoint of this experiment, got 'knn.pt' ({}"
    Path("knn.pt").write_bytes(b"something else\n")
    assert refused(*command, *options).startswith(told.format("File is not a zip file); delete it"))
    run, state = finished().run, finished().state()
    without = {name: value for name, value in state.items() if name != "embedding"}
    Checkpoint(run, without | {"best": None}).save(Path("knn.pt"))
    assert refused(*command, *options).startswith(told.format("it has no 'embedding'); delete it"))
    state["embedding"]["1.0.weight"] = torch.zeros(2)
    Checkpoint(run, state).save(Path("knn.pt"))
    assert refused(*command, *options).startswith(told.format("Error(s) in loading"))


def test_a_checkpoint_of_another_training_or_of_one_that_is_not_what_the_command_needs(
    refused: Refused, loaded: list
) -> None:
    message = refused(*TRAIN, "--checkpoint", "results/knn.pt", "--k", 4)
    assert "k is 3 there and 4 here" in message
    assert "epochs is 3 there and 2 here" in message
    loaded.clear()
    trainer = trained(trainer_of(), 4)
    Checkpoint(trainer.run, trainer.state()).save(Path("knn.pt"))
    assert refused("evaluate", "--checkpoint", "knn.pt") == (
        "checkpoint: expected a finished training, got one of 1 of 3 epochs in 'knn.pt'; "
        "finish it with the train command"
    )
    Checkpoint(Run(attrs.evolve(TINY, held_out=0), 3, Scale.ONE, 0), {}).save(Path("knn.pt"))
    assert refused("picture", "--checkpoint", "knn.pt") == (
        "checkpoint: expected a training with held-out images, to draw them, got one without in 'knn.pt'; "
        "train with --held-out 1 or more, or name another with --checkpoint"
    )
    for command in ("evaluate", "picture"):
        assert "got 'none.pt' (No such file or directory)" in refused(command, "--checkpoint", "none.pt")
    assert loaded == []


OUTPUTS = [(TRAIN, "checkpoint"), (TABLE, "results"), (EVALUATE, "results"), (PICTURE, "output")]


@pytest.mark.parametrize(("command", "option"), OUTPUTS, ids=[command[0] for command, _ in OUTPUTS])
def test_a_path_that_cannot_be_written_or_that_another_process_writes(
    command: list[str], option: str, refused: Refused, loaded: list
) -> None:
    for path in ("results/knn.pt/below", "results", "mistyped/file"):
        message = refused(*command, f"--{option}", path)
        assert message.startswith(f"{option}: expected a file that can be written, got {path!r} (")
    if option != "output":
        with exclusive(Path("taken"), option):
            message = refused(*command, f"--{option}", "taken")
        assert message.startswith(f"{option}: expected a file that no other process writes, got 'taken'")
    if option == "results":
        message = refused(*command, "--results", "results/knn.pt")
        assert message.startswith("results: expected a JSON line of this experiment, got another in line 1 of")
    assert loaded == []
