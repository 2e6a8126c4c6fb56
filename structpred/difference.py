"""The direct difference: how the structure moves when the scores take a step along a direction.

    y        = argmax_y <s, y>
    y(eps)   = argmax_y <s + eps * direction, y>          the same noise in s
    gradient = (y(eps) - y(-margin * eps)) / ((1 + margin) * eps)

With a margin of 0 it is the one-sided difference (Cohen Indelman & Hazan 2021, Equations 16 and 17), whose bias is
O(eps); with 1 the central one, whose bias is O(eps^2). In between it moves away from what would win if the loss were
added to the scores, as a structured hinge does, and not from y itself. In expectation, and at any step, it is the
gradient of the expected loss, averaged over steps from -margin * eps to eps. With the coefficients of a linear
loss as direction that is the loss; with dL/dy the gradient is that of a blackbox layer (Vlastelica et al. 2020).
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from attrs import frozen
from torch import Tensor

from structpred._scale import explain_scale
from structpred._tensors import on_parts
from structpred.epsilon import Epsilon
from structpred.errors import ArgumentError, Words, argument_error
from structpred.perturbation import Perturbed
from structpred.spaces._out_of_time import Index
from structpred.spaces._scores import validate_scores
from structpred.spaces.base import StructuredSpace


@frozen(eq=False)
class Difference:
    """Two structures of each sample and what they say about the scores; all without gradient."""

    prediction: Tensor
    """``(samples, *batch, *shape)``: y."""
    augmented: Tensor
    """``(samples, *batch, *shape)``: y(eps)."""
    gradient: Tensor
    """``(samples, *batch, *shape)``: the difference divided by the step."""
    epsilon: Tensor
    """``(*batch)``: the step taken, after any growing; ``(samples, *batch)`` if the direction has samples."""


@torch.no_grad()
def direct_difference(
    space: StructuredSpace,
    perturbed: Perturbed,
    direction: Tensor,
    epsilon: Epsilon,
    *,
    prediction: Tensor | None = None,
    loss: Callable[[Tensor], Tensor] | None = None,
) -> Difference:
    """Solves with and without the step, in one call of the solver, and again where the policy grows the step.

    Args:
        space: the structures.
        perturbed: the scores s.
        direction: ``(*batch, *shape)``, or ``(samples, *batch, *shape)`` where each sample has its own.
        epsilon: the policy for the signed step and its margin.
        prediction: y, where it is known already.
        loss: ``(samples, *batch, *shape) -> (samples, *batch)``, what a growing policy may look at.

    Raises:
        ArgumentError: names what is at fault where numbers are not finite: the scores, the scale, the direction,
            the step, or their sum.
        ExamplesError: as the space's solver raises them, naming examples of the batch.
    """
    event_dims = len(space.shape)
    scores, direction = perturbed.scores.detach(), direction.detach()
    start = step = epsilon.start(perturbed.unperturbed, direction, perturbed.noise_std, event_dims)
    margin = epsilon.margin
    signs = [sign for sign, wanted in ((0.0, prediction is None), (1.0, True), (-margin, margin > 0)) if wanted]

    def solve(scores: Tensor, shift: Tensor, example: Callable[[Index], Index]) -> Tensor:
        try:
            return _solve(space, scores, shift, signs, example)
        except ArgumentError as error:
            _explain(perturbed, direction, step)
            raise error

    solved = solve(scores, _shift(step, direction, event_dims), lambda index: index[1:])
    prediction = solved[0] if prediction is None else prediction
    augmented = solved[signs.index(1.0)]
    opposite = solved[-1] if margin else prediction
    while True:
        difference = augmented - opposite
        grown = epsilon.grow(step, start, difference, None if loss is None else functools.partial(loss, prediction))
        if grown is None or torch.equal(grown, step):
            break
        again = (grown != step).expand(scores.shape[: scores.ndim - event_dims])  # (samples, *batch)
        step, places = grown, again.nonzero().tolist()
        shift = _shift(step, direction, event_dims).expand_as(scores)[again]  # (count, *shape)
        signs = [sign for sign in signs if sign]
        solved = solve(scores[again], shift, _example_of(places))
        augmented = _replaced(augmented, again, solved[0])
        opposite = _replaced(opposite, again, solved[-1]) if margin else opposite
    width = on_parts((1 + margin) * step, event_dims)
    return Difference(prediction, augmented, difference.div_(width), step)


def _shift(step: Tensor, direction: Tensor, event_dims: int) -> Tensor:
    """``step * direction``, NaN where the step cannot be used: the space's own validation finds that without a wait."""
    usable = step + 0 * step.reciprocal()
    shift = on_parts(usable, event_dims) * direction
    return shift.add_(shift, alpha=0)  # infinity becomes NaN; a third of the operations of where(isfinite())


def _usable(step: Tensor) -> Tensor:
    """A step of 0, or so near it that a difference divided by it is infinite, would corrupt the gradient."""
    return step.isfinite() & step.reciprocal().isfinite()


def _solve(
    space: StructuredSpace, scores: Tensor, shift: Tensor, signs: list[float], example: Callable[[Index], Index]
) -> Tensor:
    """The structures for ``scores + sign * shift``: ``(*n, *shape) -> (signs, *n, *shape)``.

    ``example`` maps an index of the scores to that of the user's example.
    """
    stack = scores.new_empty(len(signs), *scores.shape)
    for signed, sign in zip(stack, signs, strict=True):
        torch.add(scores, shift, alpha=sign, out=signed) if sign else signed.copy_(scores)
    return space.argmax_of_stack(stack, lambda index: example(index[1:]))


def _example_of(places: list[list[int]]) -> Callable[[Index], Index]:
    """From an index of some samples' scores, taken out of the batch at these places, to that of the example."""
    return lambda index: tuple(places[index[0]][1:])


def _replaced(structures: Tensor, where: Tensor, new: Tensor) -> Tensor:
    """A copy with other structures in some places: the original may be saved for a backward pass."""
    copy = structures.clone()
    copy[where] = new
    return copy


def _explain(perturbed: Perturbed, direction: Tensor, step: Tensor) -> None:
    """Raises the ``ArgumentError`` that names what is not finite, in the order in which it came in."""
    validate_scores(perturbed.unperturbed)
    if perturbed.scale is not None:
        explain_scale(perturbed.scale)
    bad = ~direction.isfinite()
    if bad.any():
        found = Words(f"{int(bad.sum())} others of {bad.numel()} entries")
        instead = "it is the coefficients of the loss, or the gradient that reaches the layer"
        raise argument_error("direction", "finite entries", found, instead)
    dtype = str(step.dtype).removeprefix("torch.")
    if (perturbed.scores.isfinite() != perturbed.unperturbed.isfinite()).any():
        wanted = f"noise that the {dtype} scores can be added to"
        raise argument_error("scale", wanted, Words("an overflow"), "divide scores and scale by a common number")
    if not _usable(step).all():
        found = Words(f"{step.abs().min():g} to {step.abs().max():g} in size")
        wanted = f"a step that {dtype} holds, with its inverse"
        raise argument_error("epsilon", wanted, found, "write scores.double(), or another unit of the loss")
    found = Words(f"an overflow at {step.abs().max():g}")
    raise argument_error("epsilon", "a step after which scores are finite", found, "write a smaller one")
