"""Hypothesis strategies for the inputs of a space and of an objective over it.

>>> from hypothesis import given
>>> import structpred as sp
>>> from structpred.testing import strategies
>>> space = sp.KSubset(4, 2)
>>> @given(scores=strategies.scores(space, batch=(3,)), target=strategies.targets(space))
... def test(scores, target):
...     assert (space.score(scores, space.argmax(scores)) >= space.score(scores, target)).all()
>>> test()
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence

import attrs
import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from torch import Tensor

from structpred.loss import LinearLoss
from structpred.spaces.base import StructuredSpace
from structpred.testing._examples import runs
from structpred.testing.oracles import can_list, structures_of

Shape = tuple[int, ...]

_DTYPES = [torch.float64, torch.float64, torch.float32, torch.bfloat16, torch.float16]
_BATCHES: list[Shape] = [(1,), (3,), (), (2, 2), (5,), (2,), (0,)]
# Powers of two: the sums of a few small integers of them are exact.
LARGEST, SMALLEST = 2.0**30, 2.0**-30
"""The sizes of the largest and the smallest scores other than 0 (in float16, 2^12 and 2^-12).

Solvers that add numbers near 1 to the scores, as networkx's arborescences do, are right, but beyond 2^50 lose
the 1, and below 2^-50 the score.
"""
HAIRS = {torch.float64: SMALLEST, torch.float32: 2.0**-12, torch.bfloat16: 2.0**-6, torch.float16: 2.0**-9}
"""What each dtype resolves beside 1 and 2, and the next coarser one does not."""
FINEST = 2.0**-44
"""A difference beside 1 that float64 resolves, in sums of a few too."""
_MOST_DRAWN_APART = 16


class Layout(enum.Enum):
    """How a tensor lies in memory."""

    CONTIGUOUS = enum.auto()
    TRANSPOSED = enum.auto()
    GAPPY = enum.auto()
    """Every other number of the memory, with NaN between."""
    OFFSET = enum.auto()
    """In the middle of memory that begins and ends with NaN."""

    def lay(self, values: Tensor) -> Tensor:
        """The same values in this layout."""
        if self is Layout.TRANSPOSED:
            backwards = range(values.ndim)[::-1]
            return values.permute(*backwards).contiguous().permute(*backwards)
        if self is Layout.GAPPY:
            return torch.stack([values, torch.full_like(values, math.nan)], -1)[..., 0]
        if self is Layout.OFFSET:
            around = values.new_full((3,), math.nan)
            return torch.cat([around, values.flatten(), around])[3:-3].view(values.shape)
        return values.contiguous()


def scores(
    space: StructuredSpace,
    *,
    batch: Sequence[int] | None = None,
    dtype: torch.dtype | None = None,
    forbidden: bool = True,
    moderate: bool = False,
    contiguous: bool = False,
) -> SearchStrategy[Tensor]:
    """Scores that tempt a solver to be wrong: ``(*batch, *shape)``.

    Ties among small integers, differences that a coarser dtype does not resolve, generic position, very
    large and very small magnitudes and both at once; parts forbidden by ``-inf``, never so many that nothing is left;
    transposed and gappy memory; batches of any dimensions, empty ones included. Simpler ones have fewer examples,
    ties, and nothing forbidden.

    Args:
        space: whose shape they have, and of whose structures one stays allowed for each example.
        batch: the batch dimensions; any unless given.
        dtype: any floating point type unless given.
        forbidden: whether there may be ``-inf``.
        moderate: no extreme magnitudes, nothing finer than float32 resolves.
        contiguous: no unusual strides.
    """
    return _scores(space, batch, dtype, forbidden, moderate, contiguous)


@st.composite
def _scores(
    draw: DrawFn,
    space: StructuredSpace,
    batch: Sequence[int] | None,
    dtype: torch.dtype | None,
    forbidden: bool,
    moderate: bool,
    contiguous: bool,
) -> Tensor:
    leading = tuple(batch) if batch is not None else draw(st.sampled_from(_BATCHES))
    dtype = dtype if dtype is not None else draw(st.sampled_from(_DTYPES))
    shape = (*leading, *space.shape)
    kinds = st.sampled_from(_MODERATE if moderate else [*_MODERATE, *_HARD])
    # Each example of a kind of its own: Hypothesis likes to repeat itself from one input to the next.
    rows = [draw(draw(kinds)(space.shape, dtype)) for _ in range(math.prod(leading))]
    values = torch.stack(rows).reshape(shape).to(dtype) if rows else torch.zeros(shape, dtype=dtype)
    if forbidden and draw(st.booleans()):
        allowed = draw(masks(space, batch=leading)) | (draw(targets(space, batch=leading)) != 0)
        values = values.masked_fill(~allowed, -math.inf)
    layout = Layout.CONTIGUOUS if contiguous else draw(st.sampled_from(Layout))
    laid = layout.lay(values)
    return laid[draw(runs(len(laid)))] if batch is None and len(leading) == 1 and len(laid) > 1 else laid


def _array(shape: Shape, choices: Sequence[float]) -> SearchStrategy[Tensor]:
    """Entries among these choices: drawn one by one if they are few, and else all at random or nearly all the first."""
    count = math.prod(shape)
    values = torch.tensor(choices)
    if count <= _MOST_DRAWN_APART:
        drawn = st.binary(min_size=count, max_size=count)  # faster to draw than many numbers
        return drawn.map(lambda entries: values[torch.tensor(list(entries)) % len(choices)].reshape(shape))
    exceptions = st.dictionaries(st.integers(0, count - 1), st.integers(0, len(choices) - 1), max_size=8)
    return exceptions.map(lambda drawn: values[_nearly_all_first(count, drawn)].reshape(shape)) | seeds().map(
        lambda seed: values[torch.randint(len(choices), shape, generator=torch.Generator().manual_seed(seed))]
    )


def _nearly_all_first(count: int, exceptions: dict[int, int]) -> Tensor:
    chosen = torch.zeros(count, dtype=torch.long)
    for index, choice in exceptions.items():
        chosen[index] = choice
    return chosen


def integers(shape: Shape) -> SearchStrategy[Tensor]:
    """Integers from -2 to 2 of this shape, float64: many are tied."""
    return _array(shape, [0.0, 1.0, 2.0, -1.0, -2.0]).map(Tensor.double)


def _booleans(shape: Shape) -> SearchStrategy[Tensor]:
    count = math.prod(shape)
    if count > _MOST_DRAWN_APART:
        return _array(shape, [True, False]) | _array(shape, [False, True])
    bits = 2 ** torch.arange(count)  # of one number: faster to draw than many numbers
    return st.integers(0, 2**count - 1).map(lambda number: (number & bits).reshape(shape) == 0)


def _ties(shape: Shape, dtype: torch.dtype) -> SearchStrategy[Tensor]:
    """Small integers, of both signs or of one."""
    shifts = st.sampled_from([0.0, 0.0, -3.0, 3.0])
    return st.tuples(shifts, integers(shape)).map(lambda drawn: drawn[0] + drawn[1])


def _hairs_breadth(shape: Shape, dtype: torch.dtype) -> SearchStrategy[Tensor]:
    ones_and_twos = _array(shape, [1.0, 2.0]).map(Tensor.double)
    return st.tuples(ones_and_twos, integers(shape)).map(lambda pair: pair[0] + HAIRS[dtype] * pair[1])


def _generic(shape: Shape, dtype: torch.dtype) -> SearchStrategy[Tensor]:
    return directions(shape, simple=True)


def _extreme(shape: Shape, dtype: torch.dtype) -> SearchStrategy[Tensor]:
    powers = st.sampled_from([2.0**12, 2.0**-12] if dtype == torch.float16 else [LARGEST, SMALLEST])
    return st.tuples(integers(shape), powers).map(lambda pair: pair[0] * pair[1])


def _mixed(shape: Shape, dtype: torch.dtype) -> SearchStrategy[Tensor]:
    step = 20 if dtype == torch.float64 else 6 if dtype == torch.float32 else 2
    sizes = [0.0, *(sign * 2.0**power for power in (0, -step, step) for sign in (1, -1))]
    return _array(shape, sizes).map(Tensor.double)


_MODERATE = [_ties, _generic]
_HARD = [_hairs_breadth, _hairs_breadth, _extreme, _mixed]  # what rounds too early is found by the first alone


def _normal(shape: Sequence[int], seed: int) -> Tensor:
    return torch.randn(tuple(shape), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def seeds() -> SearchStrategy[int]:
    """Seeds for a ``torch.Generator``."""
    return st.integers(0, 2**31)


def directions(shape: Sequence[int], *, simple: bool = False) -> SearchStrategy[Tensor]:
    """Generic directions: float64 tensors of this shape, standard normal.

    Args:
        shape: of the tensor.
        simple: whether half of them are rounded to multiples of 1/4, for a failure that reads well.
    """
    if not simple:
        return seeds().map(lambda seed: _normal(shape, seed))
    steps = st.sampled_from([0.25, 2.0**-50])
    return st.tuples(steps, seeds()).map(lambda drawn: _rounded(_normal(shape, drawn[1]), drawn[0]))


def _rounded(values: Tensor, step: float) -> Tensor:
    return (values / step).round() * step + 0.0  # -0.0 reads badly


def directions_of(
    space: StructuredSpace, *, batch: Sequence[int] = (3,), simple: bool = False
) -> SearchStrategy[Tensor]:
    """Generic directions in the space of the scores: ``(*batch, *shape)``."""
    return directions((*batch, *space.shape), simple=simple)


def masks(space: StructuredSpace, *, batch: Sequence[int] = (3,)) -> SearchStrategy[Tensor]:
    """A truth value for each part: ``(*batch, *shape)``; simpler ones are mostly true."""
    return st.tuples(*[_booleans(space.shape)] * math.prod(batch)).map(
        lambda rows: torch.stack(rows).reshape(*batch, *space.shape) if rows else torch.ones(*batch, *space.shape) > 0
    )


def targets(space: StructuredSpace, *, batch: Sequence[int] = (3,)) -> SearchStrategy[Tensor]:
    """Structures of the space: ``(*batch, *shape)``, float64; from its list, or else answers to random scores."""
    shape = (*batch, *space.shape)
    if not can_list(space):
        return directions(shape).map(space.argmax)
    listed, count = structures_of(space), math.prod(batch)
    chosen = st.lists(st.integers(0, len(listed) - 1), min_size=count, max_size=count)
    return chosen.map(lambda indices: listed[torch.tensor(indices, dtype=torch.long)].reshape(shape).double())


def losses(space: StructuredSpace, *, batch: Sequence[int] = (3,)) -> SearchStrategy[LinearLoss]:
    """Linear losses over the space, float64: Hamming, missed parts, regret, and coefficients of any sign.

    Hamming and regret know their best structure.
    """
    batch, dims = tuple(batch), len(space.shape)
    structures, coefficients = targets(space, batch=batch), directions((*batch, *space.shape))
    return st.one_of(
        structures.map(lambda target: attrs.evolve(LinearLoss.hamming(target, event_dims=dims), best=target)),
        structures.map(lambda target: LinearLoss.missed(target, event_dims=dims)),
        coefficients.map(space.regret),
        st.tuples(coefficients, directions(batch)).map(lambda both: LinearLoss(*both, event_dims=dims)),
    )


def scales(space: StructuredSpace, *, batch: Sequence[int] = (3,)) -> SearchStrategy[Tensor]:
    """Noise scales between 0.1 and 10, float64: 0-dim, one an example, or one a variable."""
    shapes: list[Shape] = [(), (*batch, *(1,) * len(space.noise_shape)), (*batch, *space.noise_shape)]
    return st.one_of([_array(shape, [1.0, 0.1, 10.0, 0.5, 3.0]).map(Tensor.double) for shape in shapes])
