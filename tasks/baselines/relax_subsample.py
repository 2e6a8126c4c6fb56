"""RelaxSubSample: the k largest, as the sum of k softmaxes, each of which leaves to the next what it did not take.

    w_i = softmax(s_i / temperature),   s_(i+1) = s_i + log(1 - w_i),   y = w_1 + ... + w_k

from noisy scores s_1, whose k largest are a sample without replacement (Xie & Ermon 2019, "Reparameterizable subset
sampling via continuous relaxations", Algorithm 1).
"""

from __future__ import annotations

import torch
from torch import Tensor

from tasks.baselines.relaxation import Relaxation, one_k


class RelaxSubSample(Relaxation):
    """The loss of a soft k-subset, whose weights sum to k.

    Args:
        space: the k-subsets.
        temperature, noise, scale, num_samples, reduction: as for every ``Relaxation``.

    >>> import structpred as sp
    >>> space = sp.KSubset(4, 2)
    >>> RelaxSubSample(space, temperature=0.1).relax(torch.tensor([1.0, 4.0, 2.0, 8.0])).round(decimals=2)
    tensor([0., 1., 0., 1.])
    """

    def relax(self, scores: Tensor) -> Tensor:
        k: int = self.space.k  # type: ignore[attr-defined]
        total = torch.zeros_like(scores)
        for last in (False,) * (k - 1) + (True,):
            logarithm = (scores / self.temperature).log_softmax(-1)
            total = total + logarithm.exp()
            if not last:
                scores = scores + _log_rest(logarithm)
        return total


def _log_rest(logarithm: Tensor) -> Tensor:
    """``log(1 - w)`` from ``log(w)``; for the largest weight, which may round to 1, as the sum of all others."""
    first = logarithm.argmax(-1, keepdim=True)
    others = logarithm.scatter(-1, first, -torch.inf).logsumexp(-1, keepdim=True)
    return logarithm.exp().scatter(-1, first, 0.0).neg().log1p().scatter(-1, first, others)


RelaxSubSample.converters = Relaxation.converters | {"space": one_k}
