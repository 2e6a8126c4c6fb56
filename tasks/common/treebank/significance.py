"""Whether one of two systems is better on the same sentences: the paired bootstrap (Koehn 2004)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_RESAMPLES = 10_000
_AT_ONCE = 500


def chance_of_worse(ours: Sequence[float], theirs: Sequence[float], seed: int = 0) -> float:
    """The fraction of resampled test sets on which ``ours`` is not better than ``theirs``.

    Args:
        ours: of each sentence, how much is right in it.
        theirs: the same of the other system, in the same order.
        seed: of the resampling.

    Raises:
        ValueError: if they are not of the same sentences, or of none.
    """
    if len(ours) != len(theirs) or not ours:
        raise ValueError(f"expected as many sentences for both, at least one, got {len(ours)} and {len(theirs)}")
    gain = np.asarray(ours, dtype=np.float64) - np.asarray(theirs, dtype=np.float64)
    generator, worse = np.random.default_rng(seed), 0
    for _ in range(_RESAMPLES // _AT_ONCE):
        drawn = generator.integers(len(gain), size=(_AT_ONCE, len(gain)))
        worse += int((gain[drawn].sum(1) <= 0).sum())
    return worse / _RESAMPLES
