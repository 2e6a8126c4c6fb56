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
from tasks.sorting.figure import Curves, follow, run_figure
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


@pytest.mark.parametrize("step", ["train", "draw"])
def test_a_failure_leaves_no_file_behind(step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figure, step, fail)
    with pytest.raises(RuntimeError, match="on purpose"):
        run_figure(tiny(tmp_path / "figure.png"), QUIET)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_keeps_the_picture_of_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "figure.png").write_bytes(b"of before")
    monkeypatch.setattr(figure, "draw", fail)
    with pytest.raises(RuntimeError, match="on purpose"):
        run_figure(tiny(tmp_path / "figure.png"), QUIET)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"of before"]


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


def test_an_output_that_cannot_be_written_gives_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main(["figure", "--output", str(tmp_path / "file" / "figure.png")]) == 2
    assert "error: output: expected" in capsys.readouterr().out


def test_every_length_is_trained_with_epsilon_of_both_signs_to_the_last_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, drawn = [], {}

    def follow(training: Training, length: int, runs: int, advance: object) -> Curves:
        asked.append((length, training.epsilon, training.epochs, training.patience, runs))
        return Curves([1.0], [0.0], [0.0])

    def draw(curves: dict[tuple[int, int], Curves], epsilon: float, path: Path) -> None:
        drawn.update({"curves": set(curves), "epsilon": epsilon})

    monkeypatch.setattr(figure, "follow", follow)
    monkeypatch.setattr(figure, "draw", draw)
    run_figure(tiny(tmp_path / "figure.png"), QUIET)
    assert asked == [(length, epsilon, 2, None, 2) for length in (3, 4) for epsilon in (-12.0, 12.0)]
    assert drawn == {"curves": {(3, -1), (3, 1), (4, -1), (4, 1)}, "epsilon": 12.0}


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
