"""The structured hinge: the structure to learn should outscore every other by that one's loss.

    loss = max_y [<scores, y> + l(y)] - <scores, target> - l(target)

(Taskar et al. 2003; Tsochantaridis et al. 2005, "Large margin methods for structured and interdependent output
variables", with the margin rescaled.) Its gradient is y - target, where y maximizes the scores with the loss added.
It bounds l(argmax_y <scores, y>) - l(target) from above.
"""

from __future__ import annotations

from typing import ClassVar

from structpred.objectives._potential import Potential


class StructuredHingeLoss(Potential):
    """Structured hinge loss, with its margin from a ``LinearLoss``.

    The target is the best structure of the loss, which ``space.hamming(target)`` and ``space.regret(costs)`` know. The
    margin is in units of the loss: multiply the loss, not the scores, to make it larger.

    Args:
        noise: none unless given.
        space, scale, num_samples, reduction: as for every ``Objective``.

    >>> import torch
    >>> import structpred as sp
    >>> space = sp.OneHot(3)
    >>> scores = torch.tensor([[1.0, 0.0, -5.0]], requires_grad=True)
    >>> loss = sp.StructuredHingeLoss(space)(scores, space.hamming(torch.tensor([[1, 0, 0]])))
    >>> loss.backward()
    >>> loss.item(), scores.grad  # the target wins by 1, and should by a Hamming distance of 2
    (1.0, tensor([[-1.,  1.,  0.]]))
    """

    margin: ClassVar[bool] = True
