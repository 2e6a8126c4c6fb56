"""What the chosen neighbours are charged: two readings of the paper's loss, and this project's own.

The paper's loss is ``-sum_i |x_i - x_q| y_i yhat_i``. It does not say what ``y`` marks, nor in which space the
distance is measured. Here ``y_i`` is 1 where candidate i has the query's class, and the distance is that of the
embedding, held constant (``DISTANCE``), or left out (``MATCH``). With epsilon < 0 the augmented neighbours are then
those that would be nearest if each candidate of the query's class were nearer by ``|epsilon|`` times its weight: the
same share of its distance under ``DISTANCE``, the same length for all under ``MATCH``. ``SCALED_MATCH`` measures that
length in the mean distance of the step, so that it fits an embedding of any size.
"""

from __future__ import annotations

import torch
from torch import Tensor

import structpred as sp
from tasks.knn.config import Loss


def linear_loss(loss: Loss, distances: Tensor, same_class: Tensor, k: int) -> sp.LinearLoss:
    """The loss of each query's neighbours.

    Args:
        loss: which one.
        distances: ``(queries, candidates)``, in the embedding.
        same_class: ``(queries, candidates)``, whether the candidate has the query's class.
        k: how many neighbours are chosen.
    """
    distances = distances.detach()
    match loss:
        case Loss.MATCH:
            weights = torch.ones((), dtype=distances.dtype, device=distances.device)
        case Loss.DISTANCE:
            weights = distances
        case Loss.SCALED_MATCH:
            weights = distances.mean()
    coefficients = same_class * -weights
    # Less what the best k candidates are charged, so that epsilon can grow for as long as there is something to gain.
    return sp.KSubset(coefficients.shape[-1], k).regret(coefficients)
