"""What holds under every circumstance of a call: large batches, any dtype, any mode of torch, any call before."""

from __future__ import annotations

import contextlib
import copy
import enum
import functools
import itertools
import math
from collections.abc import Iterator

import attrs
import torch
from attrs import frozen
from torch import Tensor

from structpred.spaces.base import StructuredSpace
from structpred.testing._examples import listed
from structpred.testing.circumstances import Where, default_dtype, pairwise
from structpred.testing.law import ViolationError, law, leaving_settings_alone
from structpred.testing.oracles import can_list, expect_members, first, slack, structures_of, value
from structpred.testing.space_laws._rows import COUNT, Rows, bank, most_rows
from structpred.testing.strategies import Layout

_MANY_ROWS = (4_099, 66_000)
_MOST_COMPARED = 110_000_000  # entries of all structures with all examples, as some spaces compare them at once


class Mode(enum.Enum):
    """How torch is set where a method is called."""

    PLAIN = enum.auto()
    REQUIRES_GRAD = enum.auto()
    """The scores do, as a leaf, as what a network returns, or as an ``nn.Parameter``."""
    NO_GRAD = enum.auto()
    INFERENCE = enum.auto()

    @contextlib.contextmanager
    def on(self) -> Iterator[None]:
        """This mode inside."""
        context = {Mode.NO_GRAD: torch.no_grad, Mode.INFERENCE: torch.inference_mode}.get(self, contextlib.nullcontext)
        with context():
            yield


class Before(enum.Enum):
    """What was called before."""

    NOTHING = enum.auto()
    THE_SAME = enum.auto()
    """The same tensor, and then the caller wrote into the answer."""
    OTHER_NUMBERS_THERE = enum.auto()
    """Other scores in the same memory, into which these were written then."""
    ANOTHER_BATCH = enum.auto()
    """A batch of another size, whose answer is kept."""
    THE_BATCH_TURNED = enum.auto()
    """The same examples in another order, whose answer is kept."""
    ONE_EXAMPLE = enum.auto()
    """One without batch dimensions, whose answer is kept."""
    IN_INFERENCE_MODE = enum.auto()
    """Other scores, in inference mode, on a space that was just made."""


@frozen
class Circumstance:
    """One call of a space's methods."""

    batch: tuple[int, ...]
    scores: Rows
    dtype: torch.dtype
    layout: Layout
    mode: Mode
    default: torch.dtype
    """The default dtype."""
    before: Before
    where: Where = Where.HERE

    @property
    def rows(self) -> int:
        return math.prod(self.batch)


_DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16]
CIRCUMSTANCES = (
    *(
        Circumstance(**it)
        for it in pairwise(
            batch=[
                *((65,), (), (1,), (2,), (7,), (64,), (200,), (256,), (257,), (513,), (1001,)),
                *((13, 5), (2, 3, 4, 1), (7, 3, 13)),
            ],
            scores=list(Rows),
            before=list(Before),
            dtype=_DTYPES,
            mode=list(Mode),
            layout=list(Layout),
            default=[torch.float32, torch.float64, torch.float16],
            where=list(Where),
        )
    ),
    # In large batches too, which have all examples: of few, rounding or a zero seldom changes a structure.
    *(
        Circumstance(batch, rows, dtype, Layout.CONTIGUOUS, Mode.PLAIN, torch.float32, Before.NOTHING)
        for batch, rows, dtype in (
            *itertools.product([(257,), (1000,)], [Rows.FINE], _DTYPES),
            *itertools.product([(513,)], [Rows.ONE_FORBIDDEN, Rows.TWO_FORBIDDEN, Rows.MANY_FORBIDDEN], _DTYPES[:1]),
        )
    ),
)


def _circumstances(space: StructuredSpace) -> list[Circumstance]:
    """Those of all spaces, batches as long as a dimension of the structures, and one of more than 16 bits count.

    And one of a few more than a chunk may hold.
    """
    found = list(CIRCUMSTANCES)
    found += [attrs.evolve(CIRCUMSTANCES[0], batch=(size,)) for size in dict.fromkeys(space.shape) if size]
    structures = len(structures_of(space)) if can_list(space) else 1
    most = _MOST_COMPARED // (structures * math.prod(space.shape))
    found += [
        attrs.evolve(CIRCUMSTANCES[0], batch=(rows,), scores=scores)
        for rows in _MANY_ROWS
        if rows <= most
        for scores in (Rows.GENERIC, Rows.FINE)
    ]
    return [it for it in found if it.rows <= most_rows(space)]


