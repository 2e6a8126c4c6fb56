"""The blackbox layer: a solver whose backward pass solves once more, a step along dL/dy further.

    y        = argmax_y <s, y>
    dL/ds   := (y(eps) - y) / eps,    y(eps) = argmax_y <s + eps * dL/dy, y>

(Vlastelica et al. 2020, "Differentiation of blackbox combinatorial solvers", Algorithm 1, with lambda = -eps.)
"""

from __future__ import annotations

from structpred.layers._direct import DirectLayer


class Blackbox(DirectLayer):
    """A space's argmax, differentiable for any loss of the structure, at one solve more a backward pass.

    Args:
        epsilon: the signed step, a number (minus the lambda of the paper) or a policy. The default measures it in units
            of dL/dy and of the noise; without noise, of the spread of the scores.
        noise: none unless given; noise makes the gradient that of an expectation.
        space, scale, num_samples: as for every ``Layer``.

    Raises:
        ArgumentError: for an epsilon of 0, or a space or noise that is none.

    >>> import torch
    >>> import structpred as sp
    >>> layer = sp.Blackbox(sp.KSubset(4, 2))
    >>> scores = torch.tensor([[3.0, 2.0, 1.0, 0.0]], requires_grad=True)
    >>> y = layer(scores)
    >>> y.detach()
    tensor([[1., 1., 0., 0.]])
    >>> ((y @ torch.tensor([1.0, 2.0, 3.0, 4.0])) - 7).square().sum().backward()  # parts 2 and 3 would make it 0
    >>> scores.grad.sign()
    tensor([[ 1.,  1., -1., -1.]])
    """
