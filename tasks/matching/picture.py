"""A grid of digits with its target and the matching that a network finds, as a PNG."""

from __future__ import annotations

from pathlib import Path

import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from tasks.matching.data import Grids

_TARGET, _FOUND = "tab:green", "tab:red"


def draw(grid: Grids, found: Tensor, path: Path) -> None:
    """Draws the only grid of ``grid``; ``found`` of shape ``(1, *shape)`` is drawn over the target."""
    board, side = grid.board, grid.board.side
    tiles = grid.digits.pixels[grid.index[0]].reshape(side, side, 28, 28)
    weights = board.two_digit_numbers(grid.digits.labels[grid.index[0]])
    target, found = (board.edges(y[0]).bool() for y in (grid.truth.matching, found))
    picture = Figure(figsize=(5.5, 5.8), layout="constrained")
    FigureCanvasAgg(picture)
    axes = picture.subplots()
    axes.imshow(tiles.transpose(1, 2).reshape(28 * side, 28 * side).numpy(), cmap="gray_r")
    for edges, width, color, name in ((target, 9, _TARGET, "target"), (found, 3, _FOUND, "found")):
        for place, edge in enumerate(edges.nonzero().flatten().tolist()):
            cells = torch.stack([board.first[edge], board.second[edge]])
            label = f"{name}: weight {weights[edges].sum()}" if place == 0 else None
            x, y = (28 * at + 13.5 for at in (cells % side, cells // side))
            axes.plot(
                x.numpy(), y.numpy(), color=color, linewidth=width, alpha=0.6, solid_capstyle="round", label=label
            )
    axes.set_axis_off()
    picture.legend(loc="outside lower center", ncols=2, frameon=False)
    picture.savefig(path, format="png", dpi=100)
