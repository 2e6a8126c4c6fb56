"""What scores may be: finite numbers whose sums do not overflow, or -inf."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from structpred.errors import ArgumentError, Words, argument_error

_LARGEST = 1e300
_ENTRIES_AT_ONCE = 65_536


def validate_scores(scores: Tensor) -> tuple[float, float]:
    """Returns the lowest score and the largest size of a finite one; waits for the device once, or twice after -inf.

    Raises:
        ArgumentError: for NaN, ``+inf``, and numbers whose sums would overflow.
    """
    lowest, highest = torch.stack(torch.aminmax(scores)).tolist()  # NaN is carried along
    if math.isnan(highest) or highest == math.inf:
        raise _not_scores(scores)
    largest = max(highest, -lowest)
    if lowest == -math.inf:
        largest = max(highest, -_lowest_finite(scores))
    if largest > _LARGEST:
        wanted, instead = f"numbers up to {_LARGEST:g} in size", "their sums would overflow; divide them all"
        raise argument_error("scores", wanted, Words(f"{largest:g}"), instead)
    return lowest, largest


def _lowest_finite(scores: Tensor) -> float:
    """The lowest score with 0 in place of ``-inf``."""
    # On the CPU in pieces that fit its cache: a new tensor of the scores' size takes longer than all the arithmetic.
    pieces = scores.flatten().split(_ENTRIES_AT_ONCE) if scores.device.type == "cpu" else [scores]
    return float(torch.stack([piece.masked_fill(piece.isneginf(), 0).amin() for piece in pieces]).amin())


def _not_scores(scores: Tensor) -> ArgumentError:
    bad, came = scores.isnan(), "NaN"
    instead = "look for a division by zero or a diverging step before this call"
    if not bad.any():
        bad, came, instead = scores.isposinf(), "+inf", "only -inf has a meaning: it forbids a part"
    words = Words(f"{came} in {int(bad.sum())} of {scores.numel()} entries")
    return argument_error("scores", "finite numbers or -inf", words, instead)
