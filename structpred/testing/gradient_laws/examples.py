"""Examples for calls in circumstances: exact in every dtype, and without near ties.

Scores, noise, coefficients and what reaches a layer's structures are multiples of 1/16, or of 2^-12 for float32 and
2^-30 for float64: sums of a few of them are exact, as none is above 16 in half precision. An example and a draw of
noise are taken only if each maximum that is solved for stands where all scores move a little up or down, one way and
the other way.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from attrs import frozen
from torch import Tensor

from structpred.layers.identity import Projection
from structpred.testing.gradient_laws.circumstances import Circumstance, Scale, Scores
from structpred.testing.gradient_laws.circumstances import Loss as LossKind
from structpred.testing.gradient_laws.subject import Subject
from structpred.testing.oracles import can_list, structures_of

_EXAMPLES = 16
_DRAWS = 10
_OUTLYING = 8  # times as large are the numbers of one draw
_FEW = 3  # of all draws for all examples
_SHORT = 20_000  # entries of the list of all structures
_STEPS = {torch.float64: 2.0**-30, torch.float32: 2.0**-12}
HALF = (torch.float16, torch.bfloat16)
_SHARED = (LossKind.BROADCAST, LossKind.WITHOUT_BATCH)


@frozen(eq=False)
class Examples:
    """One batch, flattened: ``n`` examples under ``samples`` draws, float64."""

    scores: Tensor
    """``(n, *shape)``"""
    noise: Tensor
    """``(samples, n, *noise_shape)``"""
    scale: Tensor
    """``(n, *noise_shape)``, in the shape that the circumstance has it but for expanding."""
    coefficients: Tensor
    """``(n, *shape)``, of the loss, or what reaches the structures."""
    best: Tensor
    """``(n, *shape)``, of least loss, without forbidden parts."""
    unit: float
    """What scores, scale and coefficients have been multiplied by."""


def examples(
    subject: Subject,
    it: Circumstance,
    seed: int,
    maxima: Callable[[Tensor, Tensor, Tensor], list[Tensor]],
    *,
    outlying: bool,
) -> Examples | None:
    """A batch for a circumstance, or None where no example is free of ties.

    ``maxima`` of perturbed scores, coefficients and plain scores are the scores that are solved for. With ``outlying``,
    one draw has large numbers: not where its density counts, which has no digits left there.
    """
    space, generator = subject.space, torch.Generator().manual_seed(seed)
    step = _STEPS.get(it.dtype, 1 / 16)
    noisy = subject.noise is not None and not it.evaluates(subject.module)

    def lattice(shape: tuple[int, ...], most: float) -> Tensor:
        low, high = -round(most / step), round(most / step)
        return torch.randint(low, high + 1, shape, generator=generator).double() * step

    half = it.dtype in HALF
    scores = _scores(subject, it, lattice((_EXAMPLES, *space.shape), 2.0 if half else 3.0), generator)
    noise = lattice((_DRAWS, _EXAMPLES, *space.noise_shape), 2.0) * noisy
    if outlying and not half:
        noise[-1] *= _OUTLYING
    noise = noise / 2 if half else noise  # its products with a scale of 2^k are multiples of 1/16 too
    noise = (noise / step).round() * step
    scale = _scale(it, _EXAMPLES, space.noise_shape, generator)
    coefficients = lattice((_EXAMPLES, *space.shape), 1.0 if half else 2.0)
    if it.scores is Scores.FINE:
        noise = (noise / 2).round()
        coefficients = (coefficients / 2).round() + lattice(coefficients.shape, 2 * step)  # few have one best structure
    if subject.has_a_step and abs(it.epsilon) < 0.1:  # so that the step reaches other structures
        coefficients = coefficients / abs(it.epsilon)
    if it.loss in _SHARED or (it.loss is LossKind.ALONG_THE_SECOND and len(it.batch) < 2):
        coefficients = coefficients[:1].expand_as(coefficients)
    perturbed = scores + space.spread(scale * noise)  # (draws, examples, *shape)
    settled = torch.ones(_DRAWS, _EXAMPLES, dtype=torch.bool)
    costs = -coefficients.masked_fill(scores.isneginf(), torch.inf)
    for given in [*maxima(perturbed, coefficients, scores), costs]:
        settled &= _stands(subject, given, step / (8 * math.prod(space.shape)), generator)
    if it.rows <= _FEW:  # else a step that changes nothing hides what is wrong
        answers = [space.argmax(given) for given in maxima(perturbed, coefficients, scores)]
        moved = sum((y != answers[0]).flatten(2).any(2) for y in answers) > 0
        settled = settled & moved if (settled & moved).any() else settled
    usable = settled.any(0).nonzero().flatten()
    if not len(usable):
        return None
    rows = usable[torch.randint(len(usable), (it.examples,), generator=generator)]
    if len(it.batch) > 1 and (it.loss is LossKind.ALONG_THE_SECOND or it.scale is Scale.ALONG_THE_SECOND):
        rows = rows.reshape(*it.batch[:2], -1)[:1, :, :1].expand(*it.batch[:2], math.prod(it.batch[2:])).flatten()
    if it.batch and (it.scale is Scale.ALONG_THE_FIRST or it.loss is LossKind.ALONG_THE_FIRST):
        rows = rows.reshape(it.batch[0], -1)[:, :1].expand(it.batch[0], math.prod(it.batch[1:])).flatten()
    counts = settled.sum(0)
    order = settled.int().argsort(dim=0, descending=True, stable=True)  # those that are settled come first
    random = torch.rand(it.samples, it.examples, generator=generator)
    draws = order[(random * counts[rows]).long(), rows]  # (samples, n)
    best = space.argmax(costs)
    # A projection takes the unit of the scores away, and leaves that of the noise.
    unit = it.unit if getattr(subject.module, "projection", Projection.NONE) is Projection.NONE else 1.0
    return Examples(
        unit * scores[rows], noise[draws, rows], unit * scale[rows], unit * coefficients[rows], best[rows], unit
    )


def _scores(subject: Subject, it: Circumstance, scores: Tensor, generator: torch.Generator) -> Tensor:
    dims = len(subject.space.shape)
    each = (_EXAMPLES, *(1,) * dims)
    far = 4.0 if it.dtype in HALF else 512.0
    lowest = 2.0**40 if it.dtype is torch.float64 else far
    signs = torch.randint(0, 2, each, generator=generator).double() * 2 - 1
    if it.scores is Scores.SAME:
        return scores[:1].expand_as(scores).clone()
    if it.scores is Scores.EQUAL:
        return scores.flatten(1)[:, 0].reshape(each).expand_as(scores).clone()
    if it.scores is Scores.FINE:
        hairs = torch.randint(-2, 3, scores.shape, generator=generator).double()
        return 1 + (scores > 0) + _STEPS.get(it.dtype, 1 / 16) * hairs
    if it.scores is Scores.LARGE:
        return scores / 2 + far * signs if it.dtype not in HALF else (scores * 8).round() / 16 + far * signs
    if it.scores is Scores.ONE_LARGE:
        part = torch.randint(scores[0].numel(), (_EXAMPLES, 1), generator=generator)
        return (
            scores.flatten(1).scatter_add(1, part, torch.full((_EXAMPLES, 1), -lowest).double()).reshape(scores.shape)
        )
    if it.scores in (Scores.ONE_FORBIDDEN, Scores.SOME_FORBIDDEN, Scores.MANY_FORBIDDEN):
        kept = subject.space.argmax(torch.randn(scores.shape, generator=generator, dtype=torch.float64)) != 0
        order = torch.rand(scores.shape, generator=generator).masked_fill(kept, 2.0).flatten(1)
        spared = (order < 1).sum(1, keepdim=True)
        most = torch.ones_like(spared) if it.scores is Scores.ONE_FORBIDDEN else (spared - 1).clamp(min=1)
        if it.scores is Scores.SOME_FORBIDDEN:
            most = (torch.rand(most.shape, generator=generator) * (most + 1)).long()
        forbidden = (order.argsort(1).argsort(1) < most) & (order < 1)
        return scores.masked_fill(forbidden.reshape(scores.shape), -math.inf)
    return scores


def _scale(it: Circumstance, count: int, noise_shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Powers of 2, ``(count, *noise_shape)``, that differ where the circumstance's can."""
    shape = {
        Scale.PER_EXAMPLE: (count, *(1,) * len(noise_shape)),
        Scale.DOUBLE: (count, *(1,) * len(noise_shape)),
        Scale.ALONG_THE_FIRST: (count, *(1,) * len(noise_shape)),
        Scale.ALONG_THE_SECOND: (count, *(1,) * len(noise_shape)),
        Scale.PER_VARIABLE: (count, *noise_shape),
        Scale.SHARED: (1, *noise_shape),
    }.get(it.scale, (1,) * (1 + len(noise_shape)))
    exponents = torch.randint(-1, 2, shape, generator=generator)
    if math.prod(shape) == 1:
        exponents = torch.tensor(-1 if it.examples % 2 else 1).expand(shape)  # never 1, the default
    return (2.0 ** exponents.double()).expand(count, *noise_shape)


def _stands(subject: Subject, scores: Tensor, size: float, generator: torch.Generator) -> Tensor:
    """Where the answer stays when each score moves by up to ``size``: ``(*batch, *shape) -> (*batch)``.

    The second best structure of a short list says so, and spares a slow solver. Without one scores are moved both
    ways: of two structures that are as good, one wins on each side.
    """
    space, dims = subject.space, len(subject.space.shape)
    if can_list(space) and structures_of(space).numel() <= _SHORT:
        listed, forbidden = structures_of(space).double().flatten(1), scores.isneginf().flatten(-dims)
        values = scores.flatten(-dims).masked_fill(forbidden, 0) @ listed.mT  # (*batch, structures)
        values = values.masked_fill(forbidden.double() @ listed.mT > 0, -math.inf)
        best, *second = values.topk(min(2, len(listed)), -1).values.unbind(-1)
        settled = best.isfinite()
        return settled & (best - second[0] > 2 * size * listed.shape[1]) if second else settled
    move = size * torch.rand(scores.shape, generator=generator, dtype=torch.float64)
    one, other = space.argmax(torch.stack([scores + move, scores - move]))
    stands: Tensor = (one == other).flatten(-dims).all(-1)
    return stands
