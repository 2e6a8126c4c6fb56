"""The commands ``train``, ``evaluate`` and ``table``."""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
from collections.abc import Iterator
from pathlib import Path

import torch
from attrs import frozen
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

import structpred as sp
from tasks.common.files import exclusive
from tasks.common.results import commit, plain
from tasks.common.structure import structure
from tasks.knn.checkpoint import Checkpoint, State, damage_named
from tasks.knn.commands import Evaluate, Source, Table, Train
from tasks.knn.config import DataSet, Execution, Run
from tasks.knn.data import Data, load
from tasks.knn.neighbours import accuracy
from tasks.knn.report import print_result, print_table
from tasks.knn.results import Result, ResultsFile
from tasks.knn.train import Epoch, Trainer, deployed, go

_STEPS_PER_LOOK = 10  # to show the measures waits for the device, and so not every step does


def run_train(command: Train, console: Console) -> None:
    """Trains, with what it is doing on show, and saves as it goes."""
    run = Run(command.training, command.k, command.scale, command.seed)
    with exclusive(command.checkpoint, "checkpoint"), _progress(console) as progress:
        session = _Session(run.training.dataset, command.source, command.execution, command.save_every, progress)
        state = session.train(run, command.checkpoint)
    print_result(session.result(run, state, test=None), console)
    console.print(f"{command.checkpoint} holds it; the evaluate command classifies the test images.", markup=False)


def run_evaluate(command: Evaluate, console: Console) -> None:
    """Classifies the test images by a finished training."""
    checkpoint = Checkpoint.load(command.checkpoint)
    run, state = checkpoint.run, checkpoint.state
    with damage_named(command.checkpoint):
        done, epochs = len(_epochs_of(state)), run.training.epochs
    if done < epochs:
        raise sp.ArgumentError(
            f"checkpoint: expected a finished training, got one of {done} of {epochs} epochs in "
            f"{str(command.checkpoint)!r}; finish it with the train command"
        )
    with _opened(command.results, console) as file:
        with _progress(console) as progress:
            session = _Session(run.training.dataset, command.source, command.execution, 0.0, progress)
            result = session.result(run, state, session.test(checkpoint, command.checkpoint))
        if run not in [known.run for known in file.read() if known.test is not None]:
            file.append([result])
    print_result(result, console)


def run_table(command: Table, console: Console) -> None:
    """Runs the missing trainings one by one, and prints the table of all."""
    with _opened(command.results, console) as file:
        _fill(file, command, console)


def _fill(file: ResultsFile, command: Table, console: Console) -> None:
    seeds = range(command.first_seed, command.first_seed + command.repetitions)
    cells = list(dict.fromkeys((k, scale) for k in command.ks for scale in command.scales))
    # Seed by seed, so that a table cut short has every cell.
    runs = [Run(command.training, k, scale, seed) for seed in seeds for k, scale in cells]
    done = [result.run for result in file.read() if result.test is not None or not command.test]
    missing = [run for run in runs if run not in done]
    if missing:
        with _progress(console) as progress:
            session = _Session(
                command.training.dataset, command.source, command.execution, command.save_every, progress
            )
            whole = progress.add_task("trainings", total=len(runs), completed=len(runs) - len(missing))
            for run in missing:
                checkpoint = _checkpoint_beside(command.results, run)
                state = session.train(run, checkpoint)
                test = session.test(Checkpoint(run, state), checkpoint) if command.test else None
                file.append([session.result(run, state, test)])
                checkpoint.unlink()
                progress.advance(whole)
    # A run may have two lines, as of a table without the test images and then one with: it counts once, as tested.
    known = {result.run: result for result in sorted(file.read(), key=lambda result: result.test is not None)}
    print_table([known[run] for run in runs], cells, console)


@frozen(init=False)
class _Session:
    """The images, loaded once, and how to train on them."""

    _data: Data
    _execution: Execution
    _save_every: float
    _progress: Progress

    def __init__(
        self, dataset: DataSet, source: Source, execution: Execution, save_every: float, progress: Progress
    ) -> None:
        execution.resolve()  # a wrong name is told before the images are read
        self.__attrs_init__(load(dataset, source.data_dir, source.download), execution, save_every, progress)

    def train(self, run: Run, path: Path) -> State:
        """Goes on from the checkpoint if there is one, to the end; saves there; returns the last state."""
        trainer = Trainer(run, *self._data.hold_out(run.training.held_out), self._execution)
        if checkpoint := Checkpoint.resume(path, run):
            with damage_named(path):
                _epochs_of(checkpoint.state)
                trainer.load_state(checkpoint.state)
        task = self._progress.add_task("", total=trainer.total_steps, completed=trainer.steps)

        def show() -> None:
            if trainer.steps % _STEPS_PER_LOOK == 0 or trainer.finished:
                self._progress.update(task, completed=trainer.steps, description=_told(trainer))

        go(trainer, show, lambda state: Checkpoint(run, state).save(path), self._save_every)
        self._progress.remove_task(task)
        return trainer.state()

    def test(self, checkpoint: Checkpoint, path: Path) -> float:
        """The accuracy on the test images, whose neighbours are all training images, those held out among them."""
        device, bf16 = self._execution.resolve()
        with damage_named(path):
            network = deployed(checkpoint.run, checkpoint.state, self._data.train).to(device)
        return accuracy(network, self._data.test.to(device), self._data.train.to(device), checkpoint.run.k, bf16)

    def result(self, run: Run, state: State, test: float | None) -> Result:
        device, _ = self._execution.resolve()
        epochs = _epochs_of(state)
        training, seconds = run.training, sum(epoch.seconds for epoch in epochs)
        speed = state["steps"] * (training.queries + training.candidates) / seconds
        return Result(run, test, epochs, round(speed, 1), _name_of(device), commit())


def _epochs_of(state: State) -> list[Epoch]:
    """The epochs of a checkpoint's state, each field of which is held to its type."""
    epochs: list[Epoch] = structure(list[Epoch], state["epochs"], "epochs")
    return epochs


def _told(trainer: Trainer) -> str:
    """What the progress bar says; of the last epoch where a new one has not begun."""
    measures, speed = trainer.measures, trainer.images_per_second
    if not speed:
        measures, speed = trainer.epochs[-1].measures, 0.0
    held_out = [epoch.held_out for epoch in trainer.epochs if epoch.held_out is not None]
    return (
        f"k = {trainer.run.k}, sigma {trainer.run.scale.value}, seed {trainer.run.seed}: "
        f"loss {measures.loss:.3g}, sigma {measures.scale:.3g}, gradients in {100 * measures.nonzero:.0f} %"
        + (f", {speed:,.0f} images/s" if speed else "")
        + (f", held-out {100 * held_out[-1]:.2f} %" if held_out else "")
    )


def _checkpoint_beside(results: Path, run: Run) -> Path:
    """Where the table keeps a training that is not finished: a name for each run."""
    digest = hashlib.sha256(json.dumps(plain(run), sort_keys=True).encode()).hexdigest()[:12]
    return results.with_name(f"{results.stem}-k{run.k}-{run.scale.value}-seed{run.seed}-{digest}.pt")


@contextlib.contextmanager
def _opened(path: Path, console: Console) -> Iterator[ResultsFile]:
    with exclusive(path, "results"):
        file = ResultsFile(path)
        file.report(console)
        yield file


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console)


def _name_of(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()}, {torch.get_num_threads()} threads"
