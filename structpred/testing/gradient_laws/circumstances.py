"""The circumstances in which an objective or a layer is called, as data."""

from __future__ import annotations

import enum
import math
from typing import Any

import attrs
import torch
from attrs import frozen

from structpred.testing.circumstances import Where, pairwise
from structpred.testing.strategies import Layout


class Scores(enum.Enum):
    """What the scores of a batch are like."""

    GENERIC = enum.auto()
    EQUAL = enum.auto()
    """All scores of an example are the same number."""
    LARGE = enum.auto()
    """Far above or below 0 where noise and loss are not, by a number that all parts of an example share."""
    ONE_LARGE = enum.auto()
    """One part of an example is far below 0; in float64 so far that it might pass for a forbidden one."""
    SAME = enum.auto()
    """All examples have the same ones."""
    ONE_FORBIDDEN = enum.auto()
    MANY_FORBIDDEN = enum.auto()
    """All parts that one structure can spare but for one."""
    SOME_FORBIDDEN = enum.auto()
    """None to all but one of those that one structure can spare, in each example another number."""
    FINE = enum.auto()
    """1 or 2 where noise and loss are integers, with differences that the next coarser dtype does not resolve."""


class Scale(enum.Enum):
    """How the scale of the noise is given."""

    TENSOR = enum.auto()
    """Without dimensions, and it requires grad."""
    NUMBER = enum.auto()
    ONE_ELEMENT = enum.auto()
    PER_EXAMPLE = enum.auto()
    DOUBLE = enum.auto()
    """One an example, in float64 whatever the scores are."""
    PER_VARIABLE = enum.auto()
    SHARED = enum.auto()
    """One a variable, the same for all examples, in dimensions of size 1."""
    ALONG_THE_FIRST = enum.auto()
    """One along the first batch dimension alone; the others have size 1."""
    ALONG_THE_SECOND = enum.auto()
    """One along the second batch dimension alone, where there are two; one an example otherwise."""
    OWN_NUMBER = enum.auto()
    """The module's own setting, where it has one; a number of the call otherwise."""
    OWN_PARAMETER = enum.auto()


class Loss(enum.Enum):
    """How the loss of an objective is given."""

    PLAIN = enum.auto()
    """With a constant for each example; the best structure is not known."""
    KNOWN_BEST = enum.auto()
    REQUIRES_GRAD = enum.auto()
    """Coefficients and constant do, as if a network had made them."""
    ONLY_CONSTANT_REQUIRES_GRAD = enum.auto()
    NUMBER = enum.auto()
    """The constant is a number."""
    BROADCAST = enum.auto()
    """The same coefficients for all examples, in dimensions of size 1."""
    WITHOUT_BATCH = enum.auto()
    """The same coefficients for all examples, without their dimensions."""
    ALONG_THE_FIRST = enum.auto()
    """Other coefficients and constants along the first batch dimension alone; the others have size 1."""
    ALONG_THE_SECOND = enum.auto()
    """Other coefficients along the second batch dimension alone, where there are two; they lack the first. Of two
    dimensions, the constant too, in a first one of size 1."""
    DOUBLE = enum.auto()
    """In float64, whatever the scores are."""


class Mode(enum.Enum):
    """What requires grad, and how torch and the module are set."""

    ALL = enum.auto()
    ONLY_SCORES = enum.auto()
    ONLY_SCALE = enum.auto()
    ONLY_LOSS = enum.auto()
    """Of an objective, the coefficients and the constant."""
    NO_GRAD = enum.auto()
    INFERENCE = enum.auto()
    EVAL = enum.auto()
    """After ``.eval()``, where there is no noise; gradients are for the coefficients alone."""

    @property
    def has_gradients(self) -> bool:
        """For scores or scale."""
        return self in (Mode.ALL, Mode.ONLY_SCORES, Mode.ONLY_SCALE)


class Before(enum.Enum):
    """Which calls of the same module there are beside the one that is looked at."""

    NOTHING = enum.auto()
    THE_SAME = enum.auto()
    """The same arguments, under other noise, with a backward pass."""
    OTHER_SCORES = enum.auto()
    """The same scale and loss with other scores, of which none is forbidden."""
    OTHER_NUMBERS_THERE = enum.auto()
    """Other scores, scale and coefficients in the same memory, into which these were written then."""
    ANOTHER_BATCH = enum.auto()
    """Other scores, in a batch of another size."""
    REFUSED = enum.auto()
    """A batch of the same shape in which every part is forbidden."""
    IN_BETWEEN = enum.auto()
    """Another batch of the same shape, and then ``.eval()``, between the call and its backward pass."""


class Upstream(enum.Enum):
    """What becomes of an objective's losses, or of a layer's structures."""

    MEAN = enum.auto()
    SUM = enum.auto()
    """Of an objective; what arrives at a layer's structures is not contiguous."""
    WEIGHTED = enum.auto()
    """One loss an example (``reduction="none"``), each with a weight."""


@frozen
class Circumstance:
    """One call, and its backward pass."""

    batch: tuple[int, ...]
    samples: int
    scores: Scores
    scale: Scale
    loss: Loss
    epsilon: float
    dtype: torch.dtype
    mode: Mode
    before: Before
    upstream: Upstream
    layout: Layout
    default: torch.dtype
    """The default dtype."""
    seeded: bool
    """Whether the call is given a generator."""
    unit: float
    """A power of 2 by which scores, scale and loss are multiplied."""
    where: Where

    @property
    def examples(self) -> int:
        return math.prod(self.batch)

    @property
    def scale_is_along_one(self) -> bool:
        """Whether the scale has one entry for each index of one batch dimension."""
        return self.scale in (Scale.ALONG_THE_FIRST, Scale.ALONG_THE_SECOND)

    @property
    def rows(self) -> int:
        return self.examples * self.samples

    def evaluates(self, module: Any) -> bool:
        """Whether the module is called in eval mode, if it has one."""
        return self.mode is Mode.EVAL and hasattr(module, "eval")


