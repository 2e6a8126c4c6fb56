"""``train``, ``evaluate`` and ``table``: what they train and go on with, and what they write down."""

import platform
import re
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
import torch

from tasks.common import cli
from tasks.common.checkpoint import Checkpoint
from tasks.common.results import ResultsFile, commit
from tasks.common.settings import Scale
from tasks.knn import session
from tasks.knn import train as train_module
from tasks.knn.commands import Command
from tasks.knn.config import DataSet, Run
from tasks.knn.data import Data
from tasks.knn.neighbours import accuracy
from tasks.knn.networks import deployed
from tasks.knn.results import Result
from tasks.knn.train import Trainer
from tests.tasks.knn.tiny import CPU, OPTIONS, data, differences, files

TRAIN = ["train", *OPTIONS, "--k", "3"]
TABLE = ["table", *OPTIONS, "--epochs", "1", "--results", "results.jsonl"]
TRAINING = cli.parse(Command, "tasks.knn", TRAIN).training
RunCommand = Callable[..., str]


def load_checkpoint(path: str = "results/knn.pt") -> Checkpoint[Run]:
    return Checkpoint.load(Path(path), Run)


def in_file(path: str = "results.jsonl") -> list[Result]:
    return ResultsFile(Path(path), Result).read()


def timeless(results: list[Result]) -> list[Result]:
    """Without what hangs on the machine's speed."""
    epochs = [[attrs.evolve(epoch, seconds=0.0) for epoch in result.epochs] for result in results]
    return [attrs.evolve(result, epochs=e, images_per_second=0.0) for result, e in zip(results, epochs, strict=True)]


# train


def test_train_makes_one_checkpoint_and_says_how_good_it_is(command: RunCommand, steps: list[Run]) -> None:
    printed = command(*TRAIN, "--scale", "one", "--seed", 6)
    asked = Run(TRAINING, 3, Scale.ONE, 6)
    assert steps == [asked] * 6
    assert files(Path()) == ["results/knn.pt"]
    checkpoint = load_checkpoint()
    trainer = Trainer(asked, *data().hold_out(20), CPU)  # on the images that are not held out
    for _ in range(6):
        trainer.step()
    assert checkpoint.run == asked
    assert differences(checkpoint.state["embedding"], trainer.state()["embedding"]) == []
    held_out = trainer.epochs[-1].held_out
    assert "mnist, k = 3, sigma 1, seed 6: 2 epochs in" in printed
    assert f"held-out accuracy {100 * held_out:.2f} %" in printed
    assert "results/knn.pt holds it" in printed
    assert "test accuracy" not in printed


def test_train_is_done_at_once_if_its_checkpoint_is_finished(command: RunCommand, steps: list[Run]) -> None:
    first = command(*TRAIN)
    steps.clear()
    content = Path("results/knn.pt").read_bytes()
    assert command(*TRAIN).strip() == first.strip()
    assert steps == []
    assert Path("results/knn.pt").read_bytes() == content


@pytest.mark.parametrize(("save_every", "lost"), [("0", 0), ("1000", 4)])
def test_a_stopped_training_goes_on_from_its_last_save(
    save_every: str, lost: int, command: RunCommand, steps: list[Run], interrupt_at: Callable[[int], None]
) -> None:
    command(*TRAIN, "--checkpoint", "whole.pt")
    steps.clear()
    interrupt_at(4)  # of six; the third ends an epoch
    options = ["--checkpoint", "stopped.pt", "--save-every", save_every]
    assert "stopped; the same command goes on from what its files hold" in command(*TRAIN, *options, ends=130)
    assert Path("stopped.pt").exists() == (lost == 0)
    steps.clear()
    command(*TRAIN, *options)
    assert len(steps) == 2 + lost
    whole, stopped = (load_checkpoint(name).state for name in ("whole.pt", "stopped.pt"))
    for part in ("embedding", "scale_network", "optimizer", "scale_optimizer"):
        assert differences(whole[part], stopped[part]) == []


# evaluate


def test_evaluate_writes_the_test_accuracy_once(command: RunCommand) -> None:
    command(*TRAIN)
    printed = [command("evaluate", "--device", "cpu", "--results", "results.jsonl") for _ in range(2)]
    assert files(Path()) == ["results.jsonl", "results/knn.pt"]
    (result,) = in_file()
    run, state = load_checkpoint().run, load_checkpoint().state
    assert result.run == run
    # The neighbours are all training images, those held out from training among them.
    assert result.test == accuracy(deployed(run, state, data().train), data().test, data().train, 3)
    assert 0.1 < result.test < 1
    assert [attrs.asdict(epoch) for epoch in result.epochs] == state["epochs"]
    seconds = sum(epoch["seconds"] for epoch in state["epochs"])
    assert result.images_per_second == pytest.approx(6 * (20 + 10) / seconds, abs=0.05)
    assert (result.commit, result.device) == (commit(), f"{platform.machine()}, 1 threads")
    assert all(f"test accuracy {100 * result.test:.2f} %" in text for text in printed)


