"""Networks of many seeds at once, from the features of an instance to the costs of its parts."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class StackedLinear(nn.Module):
    """One ``nn.Linear`` a seed, initialised as such from its own generator.

    ``(seeds, rows, inputs) -> (seeds, rows, outputs)``
    """

    def __init__(self, inputs: int, outputs: int, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        bound = 1 / math.sqrt(inputs)
        weight = torch.empty(len(generators), outputs, inputs)
        bias = torch.empty(len(generators), 1, outputs)
        for seed, generator in enumerate(generators):
            weight[seed].uniform_(-bound, bound, generator=generator)
            bias[seed].uniform_(-bound, bound, generator=generator)
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(bias)

    def forward(self, x: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, x, self.weight.mT)


def cost_networks(
    features: int, parts: int, hidden: Sequence[int], generators: Sequence[torch.Generator]
) -> nn.Sequential:
    """A network for each generator: ``(seeds, rows, features) -> (seeds, rows, parts)``.

    Args:
        features: of an instance.
        parts: that each have a cost.
        hidden: the widths of hidden layers, with ReLU after each; without any, the network is linear.
        generators: one a seed.
    """
    layers: list[nn.Module] = []
    inputs = features
    for width in hidden:
        layers += [StackedLinear(inputs, width, generators), nn.ReLU()]
        inputs = width
    return nn.Sequential(*layers, StackedLinear(inputs, parts, generators))
