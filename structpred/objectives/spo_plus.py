"""SPO+: a convex bound on the regret of a decision that is made with predicted costs.

    loss = max_y [<c, y> - 2 <c_hat, y>] + 2 <c_hat, best> - <c, best>

with true costs c, predicted costs c_hat = -scores, and best the structure of least true cost (Elmachtoub & Grigas 2022,
"Smart 'predict, then optimize'", Definition 4). Its gradient for the scores is 2 (y - best), with y the maximizer. It
is the structured hinge of twice the scores, with the regret as margin.
"""

from __future__ import annotations

from typing import ClassVar

from structpred.objectives._potential import Potential


class SPOPlusLoss(Potential):
    """SPO+ loss for scores that are predicted costs with the sign turned.

    It learns from ``space.regret(costs)``. The scores should come near the costs' own size: divide costs by their mean
    size, for a network whose outputs start near 1.

    Args:
        noise: none unless given.
        space, scale, num_samples, reduction: as for every ``Objective``.

    >>> import torch
    >>> import structpred as sp
    >>> space = sp.OneHot(3)
    >>> costs = torch.tensor([[3.0, 1.0, 2.0]])
    >>> loss = sp.SPOPlusLoss(space)
    >>> loss(-costs, space.regret(costs))
    tensor(0.)
    >>> loss(costs, space.regret(costs))  # the wrong sign
    tensor(6.)
    """

    factor: ClassVar[float] = 2.0
    margin: ClassVar[bool] = True