def test_evaluate_takes_the_weights_of_the_best_epoch_if_the_training_keeps_them(
    command: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    held_out = [0.9, 0.1]
    monkeypatch.setattr(train_module, "accuracy", lambda *_: held_out.pop(0))
    command(*TRAIN, "--best-epoch")
    state, tested = load_checkpoint().state, []

    def watch(network: torch.nn.Module, *_: object) -> float:
        tested.append(dict(network.state_dict()))
        return 0.5

    monkeypatch.setattr(session, "accuracy", watch)
    printed = command("evaluate", "--device", "cpu")
    assert differences(tested, [state["best"]]) == []
    assert differences(state["best"], state["embedding"]) != []
    assert "held-out accuracy 90.00 %; test accuracy 50.00 %" in printed


# table


def test_every_cell_is_trained_with_every_seed_and_seed_by_seed(
    command: RunCommand, steps: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(session, "load", lambda *arguments: (asked.append(arguments), data())[1])
    options = ["--ks", 1, 3, "--scales", "none", "learned", "--repetitions", 2, "--first-seed", 5]
    printed = command(*TABLE, *options, "--data-dir", "root", "--download")
    assert asked == [(DataSet.MNIST, Path("root"), True)]
    cells = [(1, Scale.NONE), (1, Scale.LEARNED), (3, Scale.NONE), (3, Scale.LEARNED)]
    runs = [Run(attrs.evolve(TRAINING, epochs=1), k, scale, seed) for seed in (5, 6) for k, scale in cells]
    assert list(dict.fromkeys(steps)) == [result.run for result in in_file()] == runs
    assert len(steps) == 3 * len(runs)
    assert all(result.test is not None and len(result.epochs) == 1 for result in in_file())
    assert files(Path()) == ["results.jsonl"]  # no checkpoint is left
    rows = [re.split(r" {2,}", line.strip())[:3] for line in printed.splitlines() if re.match(r" +\d", line)]
    assert rows == [["1", "sigma 0", "2"], ["1", "learned", "2"], ["3", "sigma 0", "2"], ["3", "learned", "2"]]
    lines = Path("results.jsonl").read_bytes()
    monkeypatch.setattr(session, "load", pytest.fail)  # there is nothing to do with images
    assert command(*TABLE, *options).strip() in printed
    assert Path("results.jsonl").read_bytes() == lines


class Untouchable:
    """Images that nobody may look at."""

    def __getattr__(self, name: str) -> None:
        pytest.fail(f"looked at the test images, for {name}")


def test_without_test_the_test_images_are_not_touched_and_the_result_serves_no_table_with(
    command: RunCommand, steps: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = ["--ks", 3, "--scales", "one", "--repetitions", 1]
    with monkeypatch.context() as patch:
        patch.setattr(session, "load", lambda *_: Data(data().train, Untouchable()))
        for _ in range(2):
            command(*TABLE, *cells, "--no-test")
    assert len(steps) == 3
    command(*TABLE, *cells)
    assert len(steps) == 6
    without, tested = timeless(in_file())
    assert attrs.evolve(tested, test=None) == without
    printed = command(*TABLE, *cells, "--no-test")  # it is one run all the same
    assert re.search(rf"^ +3 +sigma 1 +1 +{100 * tested.test:.2f} ", printed, re.MULTILINE)
    assert len(steps) == 6


def test_a_stopped_table_goes_on_within_the_training_where_it_was(
    command: RunCommand, steps: list[Run], interrupt_at: Callable[[int], None]
) -> None:
    cells = ["--ks", 3, "--scales", "learned", "--repetitions", 2, "--epochs", 3]
    command(*TABLE, *cells, "--results", "whole.jsonl")
    steps.clear()
    interrupt_at(9 + 4)
    command(*TABLE, *cells, "--save-every", 0, ends=130)
    assert [result.run.seed for result in in_file()] == [0]
    steps.clear()
    command(*TABLE, *cells)
    assert [run.seed for run in steps] == [1] * 5
    assert timeless(in_file()) == timeless(in_file("whole.jsonl"))
    assert files(Path()) == ["results.jsonl", "whole.jsonl"]
