"""The adaptive step: it grows and shrinks until gradients have a wanted number of entries other than 0.

    epsilon = -alpha |scores| / |direction|
    alpha  += rate if the gradients have fewer such entries, else -rate

(Minervini, Franceschi & Niepert 2023, "Adaptive perturbation-based gradient estimation for discrete latent variable
models", Algorithm 1). The norms are over the whole batch, and so is the running mean of the number of entries.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from structpred._validation import validate_finite_number, validate_positive_number
from structpred.epsilon import Epsilon, Loss
from structpred.errors import argument_error


class AdaptiveEpsilon(nn.Module, Epsilon):
    """A step whose factor alpha is a buffer, which changes with every call in training mode.

    Args:
        initial: alpha at the start.
        target: the number of entries other than 0 that the gradient of one draw should have, in the mean.
        rate: what alpha changes by, and the least that it can be.
        decay: of the running mean of that number, in [0, 1).

    Raises:
        ArgumentError: for numbers that are not positive, and a decay outside of [0, 1).
    """

    alpha: Tensor
    count: Tensor

    def __init__(self, *, initial: float = 1.0, target: float = 1.0, rate: float = 1e-3, decay: float = 0.9) -> None:
        super().__init__()
        self.target = validate_positive_number("target", target)
        self.rate = validate_positive_number("rate", rate)
        if not 0 <= validate_finite_number("decay", decay) < 1:
            raise argument_error("decay", "a number in [0, 1)", decay)
        self.decay = decay
        self._event_dims = 1
        self.register_buffer("alpha", torch.tensor(validate_positive_number("initial", initial)))
        self.register_buffer("count", torch.tensor(self.target))

    def start(self, scores: Tensor, direction: Tensor, noise_std: Tensor | None, event_dims: int) -> Tensor:
        self._event_dims = event_dims
        forbidden = scores.isneginf()
        size = scores.masked_fill(forbidden, 0).norm()
        steepness = direction.masked_fill(forbidden, 0).norm()
        ratio = size.where(size > 0, 1.0) / steepness.where(steepness > 0, 1.0)
        batch = direction.shape[: direction.ndim - event_dims]
        epsilon: Tensor = -self.alpha * ratio
        return epsilon.to(scores.dtype).expand(batch)

    def grow(self, epsilon: Tensor, start: Tensor, difference: Tensor, loss: Loss | None) -> None:
        if not (self.training and difference.numel()):
            return
        draws = difference.shape[: difference.ndim - self._event_dims].numel()
        count = difference.count_nonzero() / draws
        self.count.lerp_(count.to(self.count.dtype), 1 - self.decay)
        self.alpha.add_(torch.where(self.count < self.target, self.rate, -self.rate)).clamp_(min=self.rate)

    def extra_repr(self) -> str:
        return f"target={self.target}, rate={self.rate}, decay={self.decay}"
