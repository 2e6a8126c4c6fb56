"""Tables 2 and 4: time beside the relaxations'. Seconds are of the machine; the ratios are to be compared."""

from __future__ import annotations

from benchmarks.measure import Result
from benchmarks.page import markdown
from benchmarks.report import amount, committed, digits
from benchmarks.row import Group, Unit

_PAPER_TABLE_2 = {10: (0.247, 0.288), 40: (0.252, 0.294), 100: (0.304, 0.306)}
_PAPER_TABLE_4 = {"MNIST": (28.3, 14.4), "Fashion-MNIST": (198.6, 328.6), "CIFAR-10": (220.0, 337.6)}


def _rivals(begin: str) -> list[Result]:
    return [row for row in committed() if row.group is Group.RIVALS and row.name.startswith(begin)]


def _here(row: Result) -> list[str]:
    seconds = [amount(it.median, Unit.SECONDS) for it in (row.ours, row.theirs)]
    return [*seconds, f"**{digits(row.ratio.median)}**"]


def of_sorting() -> list[str]:
    """Seconds an epoch in the paper and here, and what the direct loss takes for each of the rival's."""
    rows = []
    for row in _rivals("sorting"):
        length = int(row.name.rpartition(" ")[2])
        direct, sinkhorn = _PAPER_TABLE_2[length]
        rows.append([str(length), f"{direct} s", f"{sinkhorn} s", f"{direct / sinkhorn:.2f}", *_here(row)])
    return markdown(
        ["d", "paper: direct", "Gumbel-Sinkhorn", "ratio", "here: direct", "Gumbel-Sinkhorn", "ratio"], *rows
    )


def of_neighbours() -> list[str]:
    """The paper's seconds an epoch of whole steps; then ours of a step of MNIST's size, without networks and whole."""
    rows = [
        [f"paper, {name}: an epoch", f"{direct} s", f"{rival} s", f"{direct / rival:.2f}"]
        for name, (direct, rival) in _PAPER_TABLE_4.items()
    ]
    for row in _rivals("neighbours"):
        part = "a whole step" if row.name.endswith("whole") else "a step without networks"
        rows.append([f"here, {row.reference}: {part}", *_here(row)])
    return markdown(["k = 3", "direct", "stochastic NeuralSort", "ratio"], *rows)
