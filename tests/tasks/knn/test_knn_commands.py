"""The command line: presets and fields are read, what cannot be is refused, what is missing is named."""

import enum
import importlib
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from tiny_knn import run

import structpred as sp
from tasks.common.settings import Optimizer, Scale
from tasks.knn.commands import Evaluate, Picture, Source, Table, Train, parse
from tasks.knn.config import (
    PAPER_CIFAR_10,
    PAPER_FASHION_MNIST,
    PAPER_MNIST,
    QUICK,
    DataSet,
    Execution,
    Growth,
    Loss,
    Network,
    Schedule,
)

PRESETS = [
    ("quick", QUICK),
    ("paper-mnist", PAPER_MNIST),
    ("paper-fashion-mnist", PAPER_FASHION_MNIST),
    ("paper-cifar-10", PAPER_CIFAR_10),
]


@pytest.mark.parametrize("command", ["train", "table"])
def test_the_quick_preset_is_taken_unless_another_is_named(command: str) -> None:
    assert parse([command]).training == QUICK
    for name, preset in PRESETS:
        assert parse([command, name]).training == preset


@pytest.mark.parametrize("command", ["train", "table"])
def test_every_field_of_a_preset_can_be_overridden_and_the_others_stay(command: str) -> None:
    assert parse([command, "paper-cifar-10", "--epochs", "7"]).training == attrs.evolve(PAPER_CIFAR_10, epochs=7)
    changed = {
        "dataset": DataSet.FASHION_MNIST,
        "network": Network.LENET,
        "loss": Loss.MATCH,
        "growth": Growth.QUERY,
        "schedule": Schedule.ONE_CYCLE,
        "scale_optimizer": Optimizer.ADAM,
        "epochs": 7,
        "epsilon": 3.0,
        "epsilon_limit": 4.0,
        "epsilon_factor": 1.5,
        "rate": 0.25,
        "scale_rate": 0.5,
        "initial_scale": 2.0,
        "candidates": 30,
        "queries": 4,
        "num_samples": 5,
        "held_out": 6,
        "validate_every": 2,
    }
    values = {name: value.value if isinstance(value, enum.Enum) else value for name, value in changed.items()}
    options = [word for name, value in values.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    expected = attrs.evolve(PAPER_CIFAR_10, **changed, central=True, best_epoch=False)
    asked = [command, "paper-cifar-10", *options, "--central", "--no-best-epoch"]
    assert parse(asked).training == expected


def test_the_options_of_each_command_are_read() -> None:
    where = "--data-dir images --download --device cpu --bf16 True --no-channels-last --compile"
    source = Source(data_dir=Path("images"), download=True)
    execution = Execution(device="cpu", bf16=True, channels_last=False, compile=True)
    asked = f"train --k 7 --scale one --seed 3 --checkpoint c --save-every 2.5 {where}"
    assert parse(asked.split()) == Train(QUICK, 7, Scale.ONE, 3, Path("c"), 2.5, source, execution)
    asked = f"evaluate --checkpoint c --results r {where}"
    assert parse(asked.split()) == Evaluate(Path("c"), Path("r"), source, execution)
    asked = (
        "table --ks 2 4 --scales none learned --repetitions 6 --first-seed 8 --no-test --results r --save-every 9 "
        f"{where}"
    )
    scales = (Scale.NONE, Scale.LEARNED)
    expected = Table(QUICK, (2, 4), scales, 6, 8, False, Path("r"), 9.0, source, execution)
    assert parse(asked.split()) == expected
    asked = f"picture --checkpoint c --queries 3 --output o {where}"
    assert parse(asked.split()) == Picture(Path("c"), 3, Path("o"), source, execution)


def test_the_table_has_the_papers_neighbours_and_noise_by_default() -> None:
    table = parse(["table"])
    assert (table.ks, set(table.scales)) == ((1, 3, 5, 9), set(Scale))


REFUSED = [
    ("train --k 0", "k"),
    ("train --k many", "--k"),
    ("train --scale two", "two"),
    ("train --seed -1", "seed"),
    ("train --save-every nan", "save_every: expected a number of seconds, at least 0, got nan"),
    ("train --save-every -1", "save_every: expected a number of seconds, at least 0, got -1.0"),
    ("train --save-every inf", "save_every: expected a number of seconds, at least 0, got inf"),
    ("train --dataset emnist", "emnist"),
    ("train --network resnet-50", "resnet-50"),
    ("train --epochs 0", "epochs"),
    ("train --epsilon 0", "epsilon: expected a finite number other than 0, got 0.0"),
    ("train --epsilon nan", "epsilon: expected a finite number other than 0, got nan"),
    ("train --growth batch --epsilon 0.5", "epsilon_limit: expected a number beyond epsilon = 0.5, with its sign"),
    ("train --epsilon-factor 1", "epsilon_factor"),
    ("train --rate 0", "rate: expected a positive finite number, got 0.0"),
    ("train --rate inf", "rate: expected a positive finite number, got inf"),
    ("train --initial-scale -1", "initial_scale"),
    ("train --candidates 0", "candidates"),
    ("train --held-out -1", "held_out"),
    ("train --best-epoch --held-out 0", "held_out: expected at least 1, to tell which epoch is best, got 0"),
    ("train paper-svhn", "paper-svhn"),
    ("table --ks 5 0", "ks: expected integers of at least 1, got (5, 0)"),
    ("table --ks", "ks"),
    ("table --scales", "scales"),
    ("table --repetitions 0", "repetitions"),
    ("table --first-seed -1", "first_seed"),
    ("table --save-every nan", "save_every: expected a number of seconds, at least 0, got nan"),
    ("table --rate 0", "rate"),
    ("picture --queries 0", "queries"),
    ("evaluate --k 3", "k"),
    ("draw", "draw"),
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


@pytest.mark.parametrize("package", ["rich", "tyro", "torchvision", "filelock"])
def test_a_missing_extra_is_named(package: str, without: Callable[[str], None]) -> None:
    without(package)
    with pytest.raises(sp.MissingExtraError) as caught:
        importlib.import_module("tasks.knn.__main__")
    assert str(caught.value) == f"tasks.knn needs {package}; write pip install '.[tasks]' in the checkout"


def test_a_picture_without_matplotlib_names_the_extra(
    without: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    without("matplotlib")
    assert importlib.import_module("tasks.knn.__main__").main(["picture"]) == 2
    told = "error: tasks.knn needs matplotlib; write pip install '.[tasks]' in the checkout\n"
    assert capsys.readouterr().out == told
