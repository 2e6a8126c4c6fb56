"""What networks are trained on. Everything that differs between methods is here."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

import structpred as sp
from tasks.planning.data import Instances, Rows
from tasks.planning.seeds import NoiseOfSeeds, Stream, generators

Objective = Callable[[Tensor, Rows], Tensor]
"""From scores ``(seeds, rows, parts)``, which are predicted costs with their signs turned, and the rows that they are
for, to a loss for each row: ``(seeds, rows)``. Nothing may join rows of different seeds."""


def squared_error(scores: Tensor, rows: Rows) -> Tensor:
    """Of the costs, whatever they are used for: the two-stage method."""
    return (scores + rows.costs).square().mean(-1)


def perturbed_direct_loss(
    instances: Instances,
    *,
    noise: sp.Noise | None = sp.Gumbel(),
    scale: float = 1.0,
    num_samples: int = 1,
    epsilon: float = -8.0,
) -> Objective:
    """The expected regret, by ``sp.PerturbedDirectLoss``, each seed with its own noise.

    Its noise goes on where it was: make a new one for each training.

    Args:
        instances: whose seeds and space they are.
        noise: of the costs; none if None.
        scale: sigma, in the unit of the costs.
        num_samples: draws a row.
        epsilon: the step, in units of the noise and of the seed's regret; see ``sp.RelativeToNoise``.
    """
    own_noise = None if noise is None else NoiseOfSeeds(noise, generators(instances.seeds, Stream.NOISE))
    objective = sp.PerturbedDirectLoss(
        instances.space,
        epsilon=sp.RelativeToNoise(epsilon, group_dims=1),
        noise=own_noise,
        scale=scale,
        num_samples=num_samples,
        reduction="none",
    )

    def loss(scores: Tensor, rows: Rows) -> Tensor:
        value: Tensor = objective(scores, sp.LinearLoss(rows.costs, -rows.optima))
        return value

    return loss
