"""A picture: images and their nearest neighbours, before training and after, and whether they are right."""

from __future__ import annotations

from pathlib import Path

import torch
from attrs import frozen
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from rich.console import Console
from torch import Tensor, nn

import structpred as sp
from tasks.common.checkpoint import Checkpoint
from tasks.common.files import require_writable, whole_file
from tasks.knn.commands import Picture
from tasks.knn.config import Run
from tasks.knn.data import Images
from tasks.knn.neighbours import embed, nearest, vote
from tasks.knn.networks import networks_of
from tasks.knn.session import Session

_RIGHT, _WRONG = "#2a9d3a", "#d62728"


@frozen(eq=False)
class Neighbours:
    """What an embedding finds near each of n queries."""

    nearest: Tensor
    """``(n, k)``: the references, nearest first."""
    voted: Tensor
    """``(n,)``: the class that most of them have."""

    @classmethod
    def found(cls, network: nn.Module, queries: Images, references: Images, k: int) -> Neighbours:
        indices = nearest(embed(network, queries), embed(network, references), k)
        return cls(indices, vote(references.labels[indices]))

    def __getitem__(self, index: Tensor) -> Neighbours:
        return Neighbours(self.nearest[index], self.voted[index])


def run_picture(command: Picture, console: Console) -> None:
    """Draws held-out images, as many as there are of those that training put right and of those wrong after it."""
    require_writable(command.output, "output")
    checkpoint = Checkpoint.load(command.checkpoint, Run)
    run = checkpoint.run
    session = Session(run.training.dataset, command.source, command.execution)
    if not run.training.held_out:
        raise sp.ArgumentError(
            f"checkpoint: expected a training with held-out images, to draw them, got one without in "
            f"{str(command.checkpoint)!r}; train with --held-out 1 or more, or name another with --checkpoint"
        )
    train, held_out = (images.to(session.device) for images in session.data.hold_out(run.training.held_out))
    networks = networks_of(run, train)[0].to(session.device), session.deployed(checkpoint, command.checkpoint)
    before, after = (Neighbours.found(network, held_out, train, run.k) for network in networks)
    shown = choose(before.voted != held_out.labels, after.voted != held_out.labels, command.queries)
    with whole_file(command.output, "output") as unfinished:
        draw(held_out[shown], train, before[shown], after[shown], unfinished)
    console.print(f"drew {command.output}", markup=False)


def choose(wrong_before: Tensor, wrong_after: Tensor, count: int) -> Tensor:
    """Which images are worth a look: half of them put right by training, half wrong after it, as far as there are."""
    mended, left = (wrong_before & ~wrong_after).nonzero()[:, 0], wrong_after.nonzero()[:, 0]
    others = (~wrong_before & ~wrong_after).nonzero()[:, 0]
    now_wrong = left[: max(count // 2, count - len(mended))]
    return torch.cat([mended[: count - len(now_wrong)], now_wrong, others])[:count]


def draw(queries: Images, references: Images, before: Neighbours, after: Neighbours, path: Path) -> None:
    """A row for each query, as a PNG: itself, its neighbours before training, its neighbours after."""
    rows, k = after.nearest.shape
    picture = Figure(figsize=(0.75 * (2 * k + 3), 0.95 * rows + 0.5), layout="constrained")
    FigureCanvasAgg(picture)
    widths = [1.0, 0.3, *[1.0] * k, 0.3, *[1.0] * k]
    panels = picture.subplots(rows, len(widths), squeeze=False, width_ratios=widths)
    for panel in panels.flat:
        panel.axis("off")
    for row in range(rows):
        label = int(queries.labels[row])
        _show(panels[row, 0], queries.pixels[row], f"class {label}", "black")
        for found, first in ((before, 2), (after, 3 + k)):
            voted = int(found.voted[row])
            for position, index in enumerate(found.nearest[row].tolist()):
                right = int(references.labels[index]) == label
                _show(panels[row, first + position], references.pixels[index], "", _RIGHT if right else _WRONG)
            title = panels[row, first].set_title(f"vote: {voted}", fontsize=8, loc="left")
            title.set_color(_RIGHT if voted == label else _WRONG)
    picture.suptitle(
        f"A held-out image, its {k} nearest before training, and after; green is of its class", fontsize=10
    )
    picture.savefig(path, format="png", dpi=110)


def _show(panel: Axes, pixels: Tensor, title: str, colour: str) -> None:
    """One image, ``(channels, height, width)`` bytes, in a frame."""
    image = pixels.cpu().movedim(0, -1)
    if image.shape[-1] == 1:
        image = image.expand(-1, -1, 3)
    panel.axis("on")
    panel.set(xticks=[], yticks=[])
    panel.imshow(image.numpy())
    panel.set_title(title, fontsize=8)
    for side in panel.spines.values():
        side.set(color=colour, linewidth=2.5)
