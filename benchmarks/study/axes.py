"""Which settings are tried, axis by axis: each leaves the default along one line, or a plane of two."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.study.problems import Cell, Kind
from benchmarks.study.setting import Learning, Method, Setting, Unit

DEFAULT = Setting()
SIGMAS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
RATES = (0.1, 0.3, 1.0, 3.0, 10.0)

CELLS = (
    *(
        Cell(Kind.PATHS, degree=degree, rows=rows, noise_width=width)
        for rows in (100, 1000)
        for width in (0.0, 0.5)
        for degree in (2, 6)
    ),
    *(Cell(Kind.KNAPSACK, degree=degree, rows=100, noise_width=width) for width in (0.0, 0.5) for degree in (2, 6)),
    *(Cell(Kind.SORTING, length=length) for length in (25, 60)),
    Cell(Kind.MATCHING),
    Cell(Kind.NEIGHBOURS),
)


def _along(name: str, values: Sequence[object], **fixed: object) -> list[Setting]:
    return [Setting(**{name: value, **fixed}) for value in values]  # type: ignore[arg-type]


AXES: dict[str, list[Setting]] = {
    "step": _along("ratio", (-4.0, -16.0, -64.0, -256.0, -1024.0)),
    "step without margin": _along("ratio", (-2.0, -8.0, -32.0, -128.0), margin=0.0),
    "margin": _along("margin", (0.0, 0.0125, 0.025, 0.05, 0.1, 0.2)),
    "both sides": _along("ratio", (-0.5, -2.0, -8.0), margin=1.0),
    "the former default": [Setting(ratio=-8.0, margin=0.0, learning=Learning.FIXED)],
    "unit": _along("unit", tuple(Unit)),
    "draws": _along("draws", (1, 2, 5, 10)),
    "averaging": _along("averaged", (False, True)),
    "fixed sigma": _along("sigma", SIGMAS, learning=Learning.FIXED),
    "start of adaptive sigma": _along("sigma", SIGMAS),
    "pace": _along("pace", (0.03, 0.1, 0.3)),
    "learned by the chain rule": _along("sigma", (0.1, 1.0, 10.0), learning=Learning.CHAIN),
    "a sigma a variable": _along("sigma", (1.0,), learning=Learning.VARIABLE),
    "at the network's rate": _along("sigma", (1.0,), learning=Learning.NETWORK),
    "rate": _along("rate", RATES),
    "rate at a fixed sigma": [
        Setting(rate=r, sigma=s, learning=Learning.FIXED) for r in RATES for s in (0.1, 1.0, 10.0)
    ],
    "output": _along("output", (0.1, 0.3, 1.0, 3.0, 10.0)),
    "output at a fixed sigma": _along("output", (0.1, 10.0), learning=Learning.FIXED),
    "loss": _along("loss", (0.001, 1000.0)),
    "fenchel-young": _along("sigma", (0.1, 0.3, 1.0, 3.0, 10.0), method=Method.FENCHEL_YOUNG),
    "spo+": _along("loss", (0.1, 0.3, 1.0, 3.0, 10.0), method=Method.SPO_PLUS),
    "hinge": _along("loss", (0.1, 0.3, 1.0, 3.0, 10.0), method=Method.HINGE),
    "implicit-mle": _along("sigma", (0.1, 0.3, 1.0, 3.0, 10.0), method=Method.IMPLICIT_MLE, ratio=-8.0, margin=0.0),
    "adaptive-implicit-mle": _along("sigma", (0.1, 0.3, 1.0, 3.0, 10.0), method=Method.ADAPTIVE_IMPLICIT_MLE),
}
"""Every axis has the default on it, or is a rival's grid."""

_WITHOUT_IMAGES = {Kind.PATHS, Kind.KNAPSACK, Kind.SORTING}
_FEW = {"fixed sigma", "start of adaptive sigma", "step", "margin"}
"""The axes of nearest neighbours, which take a minute and more a training."""


def axes_of(cell: Cell) -> list[str]:
    """The axes that are tried on a cell."""
    if cell.kind is Kind.NEIGHBOURS:
        return [name for name in AXES if name in _FEW]
    return [name for name in AXES if cell.kind in _WITHOUT_IMAGES or name != "averaging"]


def settings_of(cell: Cell, wanted: Callable[[str], bool] = lambda _: True) -> list[Setting]:
    """The settings of these axes, each once, the default first."""
    listed = [DEFAULT, *(setting for name in axes_of(cell) if wanted(name) for setting in AXES[name])]
    return list(dict.fromkeys(listed))