@law(circumstance=listed(_circumstances), share=2)
def argmax_holds_under_every_circumstance(
    space: StructuredSpace, circumstance: Circumstance, *, seed: int = 0, tolerance: float = 0.0
) -> None:
    """Batches of any size and shape, dtype and layout, in any mode and after any call have the best structures.

    Each answer is in the space and as good as that to the example alone, or as the best of the list. It is the
    caller's own, and neither it nor the scores nor the settings of torch change later.
    """
    it = circumstance
    scores, best, others = _examples(space, it, seed)
    written = scores.clone()
    if it.before is Before.IN_INFERENCE_MODE:
        space = made_anew(space)

    def call() -> tuple[Tensor, list[tuple[Tensor, Tensor]], Tensor]:
        with it.mode.on(), leaving_torch_alone():
            given, kept = _call_before(space, it, scores, others)
            return given, kept, space.argmax(given)

    with default_dtype(it.default):
        given, kept, y = it.where.run(call, it.dtype)
    _expect_like(given, y, it.mode)
    if not _equal(given.detach(), written):
        raise ViolationError("argmax changed the scores", got=given.detach(), expected=written)
    for earlier, as_it_was in kept:
        if not torch.equal(earlier, as_it_was):
            raise ViolationError("a later call wrote into an earlier answer", got=earlier, expected=as_it_was)
    expect_members(space, y, "contains says that the answer is not in the space")
    got = value(space, written, y)
    for index in first(~((got - best).abs() <= slack(space, written, tolerance))):
        raise ViolationError(
            "the answer to an example has another value than its best structure", example=index, scores=written[index],
            got=got[index].item(), answer=y[index], expected=best[index].item(),
        )  # fmt: skip


def made_anew(space: StructuredSpace) -> StructuredSpace:
    """The space made anew, where its fields tell how; so it has seen no call."""
    try:
        return attrs.evolve(space)  # type: ignore[misc]
    except Exception:  # no attrs class, or one with an initialiser of its own, which may refuse in any way
        again = copy.deepcopy(space)
        for name in cached_properties(type(space)):
            getattr(again, "__dict__", {}).pop(name, None)
        return again


def cached_properties(cls: type) -> set[str]:
    """The names of those that a class has, whose values calls write into the attributes of its instances."""
    return {
        name for parent in cls.__mro__ for name, it in vars(parent).items() if isinstance(it, functools.cached_property)
    }


@functools.lru_cache(maxsize=256)
def _picked(rows: int, kind: Rows, seed: int) -> Tensor:
    return torch.randint(COUNT, (rows,), generator=torch.Generator().manual_seed(1000 * seed + kind.value))


def _examples(space: StructuredSpace, it: Circumstance, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Scores and best values of the batch, and others of the same kind; in no order that repeats."""
    found, picked = bank(space, it.scores, seed, it.dtype), _picked(it.rows, it.scores, seed)
    shape = (*it.batch, *space.shape)
    scores, others = (found.scores[rows % COUNT].reshape(shape).to(it.dtype) for rows in (picked, picked + 17))
    return it.layout.lay(scores), found.best[picked].reshape(it.batch), others


def _call_before(
    space: StructuredSpace, it: Circumstance, scores: Tensor, others: Tensor
) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
    """The scores to call with, once what comes before has been called; and answers to keep, each with a copy."""
    given = it.layout.lay(scores.clone()) if it.before is Before.OTHER_NUMBERS_THERE else scores
    if it.mode is Mode.INFERENCE:
        given = it.layout.lay(given.clone())  # an inference tensor, as a network's outputs are there
    if it.before is Before.THE_SAME:
        space.argmax(given).fill_(7)
    elif it.before is Before.OTHER_NUMBERS_THERE:
        given.data.copy_(others)  # which leaves the version as it was, as numpy's views do
        space.argmax(given)
        given.data.copy_(scores)
    kept = []
    if it.before is Before.ANOTHER_BATCH:
        kept = [space.argmax(others.reshape(-1, *space.shape)[: max(1, it.rows - 1)])]
    elif it.before is Before.THE_BATCH_TURNED:
        kept = [space.argmax(scores.reshape(-1, *space.shape).flip(0).reshape(scores.shape))]
    elif it.before is Before.ONE_EXAMPLE:
        kept = [space.argmax(others.reshape(-1, *space.shape)[0])]
    elif it.before is Before.IN_INFERENCE_MODE:
        with torch.inference_mode():
            kept = [space.argmax(others.clone())]
    if it.mode is Mode.REQUIRES_GRAD:
        given = torch.nn.Parameter(given) if it.rows % 3 == 0 else given.requires_grad_()
        given = given.view_as(given) if it.rows % 2 else given  # no leaf
    return given, [(earlier, earlier.clone()) for earlier in kept]


def _expect_like(scores: Tensor, y: Tensor, mode: Mode) -> None:
    """Raises unless the answer is a constant of the scores' dtype, shape and device that autograd can use."""
    got = y.dtype, str(y.device), tuple(y.shape), y.requires_grad
    expected = scores.dtype, str(scores.device), tuple(scores.shape), False
    if got != expected:
        message = "the answer's dtype, device or shape is another, or it requires grad"
        raise ViolationError(message, got=got, expected=expected)
    if y.is_inference() and mode is not Mode.INFERENCE:
        raise ViolationError("the answer is an inference tensor, which autograd cannot use", got=y)


def _equal(one: Tensor, other: Tensor) -> bool:
    return bool((one == other).all())


@contextlib.contextmanager
def leaving_torch_alone() -> Iterator[None]:
    """Raises ``ViolationError`` where torch's generator or settings are others at the end."""
    found = torch.get_rng_state()
    # With a seed that no call has. Not by torch.manual_seed, which for other devices notes the stack: a millisecond.
    torch.default_generator.manual_seed(2**40 + 9)
    state = torch.get_rng_state()
    try:
        with leaving_settings_alone():
            yield
        after = torch.get_rng_state()
    finally:
        torch.set_rng_state(found)
    if not torch.equal(after, state):
        raise ViolationError("the call used or changed torch's global generator; draw from one of your own")
