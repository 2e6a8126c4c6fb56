"""Weights at the start of a training, and those that are used after it."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def inverse_softplus(value: float) -> float:
    """What Softplus takes to ``value``, which is positive; a bias from which a learned sigma starts there."""
    return value + math.log(-math.expm1(-value))


class AveragedFrom(AveragedModel):
    """The mean of a network's weights over the epochs from ``start`` on, counted from 0.

    Until then the latest weights, so that a training that stops early has some. Call ``update_parameters`` once an
    epoch.
    """

    def __init__(self, network: nn.Module, start: int) -> None:
        super().__init__(network)
        self.until_start: Tensor
        self.register_buffer("until_start", torch.tensor(start))  # so that a checkpoint has it

    def update_parameters(self, model: nn.Module) -> None:
        if self.until_start >= 0:
            self.n_averaged.zero_()  # what follows is a copy
            self.until_start -= 1
        super().update_parameters(model)
