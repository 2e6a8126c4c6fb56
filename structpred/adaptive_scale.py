"""A sigma that follows its own gradient, at its own pace.

    d E / d log sigma = -<scores, dE / d scores>
    log sigma        -= rate * slope / sqrt(sum of the squares of all slopes so far)             (AdaGrad)

If the step is in units of the noise, a common factor of scores and sigma changes no structure. So the expected loss E,
averaged over the step, is homogeneous of degree 0 in the two, and by Euler's theorem the derivative for sigma follows
from that for the scores. It has the part that comes through the step, which the chain rule through the noise has not,
and less variance. A learned sigma is a learned gain on the scores: it moves their size against that of the noise, at a
pace that does not hang on the network's learning rate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from structpred._scale import explain_scale, validate_own_scale
from structpred._tensors import inner
from structpred._validation import validate_positive_number
from structpred.errors import Words, argument_error


class AdaptiveScale(nn.Module):
    """Sigma of a ``PerturbedDirectLoss``, which changes with every call in training mode.

    Its state is in buffers: no optimizer has to know it, and the objective's ``state_dict`` has it.

    Args:
        initial: sigma at the start: a positive number, or a tensor with the dimensions of ``(*batch, *noise_shape)``,
            those of the noise of size 1. ``(runs, 1, 1, 1)``, say, is a sigma of its own for each run of an ensemble.
        rate: what log sigma changes by in the first call; as slopes add up, it changes less and less.

    Raises:
        ArgumentError: for an initial or a rate that is not positive; in a call, for a sigma for each variable.

    >>> import structpred as sp
    >>> objective = sp.PerturbedDirectLoss(sp.Matching(3), scale=sp.AdaptiveScale())
    >>> scores = 100 * torch.eye(3)  # large, and wrong
    >>> loss = objective(scores, objective.space.hamming(torch.eye(3).roll(1, 0)))
    >>> round(objective.scale().item(), 3)  # noise helps, as the scores are wrong
    1.105
    """

    log_scale: Tensor
    log_squares: Tensor

    def __init__(self, initial: Tensor | float = 1.0, *, rate: float = 0.1) -> None:
        super().__init__()
        self.rate = validate_positive_number("rate", rate)
        start = torch.as_tensor(validate_own_scale(initial, "initial"), dtype=torch.get_default_dtype()).detach()
        explain_scale(start, "initial")
        self.register_buffer("log_scale", start.log())
        self.register_buffer("log_squares", torch.full_like(start, -torch.inf))

    def forward(self) -> Tensor:
        """Sigma."""
        return self.log_scale.exp()

    if TYPE_CHECKING:
        __call__ = forward  # torch's own returns Any

    @torch.no_grad()
    def update(self, scores: Tensor, gradient: Tensor, event_dims: int) -> None:
        """Takes a step down the slope, but not to where noise is lost in the rounding of the scores.

        Args:
            scores: ``(*batch, *shape)``, without noise.
            gradient: ``(samples, *batch, *shape)``, of the loss for them.
            event_dims: the number of dimensions of ``shape``.
        """
        scores = scores.masked_fill(scores.isneginf(), 0)
        along = inner(scores, gradient.mean(0), event_dims)  # (*batch)
        of_batch, of_noise = self.log_scale.shape[: along.ndim], self.log_scale.shape[along.ndim :]
        if of_noise.numel() != 1:
            found = Words(f"one of shape {tuple(self.log_scale.shape)}")
            raise argument_error("scale", "an AdaptiveScale without a sigma for each variable", found)
        slope = -along.sum_to_size(of_batch).reshape(self.log_scale.shape).to(self.log_scale.dtype)
        # Squares in logarithms: whatever the unit of the loss, they do not overflow.
        torch.logaddexp(self.log_squares, 2 * slope.abs().log(), out=self.log_squares)
        step = slope.sign() * (slope.abs().log() - self.log_squares / 2).exp()
        self.log_scale -= self.rate * step.where(slope != 0, 0.0)
        if scores.numel():
            least = torch.finfo(scores.dtype).eps * scores.abs().max()
            self.log_scale.clamp_(min=least.log().to(self.log_scale))

    def extra_repr(self) -> str:
        return f"rate={self.rate}"
