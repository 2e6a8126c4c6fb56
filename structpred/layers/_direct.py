"""Structures whose backward pass solves again: the direct difference along dL/dy."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from structpred.difference import direct_difference
from structpred.epsilon import Epsilon, RelativeToNoise, as_policy
from structpred.layers.base import Layer
from structpred.noise import Noise
from structpred.perturbation import Perturbed
from structpred.spaces.base import StructuredSpace


class DirectLayer(Layer):
    """A layer with a step; ``Blackbox`` and ``ImplicitMLE`` differ in their noise."""

    converters: ClassVar = Layer.converters | {"epsilon": as_policy}

    epsilon: Epsilon

    def __init__(
        self,
        space: StructuredSpace,
        *,
        epsilon: Epsilon | float = RelativeToNoise(-8.0, margin=0.0),
        noise: Noise | None = None,
        scale: Tensor | float = 1.0,
        num_samples: int | None = None,
    ) -> None:
        super().__init__(space, noise=noise, scale=scale, num_samples=num_samples)
        self.epsilon = as_policy(epsilon)

    def _structures(self, scores: Tensor, perturbed: Perturbed) -> Tensor:
        y: Tensor = _Structures.apply(perturbed.scores, perturbed, self)
        return y


class _Structures(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, scores: Tensor, perturbed: Perturbed, layer: DirectLayer) -> Tensor:
        y = layer.space.argmax(scores)
        ctx.save_for_backward(scores, y)
        # Without its scores, which have been saved, and whose graph would be kept alive.
        ctx.perturbed = attrs.evolve(perturbed, scores=scores.new_empty(0))
        ctx.layer = layer
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None]:
        scores, y = ctx.saved_tensors
        layer: DirectLayer = ctx.layer
        found = direct_difference(
            layer.space,
            attrs.evolve(ctx.perturbed, scores=scores),
            upstream[0] if layer.num_samples is None else upstream,
            layer.epsilon,
            prediction=y,
        )
        return found.gradient, None, None
