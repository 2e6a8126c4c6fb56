"""The perturbed Fenchel-Young loss: the structure to learn should win under noise.

    loss = E[max_y <s, y> - <s, target>],    s = scores + spread(scale * noise)

(Berthet et al. 2020, "Learning with differentiable perturbed optimizers", Equation 8, less a term that depends on the
target alone.) Its gradient for the scores is E[y] - target. The noise on the target, whose mean is 0, makes every
draw's loss at least 0 and the gradient for the scale less noisy.
"""

from __future__ import annotations

from torch import Tensor

from structpred.noise import Gumbel, Noise
from structpred.objectives._potential import Potential
from structpred.objectives.base import Reduction
from structpred.spaces.base import StructuredSpace


class PerturbedFenchelYoungLoss(Potential):
    """Perturbed Fenchel-Young loss of a space's noisy argmax for a target structure.

    It learns from a structure, ``(*batch, *shape)``, or from the best one of a ``LinearLoss``, and looks at no other
    structure's loss. In each draw it is convex in scores and scale.

    Args:
        space, noise, scale, num_samples, reduction: as for every ``Objective``.

    >>> import torch
    >>> import structpred as sp
    >>> _ = torch.manual_seed(0)
    >>> space = sp.Matching(3)
    >>> scores = torch.zeros(1, 3, 3, requires_grad=True)
    >>> loss = sp.PerturbedFenchelYoungLoss(space, num_samples=1000)(scores, torch.eye(3)[None])
    >>> loss.backward()
    >>> scores.grad.mul(3).round()  # 3 (E[y] - target)
    tensor([[[-2.,  1.,  1.],
             [ 1., -2.,  1.],
             [ 1.,  1., -2.]]])
    """

    def __init__(
        self,
        space: StructuredSpace,
        *,
        noise: Noise | None = Gumbel(),
        scale: Tensor | float = 1.0,
        num_samples: int = 1,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(space, noise=noise, scale=scale, num_samples=num_samples, reduction=reduction)
