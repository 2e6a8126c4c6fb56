"""The picture is written whole or not at all, and shows what was trained."""

from pathlib import Path

import attrs
import pytest
import torch

import structpred as sp
from tasks.common.settings import Scale
from tasks.sorting import figure
from tasks.sorting.__main__ import main
from tasks.sorting.config import PAPER, Training
from tasks.sorting.figure import follow
from tasks.sorting.losses import sorting
from tasks.sorting.repetitions import Randomness, draw_sequences


def test_a_run_writes_one_picture_and_nothing_else(tmp_path: Path) -> None:
    output = tmp_path / "figure.png"
    options = ["--lengths", "1", "4", "--epochs", "2", "--runs", "2", "--output", str(output)]  # one number has no loss
    assert main(["figure", *options]) == 0
    assert output.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert list(tmp_path.rglob("*.*")) == [output]


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