def _circumstance(
    batch: tuple[int, ...], samples: int, epsilon: float, dtype: torch.dtype, unit: float, **others: Any
) -> Circumstance:
    made = Circumstance(batch=batch, samples=samples, epsilon=epsilon, dtype=dtype, unit=unit, **others)
    if made.examples != _MOST_EXAMPLES:
        made = attrs.evolve(made, samples=min(samples, max(2, _MOST_ROWS // made.examples)))
    if made.mode is Mode.EVAL and made.scores is Scores.EQUAL:  # all structures would be tied
        made = attrs.evolve(made, scores=Scores.GENERIC)
    if dtype not in (torch.float16, torch.bfloat16):
        return made
    if not 0.25 <= abs(epsilon) <= 4:  # float16 holds no sum of the gradients of many examples over a small step
        epsilon = math.copysign(2.0, epsilon) if made.rows > _MOST_IN_HALF else max(epsilon, -(2.0**-7), key=abs)
    return attrs.evolve(made, epsilon=epsilon, unit=unit**0.1)


_MOST_IN_HALF = 100
_MOST_ROWS = 3000  # but for the largest batch
_MOST_EXAMPLES = 33_000

_FACTORS: dict[str, list[Any]] = {
    "batch": [(7,), (), (1,), (2,), (64,), (65,), (200,), (256,), (257,), (513,), (1001,), (3, 5), (2, 3, 4)],
    "scale": list(Scale),
    "loss": list(Loss),
    "scores": list(Scores),
    "epsilon": [-1.0, 1.0, -4.0, 0.25, -(2.0**-20), 1024.0],
    "samples": [2, 1, 3, 5, 8, 131],  # the last a prime, so that no chunk of them fits
    "before": list(Before),
    "mode": [Mode.ALL, Mode.ALL, Mode.ALL, *list(Mode)[1:]],
    "dtype": [torch.float64, torch.float32, torch.float16, torch.bfloat16],
    "upstream": list(Upstream),
    "layout": [Layout.CONTIGUOUS, Layout.TRANSPOSED, Layout.GAPPY],
    "default": [torch.float32, torch.float64],
    "seeded": [True, False],
    "unit": [1.0, 2.0**-40, 2.0**40],
    "where": list(Where),
}
# Once more where nothing but broadcasting can go wrong: in some combinations above a step changes no structure.
_BROADCASTING = {factor: values[:1] for factor, values in _FACTORS.items()} | {
    "batch": [(3, 5), (2, 3, 4)],
    "scale": [
        Scale.PER_EXAMPLE,
        Scale.PER_VARIABLE,
        Scale.SHARED,
        Scale.ALONG_THE_FIRST,
        Scale.ALONG_THE_SECOND,
    ],
    "loss": list(Loss),
    "upstream": list(Upstream),
}
# And for plain scores in each mode: in some combinations above nothing is free of ties.
_MODES = {factor: values[:1] for factor, values in _FACTORS.items()} | {
    "batch": [(3, 5), (2, 3, 4)],
    "mode": list(Mode),
    "where": list(Where),
}
# And for one example under one draw, as the smallest tensors may be treated otherwise.
_SINGLE = {factor: values[:1] for factor, values in _FACTORS.items()} | {
    "batch": [(), (1,), (1, 1)],
    "samples": [1],
    "dtype": [torch.float64, torch.float32],
    "scale": [Scale.TENSOR, Scale.PER_VARIABLE],
    "upstream": list(Upstream),
}
# And where the mean over the batch hides which example has which constant.
_WEIGHTS = {factor: values[:1] for factor, values in _FACTORS.items()} | {
    "batch": [(3, 5)],
    "loss": [Loss.ALONG_THE_SECOND, Loss.ALONG_THE_FIRST, Loss.PLAIN],
    "upstream": [Upstream.WEIGHTED],
    "samples": [2, 5],
}
# And where only large and fine numbers can: in a batch of few examples they seldom change a structure.
_NUMBERS = {factor: values[:1] for factor, values in _FACTORS.items()} | {
    "batch": [(257,), (64,)],
    "scores": [Scores.FINE, Scores.ONE_LARGE],
    "dtype": _FACTORS["dtype"],
    "mode": [Mode.ALL, Mode.EVAL],
    "epsilon": [-1.0, 1.0, -4.0],
}
# And where steps are small or large, with as many examples as half precision can sum.
_STEPS = {factor: values[:1] for factor, values in _FACTORS.items()} | {
    "batch": [(_MOST_IN_HALF // 2,)],
    "dtype": _FACTORS["dtype"],
    "epsilon": [-(2.0**-20), 1024.0],
}
# And in a batch that is worth another way of computing; a mean over it hides what rounding does.
_LARGE = {factor: values[:1] for factor, values in _FACTORS.items()} | {
    "batch": [(_MOST_EXAMPLES,)],
    "samples": [2, 8],
    "dtype": [torch.float64, torch.float32],
    "upstream": [Upstream.WEIGHTED],
}
CIRCUMSTANCES = tuple(
    _circumstance(**it)
    for factors in (_FACTORS, _BROADCASTING, _MODES, _SINGLE, _WEIGHTS, _NUMBERS, _STEPS, _LARGE)
    for it in pairwise(**factors)
)
