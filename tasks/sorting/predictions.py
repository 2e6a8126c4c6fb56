"""Figure 1 of the paper, computed: how often each structure is predicted, from no noise to nothing but noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from attrs import frozen
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas
from rich.console import Console
from torch import Tensor

import structpred as sp
from tasks.common.files import require_writable, whole_file
from tasks.sorting.commands import Predictions
from tasks.sorting.losses import sorting

ELEMENTS = (0.5, 0.9, 0.2)
# By element and position: 0.9 and 0.5 are each a little more for the other's place.
SCORES = ((0.4, 1.0, 1.2), (0.0, 1.3, 1.2), (1.5, 0.3, 0.0))
EPSILON = -1.0
_SIGMAS = (0.05, 0.5, 2.0, 20.0)


@frozen(eq=False)
class Shares:
    """How often each structure, in the space's order, is y, and is y(eps): ``(structures,)``, summing to 1."""

    y: Tensor
    augmented: Tensor


def run_predictions(command: Predictions, console: Console) -> None:
    """Draws noise of each size, and the picture."""
    require_writable(command.output, "output")
    shares = [shares_of(sigma, command.draws) for sigma in _SIGMAS]
    with whole_file(command.output, "output") as unfinished:
        draw(shares, command.draws, unfinished)
    console.print(f"drew {command.output}", markup=False)


def shares_of(sigma: float, draws: int) -> Shares:
    """Of noise of this size, from a generator of its own."""
    space, generator = sp.Matching(len(ELEMENTS)), torch.Generator().manual_seed(0)
    objective = sp.PerturbedDirectLoss(space, epsilon=EPSILON, scale=sigma, num_samples=draws)
    target = sorting(torch.tensor(ELEMENTS))
    solution = objective.solve(torch.tensor(SCORES)[None], space.hamming(target[None]), generator=generator)
    every = space.enumerate()

    def share(y: Tensor) -> Tensor:
        return (y.detach() == every).all(-1).all(-1).float().mean(0)

    return Shares(*(share(y) for y in (solution.prediction, solution.augmented)))  # each (draws, 1, 3, 3)


def draw(shares: list[Shares], draws: int, path: Path) -> None:
    """A panel for each sigma, as a PNG; structures from the largest score to the least."""
    structures = sp.Matching(len(ELEMENTS)).enumerate()
    scores = (structures * torch.tensor(SCORES)).sum((-1, -2))
    by_score = scores.argsort(descending=True)
    lists = torch.tensor(ELEMENTS) @ structures[by_score]
    right = sorted(ELEMENTS)
    picture = Canvas(figsize=(13, 4.8), layout="constrained")
    FigureCanvasAgg(picture)
    picture.suptitle(
        "Sorting 0.5, 0.9, 0.2: which of the six orders is predicted, as $\\sigma\\cdot$noise is added to the scores.\n"
        "$y$: the order of largest noisy score;  $y(\\epsilon)$: that of largest noisy score + $\\epsilon\\cdot$loss, "
        f"with $\\epsilon$ = {EPSILON:+g} and the loss 2 for each number in a wrong place"
    )
    places = np.arange(len(structures))
    for panel, sigma, share in zip(picture.subplots(1, len(shares), sharey=True), _SIGMAS, shares, strict=True):
        panel.bar(places - 0.2, (100 * share.y[by_score]).numpy(), 0.4, label="$y$")
        panel.bar(places + 0.2, (100 * share.augmented[by_score]).numpy(), 0.4, label="$y(\\epsilon)$")
        panel.set(title=f"$\\sigma$ = {sigma:g}", ylim=(0, 102))
        labels = [
            f"{'  '.join(f'{x:.1f}' for x in order)}{'  (right)' if order == right else ''}\nscore {score:.1f}"
            for order, score in zip([[round(x, 1) for x in y] for y in lists.tolist()], scores[by_score], strict=True)
        ]
        panel.set_xticks(places, labels, rotation=60, ha="right", rotation_mode="anchor", fontsize=8)
        panel.grid(axis="y", alpha=0.3)
        panel.legend()
    picture.axes[0].set_ylabel(f"% of {draws:,} draws of noise")
    picture.savefig(path, format="png", dpi=120)
