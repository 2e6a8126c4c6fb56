"""What a cell says, and what all tables count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from benchmarks.interval import Beside, Interval


def told(own: Interval, runs: int, paper: float | None, digits: int) -> str:
    """``mark value [low, high] (runs)``: the mark only where the paper has a figure."""
    mark = "" if paper is None else own.beside(paper).value + " "
    return f"{mark}{own.value:.{digits}f} [{own.low:.{digits}f}, {own.high:.{digits}f}] ({runs})"


def counted(name: str, marks: Iterable[Beside]) -> str:
    """One line: how often our interval holds the paper's figure, lies above it, and below."""
    of = Counter(marks)
    return (
        f"- {name}: of {of.total()} figures of the paper, {of[Beside.AROUND]} lie in our interval; we are higher in "
        f"{of[Beside.HIGHER]} and lower in {of[Beside.LOWER]}."
    )
