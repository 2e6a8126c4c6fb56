"""Random numbers as a function of a run's seed, so that a run can go on anywhere, and none shifts another's."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import torch


def seed_for(seed: int, stream: int, number: int = 0) -> int:
    """The seed of a stream's ``number``-th generator; near seeds lead to unrelated ones.

    Args:
        seed: the run's.
        stream: what the random numbers are for, from an ``enum.IntEnum`` of the task.
        number: of the step or the pass, where each has numbers of its own.
    """
    (drawn,) = np.random.SeedSequence([seed, stream, number]).generate_state(1, np.uint64)
    return int(drawn >> np.uint64(1))  # torch takes seeds below 2^63


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Weights from a seed, whatever was drawn before; torch's own generator stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
