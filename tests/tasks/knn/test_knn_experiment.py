"""``train`` trains and goes on; ``evaluate`` tests what was trained, and writes it down once."""

import json
import platform
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
import torch
from tiny_knn import CPU, OPTIONS, data, differences, files

from tasks.common.results import commit
from tasks.common.settings import Scale
from tasks.knn import experiment
from tasks.knn import train as train_module
from tasks.knn.checkpoint import Checkpoint
from tasks.knn.commands import parse
from tasks.knn.config import Run
from tasks.knn.neighbours import accuracy
from tasks.knn.results import ResultsFile
from tasks.knn.train import Trainer, deployed

TRAIN = ["train", *OPTIONS, "--k", "3"]
Command = Callable[..., str]


def test_train_makes_one_checkpoint_and_says_how_good_it_is(command: Command, steps: list[Run], tmp_path: Path) -> None:
    printed = command(*TRAIN, "--scale", "one", "--seed", 6)
    asked = Run(parse(TRAIN).training, 3, Scale.ONE, 6)
    assert steps == [asked] * 6
    assert files(tmp_path) == ["results/knn.pt"]
    checkpoint = Checkpoint.load(Path("results/knn.pt"))
    assert checkpoint.run == asked
    held_out = checkpoint.state["epochs"][-1]["held_out"]
    assert "mnist, k = 3, sigma 1, seed 6: 2 epochs in" in printed
    assert f"held-out accuracy {100 * held_out:.2f} %" in printed
    assert "results/knn.pt holds it" in printed
    assert "test accuracy" not in printed


def test_train_trains_on_the_images_that_are_not_held_out(command: Command, tmp_path: Path) -> None:
    command(*TRAIN)
    train, held_out = data().hold_out(20)
    trainer = Trainer(Run(parse(TRAIN).training, 3, Scale.LEARNED, 0), train, held_out, CPU)
    for _ in range(6):
        trainer.step()
    state = Checkpoint.load(Path("results/knn.pt")).state
    assert differences(state["embedding"], trainer.state()["embedding"]) == []
    assert state["epochs"][-1]["held_out"] == trainer.epochs[-1].held_out


def test_train_is_done_at_once_if_its_checkpoint_is_finished(command: Command, steps: list[Run]) -> None:
    first = command(*TRAIN)
    steps.clear()
    content = Path("results/knn.pt").read_bytes()
    again = command(*TRAIN)
    assert steps == []
    assert Path("results/knn.pt").read_bytes() == content
    assert again.strip() == first.strip()


@pytest.mark.parametrize(("save_every", "lost"), [("0", 0), ("1000", 1)])
def test_a_stopped_training_goes_on_from_its_last_save(
    save_every: str, lost: int, command: Command, steps: list[Run], interrupt_at: Callable[[int], None]
) -> None:
    command(*TRAIN, "--checkpoint", "whole.pt")
    steps.clear()
    interrupt_at(4)  # of six; the third ends an epoch
    options = ["--checkpoint", "stopped.pt", "--save-every", save_every]
    printed = command(*TRAIN, *options, ends=130)
    assert "stopped; the same command goes on from its checkpoint and its results file" in printed
    assert Checkpoint.load(Path("stopped.pt")).state["steps"] == 4 - lost
    steps.clear()
    command(*TRAIN, *options)
    assert len(steps) == 2 + lost
    whole, stopped = (Checkpoint.load(Path(name)).state for name in ("whole.pt", "stopped.pt"))
    for part in ("embedding", "scale_network", "optimizer", "scale_optimizer"):
        assert differences(whole[part], stopped[part]) == []


def test_evaluate_writes_the_test_accuracy_once(command: Command) -> None:
    command(*TRAIN)
    printed = [command("evaluate", "--device", "cpu", "--results", "results/results.jsonl") for _ in range(2)]
    assert files(Path()) == ["results/knn.pt", "results/results.jsonl"]
    (result,) = ResultsFile(Path("results/results.jsonl")).read()
    run, state = Checkpoint.load(Path("results/knn.pt")).run, Checkpoint.load(Path("results/knn.pt")).state
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
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    held_out = [0.9, 0.1]
    monkeypatch.setattr(train_module, "accuracy", lambda *_: held_out.pop(0))
    command(*TRAIN, "--best-epoch")
    state, tested = Checkpoint.load(Path("results/knn.pt")).state, []

    def watch(network: torch.nn.Module, *_: object) -> float:
        tested.append(dict(network.state_dict()))
        return 0.5

    monkeypatch.setattr(experiment, "accuracy", watch)
    printed = command("evaluate", "--device", "cpu")
    assert differences(tested, [state["best"]]) == []
    assert differences(state["best"], state["embedding"]) != []
    assert "held-out accuracy 90.00 %; test accuracy 50.00 %" in printed


def test_evaluate_adds_the_test_accuracy_to_a_file_that_has_the_run_without(command: Command) -> None:
    command(*TRAIN)
    table = ["table", *OPTIONS, "--ks", 3, "--scales", "learned", "--repetitions", 1, "--no-test"]
    command(*table, "--results", "results.jsonl")
    for _ in range(2):
        command("evaluate", "--device", "cpu", "--results", "results.jsonl")
    without, tested = ResultsFile(Path("results.jsonl")).read()
    assert without.run == tested.run
    assert (without.test, tested.test is None) == (None, False)
    assert [epoch.measures for epoch in without.epochs] == [epoch.measures for epoch in tested.epochs]


def test_every_image_comes_from_where_the_command_says(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(experiment, "load", lambda *arguments: (asked.append(arguments), data())[1])
    where = ["--data-dir", "root", "--download"]
    command(*TRAIN, "--dataset", "fashion-mnist", *where)
    command("evaluate", "--device", "cpu", *where)
    command("table", *OPTIONS, "--dataset", "fashion-mnist", "--ks", 3, "--scales", "one", "--repetitions", 1, *where)
    assert asked == [(parse([*TRAIN, "--dataset", "fashion-mnist"]).training.dataset, Path("root"), True)] * 3


def test_a_line_of_results_is_of_plain_json_values(command: Command) -> None:
    command(*TRAIN)
    command("evaluate", "--device", "cpu", "--results", "results.jsonl")
    (line,) = Path("results.jsonl").read_text().splitlines()
    assert json.loads(line)["run"]["training"]["dataset"] == "mnist"


def test_what_the_progress_bar_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_module, "accuracy", lambda *_: 0.9876)
    trainer = Trainer(Run(parse(TRAIN).training, 3, Scale.ONE, 4), *data().hold_out(20), CPU)
    trainer.step()
    measures = trainer.measures
    said = f"k = 3, sigma one, seed 4: loss {measures.loss:.3g}, sigma 1, gradients in {100 * measures.nonzero:.0f} %"
    assert experiment._told(trainer) == f"{said}, {trainer.images_per_second:,.0f} images/s"
    trainer.step()
    trainer.step()  # the epoch's last: what is told is of that epoch
    measures = trainer.epochs[0].measures
    said = f"k = 3, sigma one, seed 4: loss {measures.loss:.3g}, sigma 1, gradients in {100 * measures.nonzero:.0f} %"
    assert experiment._told(trainer) == f"{said}, held-out 98.76 %"
