"""The picture is written whole or not at all, and shows what was trained."""

import struct
from pathlib import Path

import attrs
import pytest
import torch
from rich.console import Console

import structpred as sp
from tasks.common.settings import Scale
from tasks.sorting import figure
from tasks.sorting.__main__ import main
from tasks.sorting.commands import Figure
from tasks.sorting.config import PAPER, Training
from tasks.sorting.figure import follow, run_figure
from tasks.sorting.losses import sorting
from tasks.sorting.repetitions import Randomness, draw_sequences

SIGNATURE = b"\x89PNG\r\n\x1a\n"
QUIET = Console(quiet=True)


def tiny(output: Path) -> Figure:
    return Figure(lengths=(3, 4), epochs=2, runs=2, output=output)


def fail(*_: object, **__: object) -> None:
    raise RuntimeError("on purpose")


def test_a_run_writes_one_picture_and_nothing_else(tmp_path: Path) -> None:
    output = tmp_path / "figure.png"
    options = ["--lengths", "1", "4", "--epochs", "2", "--runs", "2", "--output", str(output)]  # one number has no loss
    assert main(["figure", *options]) == 0
    content = output.read_bytes()
    assert content.startswith(SIGNATURE)
    assert content.rstrip().endswith(b"IEND\xaeB`\x82")
    assert struct.unpack(">II", content[16:24]) == (1560, 552)
    assert len(content) > 10_000
    assert list(tmp_path.rglob("*.*")) == [output]


def test_an_output_that_cannot_be_written_is_refused_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figure, "train", fail)
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for output in (tmp_path / "file" / "figure.png", tmp_path / "folder"):
        with pytest.raises(sp.ArgumentError, match=r"^output: expected .*--output"):
            run_figure(tiny(output), QUIET)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder"]


def test_curves_are_means_over_runs_of_what_the_objective_solved(monkeypatch: pytest.MonkeyPatch) -> None:
    solutions = []
    train = figure.train

    def watch(training: Training, scale: Scale, length: int, seeds: range, observe: figure.Callable) -> list:
        def both(epoch: int, solution: sp.Solution) -> None:
            solutions.append(solution)
            observe(epoch, solution)

        assert (scale, list(seeds)) == (Scale.LEARNED, [0, 1])
        return train(training, scale, length, seeds, both)

    monkeypatch.setattr(figure, "train", watch)
    steps = []
    training = attrs.evolve(PAPER, epochs=3, patience=None, sequences=4)
    curves = follow(training, 5, 2, lambda: steps.append(1))
    assert len(steps) == len(solutions) == 3
    target = torch.stack([sorting(draw_sequences(Randomness.of(seed).data, 4, 5)[0]) for seed in range(2)])
    for epoch, solution in enumerate(solutions):
        assert curves.loss[epoch] == pytest.approx(solution.loss.mean().item())
        for curve, y in ((curves.correct, solution.prediction), (curves.augmented_correct, solution.augmented)):
            in_place = (y.argmax(-1) == target.argmax(-1)).double().mean().item()
            assert curve[epoch] == pytest.approx(100 * in_place)
    assert curves.correct != curves.augmented_correct
