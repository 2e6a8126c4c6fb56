"""Tables 2 and 4: time beside the relaxations'. Seconds are of the machine; the ratios are to be compared."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from benchmarks.page import markdown

_RIVALS = Path(__file__).parents[1] / "rivals.json"
_PAPER_TABLE_2 = {10: (0.247, 0.288), 40: (0.252, 0.294), 100: (0.304, 0.306)}
_PAPER_TABLE_4 = {"MNIST": (28.3, 14.4), "Fashion-MNIST": (198.6, 328.6), "CIFAR-10": (220.0, 337.6)}


@functools.cache
def _rivals(table: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(_RIVALS.read_text(encoding="utf-8"))["rivals"]
    return [row for row in rows if row["table"] == table]


def _milliseconds(number: float) -> str:
    return f"{number:,.{0 if number >= 100 else 1}f} ms"


def of_sorting() -> list[str]:
    """Seconds an epoch in the paper, milliseconds here, and what the direct loss takes for each of the rival's."""
    rows = []
    for row in _rivals("2"):
        direct, sinkhorn = _PAPER_TABLE_2[row["d"]]
        rows.append(
            [
                str(row["d"]),
                f"{direct} s",
                f"{sinkhorn} s",
                f"{direct / sinkhorn:.2f}",
                _milliseconds(row["direct_ms"]),
                _milliseconds(row["gumbel_sinkhorn_ms"]),
                f"**{row['ratio']:.2f}**",
            ]
        )
    return markdown(
        ["d", "paper: direct", "Gumbel-Sinkhorn", "ratio", "here: direct", "Gumbel-Sinkhorn", "ratio"], *rows
    )


def of_neighbours() -> list[str]:
    """The paper's seconds an epoch of whole steps; then ours of a step of MNIST's size, its networks left out."""
    rows = [
        [f"paper, {name}: an epoch", f"{direct} s", f"{rival} s", f"{direct / rival:.2f}"]
        for name, (direct, rival) in _PAPER_TABLE_4.items()
    ]
    for row in _rivals("4"):
        name = f"here, NeuralSort by {row['neural_sort'].replace('sorted', 'a sort')}: "
        rows.append(
            [
                name + "a step without networks",
                _milliseconds(row["direct_ms"]),
                _milliseconds(row["neural_sort_ms"]),
                f"**{row['ratio']:.2f}**",
            ]
        )
        whole = row["direct_step_ms"], row["neural_sort_step_ms"]
        rows.append([name + "a whole step", *map(_milliseconds, whole), f"{whole[0] / whole[1]:.2f}"])
    return markdown(["k = 3", "direct", "stochastic NeuralSort", "ratio"], *rows)
