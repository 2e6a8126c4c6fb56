"""Many data seeds trained as one batch, each with random numbers of its own, so that none depends on the others."""

from __future__ import annotations

import enum
from collections.abc import Sequence

import torch
from attrs import frozen
from torch import Tensor

import structpred as sp
from tasks.common.seeds import seed_for


class Stream(enum.IntEnum):
    """What random numbers are for. The data's come from the seed itself, by numpy's ``RandomState``."""

    WEIGHTS = 0
    ORDER = 1
    NOISE = 2


def generators(seeds: Sequence[int], stream: Stream) -> list[torch.Generator]:
    """A generator for each seed; near seeds and other streams lead to unrelated ones."""
    return [torch.Generator().manual_seed(seed_for(seed, stream)) for seed in seeds]


@frozen(eq=False)
class NoiseOfSeeds(sp.Noise):
    """Noise for draws of shape ``(samples, seeds, ...)``, in which each seed draws from its own generator."""

    noise: sp.Noise
    generators: Sequence[torch.Generator]

    def _fill(self, draws: Tensor, generator: torch.Generator | None) -> Tensor:
        of_one_seed = draws.shape[:1] + draws.shape[2:]
        drawn = [self.noise.sample(of_one_seed, dtype=draws.dtype, generator=own) for own in self.generators]
        return torch.stack(drawn, dim=1, out=draws)

    @property
    def variance(self) -> float:
        return self.noise.variance

    def log_prob(self, value: Tensor) -> Tensor:
        return self.noise.log_prob(value)
