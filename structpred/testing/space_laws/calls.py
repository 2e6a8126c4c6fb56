"""How argmax may be called: types, memory, batches, threads, one call after another."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import torch
from hypothesis import strategies as st
from torch import Tensor

from structpred._threads import threads_for_all
from structpred.spaces.base import StructuredSpace
from structpred.testing import strategies
from structpred.testing._examples import per_example
from structpred.testing.law import ViolationError, law
from structpred.testing.oracles import expect_members, expect_same_value, first, threads
from structpred.testing.strategies import Layout


@law(scores=per_example(strategies.scores), examples=2)
def dtype_device_and_shape_are_kept(space: StructuredSpace, scores: Tensor) -> None:
    """The answer has the shape, dtype and device of the scores, in a batch, alone, and in a batch of batches."""
    for given in (scores, scores[0], scores[:, None]):
        y = space.argmax(given)
        got, expected = ((t.dtype, str(t.device), tuple(t.shape)) for t in (y, given))
        if got != expected:
            raise ViolationError("the answer's dtype, device or shape is another", got=got, expected=expected)


@law(scores=functools.partial(strategies.scores, moderate=True))
def answer_has_no_gradient(space: StructuredSpace, scores: Tensor) -> None:
    """The answer is a constant to autograd, even if the scores require grad."""
    y = space.argmax(scores.clone().requires_grad_())
    if y.requires_grad:
        raise ViolationError("the answer requires grad", got=y.grad_fn, expected="a tensor without gradient")


@law(scores=strategies.scores, target=per_example(strategies.targets), examples=2)
def arguments_are_left_alone(space: StructuredSpace, scores: Tensor, target: Tensor) -> None:
    """Neither argmax nor contains changes its argument, and the answer does not share the scores' memory."""
    for given in (scores, target.clone()):  # a structure as scores: it is its own answer
        _expect_left_alone(space, given)


def _expect_left_alone(space: StructuredSpace, scores: Tensor) -> None:
    before = scores.clone()
    y = space.argmax(scores)
    if not torch.equal(scores, before):
        raise ViolationError("argmax changed the scores", got=scores, expected=before)
    answer = y.clone()
    space.contains(y)
    if not torch.equal(y, answer):
        raise ViolationError("contains changed its argument", got=y, expected=answer)
    y.fill_(7)
    if not torch.equal(scores, before):
        raise ViolationError("writing into the answer writes into the scores", got=scores, expected=before)


def _repeated(examples: Tensor, batch: Sequence[int]) -> Tensor:
    """A batch of this shape that has the examples in turn."""
    return examples[(torch.arange(math.prod(batch)) % len(examples)).reshape(batch)]


@law(scores=per_example(strategies.scores), examples=5)
def batch_equals_loop(space: StructuredSpace, scores: Tensor, *, tolerance: float = 0.0) -> None:
    """The answer for an example is the same alone, in a batch, in a large batch, and in a batch of batches."""
    alone = torch.stack([space.argmax(example) for example in scores])
    many = max(32, 8 * torch.get_num_threads()) + 1  # several examples for each call of _argmax, and uneven chunks
    for batch in [(len(scores),), (many,), (2, len(scores))]:
        together = scores if batch == (len(scores),) else _repeated(scores, batch)
        y = space.argmax(together)
        expect_members(space, y, f"in a batch of shape {batch}, the answer to an example is not in the space")
        message = f"in a batch of shape {batch}, the answer to an example has another value than the answer to it alone"
        expect_same_value(space, together, y, _repeated(alone, batch), tolerance, message)


@law()
def an_empty_batch_has_an_empty_answer(space: StructuredSpace) -> None:
    """For a batch without examples, argmax, contains and score return tensors without entries."""
    for batch in [(0,), (3, 0), (0, 2)]:
        scores = torch.zeros(*batch, *space.shape)
        y = space.argmax(scores)
        for what, got, expected in [
            ("argmax", y, (*batch, *space.shape)),
            ("contains", space.contains(y), batch),
            ("score", space.score(scores, y), batch),
        ]:
            if tuple(got.shape) != expected:
                raise ViolationError(
                    f"{what} of an empty batch: another shape", got=tuple(got.shape), expected=expected
                )


@law(
    scores=functools.partial(strategies.scores, contiguous=True),
    layout=lambda space: st.sampled_from([Layout.GAPPY, Layout.TRANSPOSED]),
)
def strided_equals_contiguous(
    space: StructuredSpace, scores: Tensor, layout: Layout, *, tolerance: float = 0.0
) -> None:
    """Scores in transposed and gappy memory have the same value as in contiguous memory."""
    strided = layout.lay(scores)
    y = space.argmax(strided)
    expect_members(space, y, f"for scores with strides {strided.stride()}, the answer is not in the space")
    message = f"scores with strides {strided.stride()}: another value than for the same scores in contiguous memory"
    expect_same_value(space, scores, y, space.argmax(scores), tolerance, message)


@law(scores=per_example(strategies.scores), examples=5)
def threads_do_not_matter(space: StructuredSpace, scores: Tensor, *, tolerance: float = 0.0) -> None:
    """One, two and three threads return answers of the same value, for more examples than there are chunks."""
    many = _repeated(scores, (25,))
    with threads(1):
        expected = space.argmax(many)
    for count in (2, 3):
        with threads(count), threads_for_all():
            y = space.argmax(many)
        message = f"{count} threads return another value than one"
        expect_members(space, y, f"with {count} threads, the answer is not in the space")
        expect_same_value(space, many, y, expected, tolerance, message)


@law(
    scores=per_example(strategies.scores),
    others=per_example(strategies.scores),
    examples=2,
)
def earlier_calls_do_not_matter(
    space: StructuredSpace, scores: Tensor, others: Tensor, *, tolerance: float = 0.0
) -> None:
    """What was solved before, from the same memory too, changes neither an earlier answer nor the value of the next."""
    y = space.argmax(scores)
    before = y.clone()
    space.argmax(others)
    for index in first((y != before).flatten(1).any(1)):
        raise ViolationError(
            "a later call wrote into an earlier answer", example=index, got=y[index], expected=before[index]
        )
    again = space.argmax(scores)
    message = "after another call, the answer to the same scores has another value"
    expect_same_value(space, scores, again, before, tolerance, message)
    written = scores.clone()
    space.argmax(written)
    written.copy_(written.where(written.isinf(), -written))
    message = "after other numbers were written into the scores, the answer is not the one to those numbers"
    expect_same_value(space, written, space.argmax(written), space.argmax(written.clone()), tolerance, message)
