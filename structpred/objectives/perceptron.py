"""The structured perceptron: the structure to learn should score highest.

    loss = max_y <scores, y> - <scores, target>

(Collins 2002, "Discriminative training methods for hidden Markov models", as a loss.) Its gradient is y - target.
"""

from __future__ import annotations

from structpred.objectives._potential import Potential


class StructuredPerceptronLoss(Potential):
    """By how much the best structure outscores the target.

    It learns from a structure, ``(*batch, *shape)``, or from the best one of a ``LinearLoss``. Scores that are all
    equal have loss 0, so take averaged weights, or a loss with a margin (``StructuredHingeLoss``). Under noise it is
    ``PerturbedFenchelYoungLoss``.

    Args:
        noise: none unless given.
        space, scale, num_samples, reduction: as for every ``Objective``.

    >>> import torch
    >>> import structpred as sp
    >>> scores = torch.tensor([[1.0, 3.0, 0.0]], requires_grad=True)
    >>> loss = sp.StructuredPerceptronLoss(sp.OneHot(3))(scores, torch.tensor([[1, 0, 0]]))
    >>> loss.backward()
    >>> loss.item(), scores.grad
    (2.0, tensor([[-1.,  1.,  0.]]))
    """
