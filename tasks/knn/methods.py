"""What embeddings are trained on. Everything that differs between methods is here.

The direct loss takes distances and the loss of the training. The relaxations take squared distances, as NeuralSort's
authors do, and are charged for the weights of neighbours of another class.
"""

from __future__ import annotations

import torch
from torch import Tensor

import structpred as sp
from tasks.baselines import NeuralSort, RelaxSubSample
from tasks.common.settings import Scale
from tasks.knn.config import Growth, Loss, Method, Run
from tasks.knn.losses import linear_loss

TEMPERATURES = {Method.NEURAL_SORT: 16.0, Method.STOCHASTIC_NEURAL_SORT: 16.0, Method.RELAX_SUBSAMPLE: 1.0}
"""Of squared distances, where a training has none of its own."""


def objective(run: Run) -> sp.Objective:
    """What chooses k neighbours out of the candidates."""
    training, space = run.training, sp.KSubset(run.training.candidates, run.k)
    noise = None if run.scale is Scale.NONE else sp.Gumbel()
    if run.method is not Method.DIRECT:
        temperature = TEMPERATURES[run.method] if training.temperature is None else training.temperature
        kind = RelaxSubSample if run.method is Method.RELAX_SUBSAMPLE else NeuralSort
        return kind(space, temperature=temperature, noise=noise, num_samples=training.num_samples)
    epsilon: sp.Epsilon | None = None
    if training.epsilon is not None:
        epsilon = fixed = sp.FixedEpsilon(training.epsilon, margin=training.margin)
        if training.growth is not Growth.NONE:
            epsilon = sp.GrowUntilNonzero(
                fixed,
                factor=training.epsilon_factor,
                limit=training.epsilon_limit / training.epsilon,
                group_dims=1 if training.growth is Growth.QUERY else 0,
            )
    return sp.PerturbedDirectLoss(
        space,
        epsilon=epsilon,
        noise=noise,
        scale=sp.AdaptiveScale(training.initial_scale or 1.0) if run.scale is Scale.ADAPTIVE else 1.0,
        num_samples=training.num_samples,
    )


def supervised(run: Run, distances: Tensor, same_class: Tensor, itself: Tensor) -> tuple[Tensor, sp.LinearLoss]:
    """Scores of the candidates, and the loss of what is chosen by them.

    Args:
        run: what is trained.
        distances: ``(queries, candidates)``, in the embedding.
        same_class: ``(queries, candidates)``, whether the candidate has the query's class.
        itself: ``(queries, candidates)``, whether the candidate is the query, which is no neighbour of its own.
    """
    direct = run.method is Method.DIRECT
    scores = (-distances if direct else -distances.square()).masked_fill(itself, -torch.inf)
    return scores, linear_loss(run.training.loss if direct else Loss.MATCH, distances, same_class & ~itself, run.k)
