"""A training that was stopped anywhere and goes on is, bit for bit, the one that never was; what it keeps and saves."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import attrs
import pytest
import torch

from tasks.common.checkpoint import Checkpoint, State
from tasks.common.settings import Optimizer, Scale
from tasks.knn import train as train_module
from tasks.knn.config import Run, Schedule
from tasks.knn.networks import deployed
from tasks.knn.train import Trainer
from tests.tasks.knn.tiny import CPU, TINY, differences, images

TRAIN, HELD_OUT = images(60, seed=0), images(20, seed=1)


class Clock:
    """Goes on by a second whenever it is looked at, so that seconds can be compared."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(train_module, "time", SimpleNamespace(perf_counter=clock))
    return clock


def trainer_of(run: Run) -> Trainer:
    return Trainer(run, TRAIN, HELD_OUT, CPU)


def run_of(scale: Scale = Scale.LEARNED, **changes: object) -> Run:
    return Run(attrs.evolve(TINY, **changes), 3, scale, 0)


def finish(trainer: Trainer) -> State:
    while not trainer.finished:
        trainer.step()
    return trainer.state()


@pytest.mark.parametrize(
    ("scale", "changes"),
    [
        (Scale.NONE, {"schedule": Schedule.ONE_CYCLE, "best_epoch": True}),
        (Scale.LEARNED, {"scale_optimizer": Optimizer.ADAM, "queries": 7, "candidates": 16, "validate_every": 2}),
    ],
)
def test_a_run_stopped_after_any_step_goes_on_as_if_it_had_not_been(
    scale: Scale, changes: dict[str, object], tmp_path: Path
) -> None:
    run = run_of(scale, epochs=2, **changes)
    final = finish(trainer_of(run))
    assert len(final["epochs"]) == 2
    stopped = trainer_of(run)
    for step in range(1, stopped.total_steps + 1):
        stopped.step()
        Checkpoint(run, stopped.state()).save(tmp_path / f"{step}.pt")
    assert differences(stopped.state(), final) == []  # to save changes nothing
    for step in range(1, stopped.total_steps + 1):
        torch.manual_seed(step)
        trainer = trainer_of(run)
        trainer.load_state(Checkpoint.resume(tmp_path / f"{step}.pt", run).state)
        assert trainer.steps == step
        assert differences(finish(trainer), final) == [], step
        assert trainer.finished
    assert differences(trainer_of(run).state(), final) != []


# The best epoch.


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[tuple[object, ...]]]:
    """Held-out accuracies as told; returns the list of what each was asked for."""

    def script(*accuracies: float) -> list[tuple[object, ...]]:
        left, asked = list(accuracies), []

        def accuracy(*arguments: object) -> float:
            asked.append(arguments)
            return left.pop(0)

        monkeypatch.setattr(train_module, "accuracy", accuracy)
        return asked

    return script


def embeddings(trainer: Trainer) -> list[State]:
    """The embedding's weights after each epoch."""
    states = []
    while not trainer.finished:
        trainer.step()
        if trainer.steps % trainer.batches.steps_per_epoch == 0:
            states.append(trainer.state()["embedding"])
    return states


@pytest.mark.parametrize(
    ("accuracies", "best"),
    [((0.5, 0.7, 0.7, 0.6), 1), ((0.0,) * 4, 0)],
)
def test_the_weights_of_the_best_epoch_are_kept_and_of_equals_the_first(
    scripted: Callable, accuracies: tuple[float, ...], best: int
) -> None:
    scripted(*accuracies)
    trainer = trainer_of(run_of(best_epoch=True, epochs=4))
    after = embeddings(trainer)
    assert [epoch.held_out for epoch in trainer.epochs] == list(accuracies)
    state = trainer.state()
    assert differences(state["best"], after[best]) == []
    assert differences(state["embedding"], after[3]) == []
    assert differences(dict(deployed(trainer.run, state, TRAIN).state_dict()), after[best]) == []


def test_the_held_out_images_are_measured_every_so_many_epochs_and_at_the_end(scripted: Callable) -> None:
    asked = scripted(0.1, 0.2, 0.3)
    trainer = trainer_of(run_of(validate_every=3, epochs=7))
    finish(trainer)
    assert [epoch.held_out for epoch in trainer.epochs] == [None, None, 0.1, None, None, 0.2, 0.3]
    embedding, held_out, references, *others = asked[0]
    assert (embedding, held_out.labels.tolist()) == (trainer.embedding, HELD_OUT.labels.tolist())
    assert (references.labels.tolist(), others) == (TRAIN.labels.tolist(), [3, False])


# Seconds, and when to save.


def test_an_epochs_seconds_are_those_of_its_steps_alone(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    def long(*_: object) -> float:
        clock.now += 1000
        return 0.5

    monkeypatch.setattr(train_module, "accuracy", long)
    trainer = trainer_of(run_of())
    trainer.step()
    trainer.step()
    assert trainer.images_per_second == 2 * (20 + 10) / 2  # a second a step
    finish(trainer)
    assert [epoch.seconds for epoch in trainer.epochs] == [3.0] * 3
    assert trainer.images_per_second == 0  # of the epoch that has not begun
