"""Many repetitions as one batch: data, networks and noise of each come from its own seed.

A repetition's randomness does not depend on which others share its batch, so that a batch returns what
single runs with the same seeds return, but for rounding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from attrs import frozen
from torch import Tensor, nn

import structpred as sp
from tasks.common.weights import inverse_softplus

_HIDDEN = 32


@frozen(eq=False)
class Randomness:
    """Independent generators of one repetition, all made from its seed."""

    data: torch.Generator
    scores: torch.Generator
    scale: torch.Generator
    noise: torch.Generator

    @classmethod
    def of(cls, seed: int) -> Randomness:
        states = np.random.SeedSequence(seed).generate_state(4, np.uint64)
        # A torch seed is a signed 64-bit number.
        return cls(*(torch.Generator().manual_seed(int(state >> np.uint64(1))) for state in states))


def draw_sequences(generator: torch.Generator, sequences: int, length: int) -> tuple[Tensor, Tensor]:
    """Training sequences (sequences, length) and a test sequence (1, length) from U[0, 1]."""
    drawn = torch.rand(sequences + 1, length, generator=generator)
    return drawn[:-1], drawn[-1:]


class _StackedLinear(nn.Module):
    """One linear layer a repetition, each initialised as ``nn.Linear`` is: (r, n, inputs) -> (r, n, outputs)."""

    def __init__(self, inputs: int, outputs: int, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        bound = 1 / math.sqrt(inputs)
        drawn = [torch.rand(inputs + 1, outputs, generator=g).mul_(2 * bound).sub_(bound) for g in generators]
        stacked = torch.stack(drawn)  # (r, inputs + 1, outputs)
        self.weight = nn.Parameter(stacked[:, :-1].clone())
        self.bias = nn.Parameter(stacked[:, -1:].clone())

    def forward(self, x: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, x, self.weight)


class ScoreNetworks(nn.Module):
    """Scores each number of a sequence for each position, by itself: (r, n, d) -> (r, n, d, d)."""

    def __init__(self, length: int, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _StackedLinear(1, _HIDDEN, generators), nn.ReLU(), _StackedLinear(_HIDDEN, length, generators)
        )

    def forward(self, x: Tensor) -> Tensor:
        rows: Tensor = self.layers(x.flatten(1)[..., None])  # (r, n * d, d)
        return rows.reshape(*x.shape, -1)


class ScaleNetworks(nn.Module):
    """Sigma of each sequence: (r, n, d) -> (r, n, 1, 1), positive."""

    def __init__(self, length: int, initial: float | None, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        self.linear = _StackedLinear(length, 1, generators)
        if initial is not None:
            nn.init.zeros_(self.linear.weight)
            nn.init.constant_(self.linear.bias, inverse_softplus(initial))

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.softplus(self.linear(x))[..., None]


@frozen(eq=False)
class NoiseOfRuns(sp.Noise):
    """Noise for draws of shape (num_samples, r, ...), in which each run draws from its own generator.

    ``factor`` is what the draws are multiplied by.
    """

    noise: sp.Noise
    generators: Sequence[torch.Generator]
    factor: float = 1.0

    def _fill(self, draws: Tensor, generator: torch.Generator | None) -> Tensor:
        per_run = draws.shape[:1] + draws.shape[2:]
        drawn = [self.noise.sample(per_run, dtype=draws.dtype, generator=g) for g in self.generators]
        torch.stack(drawn, dim=1, out=draws)
        return draws if self.factor == 1 else draws.mul_(self.factor)

    @property
    def variance(self) -> float:
        return self.factor**2 * self.noise.variance


def gumbel_of_runs(variance: float | None, generators: Sequence[torch.Generator]) -> NoiseOfRuns:
    """Gumbel noise of this variance; of its own if None."""
    noise = sp.Gumbel()
    factor = 1.0 if variance is None else math.sqrt(variance / noise.variance)
    return NoiseOfRuns(noise, generators, factor)
