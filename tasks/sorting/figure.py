"""Figure 3 of the paper: what the sign of epsilon does, at a small and at a large dimension."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import attrs
import torch
from attrs import frozen
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas
from rich.console import Console
from rich.progress import Progress

import structpred as sp
from tasks.common.files import require_writable, whole_file
from tasks.common.settings import Scale
from tasks.sorting.commands import Figure
from tasks.sorting.config import PAPER, Training
from tasks.sorting.losses import sorting
from tasks.sorting.repetitions import Randomness, draw_sequences
from tasks.sorting.train import train

_STYLES = {-1: "-", 1: "--"}


@frozen
class Curves:
    """One training, epoch by epoch: means over runs, sequences and draws."""

    loss: list[float]
    correct: list[float]
    """Percent of elements that y puts in the right place."""
    augmented_correct: list[float]
    """The same for y(eps)."""


def run_figure(command: Figure, console: Console) -> None:
    """Trains with epsilon of both signs at each length, and draws the picture."""
    output = command.output
    require_writable(output, "output")
    curves = {}
    size = abs(command.training.epsilon or PAPER.epsilon or 1.0)
    with Progress(console=console) as progress:
        for length in command.lengths:
            for sign in _STYLES:
                task = progress.add_task(f"d = {length}, eps {'+' if sign > 0 else '-'}", total=command.epochs)
                epsilon = sign * size
                training = attrs.evolve(
                    command.training, epsilon=epsilon, epochs=command.epochs, patience=None, average_from=0
                )
                curves[length, sign] = follow(training, length, command.runs, functools.partial(progress.advance, task))
    with whole_file(output, "output") as unfinished:
        draw(curves, size, unfinished)
    console.print(f"drew {output}")


def follow(training: Training, length: int, runs: int, advance: Callable[[], None]) -> Curves:
    """Trains ``runs`` repetitions with learned sigma, and records what the figure shows."""
    x = [draw_sequences(Randomness.of(seed).data, training.sequences, length)[0] for seed in range(runs)]
    target = sorting(torch.stack(x))  # (runs, sequences, d, d)
    curves = Curves([], [], [])

    def percent_correct(y: torch.Tensor) -> float:
        return 100 * (y * target).sum((-1, -2)).mean().item() / length

    def record(_: int, solution: sp.Solution) -> None:
        assert isinstance(solution, sp.DirectSolution)
        curves.loss.append(solution.loss.mean().item())
        curves.correct.append(percent_correct(solution.prediction.detach()))
        curves.augmented_correct.append(percent_correct(solution.augmented.detach()))
        advance()

    train(training, Scale.LEARNED, length, range(runs), record)
    return curves


def draw(curves: dict[tuple[int, int], Curves], epsilon: float, path: Path) -> None:
    """Three panels, the paper's (a) to (c), as a PNG."""
    picture = Canvas(figsize=(13, 4.6), layout="constrained")
    FigureCanvasAgg(picture)
    picture.suptitle(
        "Learning to sort d numbers through a matching, with epsilon of either sign.  "
        "$y$: the noisy prediction;  $y(\\epsilon)$: the prediction with $\\epsilon\\cdot$loss added to its scores"
    )
    loss, negative, positive = picture.subplots(1, 3)
    lengths = sorted({length for length, _ in curves})
    for color, length in enumerate(lengths):
        for sign, style in _STYLES.items():
            of_run, panel = curves[length, sign], negative if sign < 0 else positive
            scaled = [value / (of_run.loss[0] or 1.0) for value in of_run.loss]
            loss.plot(scaled, style, color=f"C{color}", label=f"d = {length}, $\\epsilon$ = {sign * epsilon:+g}")
            panel.plot(of_run.correct, color=f"C{color}", label=f"$y$, d = {length}")
            panel.plot(of_run.augmented_correct, ":", color=f"C{color}", label=f"$y(\\epsilon)$, d = {length}")
    loss.set(
        title="(a) training loss of $y$", xlabel="epoch", ylabel="loss, relative to the first epoch", ylim=(0, None)
    )
    for panel, sign in ((negative, -1), (positive, 1)):
        title = f"({'b' if sign < 0 else 'c'}) $y$ and $y(\\epsilon)$ at $\\epsilon$ = {sign * epsilon:+g}"
        panel.set(title=title, xlabel="epoch", ylabel="numbers in their right place, %", ylim=(0, 102))
    for panel in (loss, negative, positive):
        panel.legend(fontsize=8)
        panel.grid(alpha=0.3)
    picture.savefig(path, format="png", dpi=120)
