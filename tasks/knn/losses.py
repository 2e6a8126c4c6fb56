"""What the chosen neighbours are charged: two readings of the paper's loss, and this project's own.

The paper's loss is ``-sum_i |x_i - x_q| y_i yhat_i``. It does not say what ``y`` marks, nor in which space the
distance is measured. Here ``y_i`` is 1 where candidate i has the query's class, and the distance, where there
is one, is that of the embedding, held constant.
"""

from __future__ import annotations

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
    match loss:
        case Loss.MATCH:
            coefficients = -same_class.to(distances.dtype)
        case Loss.DISTANCE:
            coefficients = -distances.detach() * same_class
    # Less what the best k candidates are charged, so that epsilon can grow for as long as there is something to gain.
    best = sp.KSubset(coefficients.shape[-1], k).argmax(-coefficients)
    return sp.LinearLoss.regret(coefficients, best)
