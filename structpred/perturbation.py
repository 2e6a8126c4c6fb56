"""The perturbation: scores under noise whose size is a parameter.

    s = scores + spread(scale * noise)

(Cohen Indelman & Hazan 2021, Equation 14), one draw of the noise a sample.
"""

from __future__ import annotations

import math

import torch
from attrs import frozen
from torch import Tensor

from structpred._autocast import without_autocast
from structpred._scale import usable_scale
from structpred.noise import Noise
from structpred.spaces.base import StructuredSpace


@frozen(eq=False)
class Perturbed:
    """Scores before and under noise. ``samples`` is 1 without noise."""

    scores: Tensor
    """``(samples, *batch, *shape)``: s, differentiable in the scores and the scale."""
    unperturbed: Tensor
    """``(*batch, *shape)``: the scores without noise or gradient."""
    noise: Tensor | None
    """``(samples, *batch, *noise_shape)``: the draws before scaling; None without noise."""
    noise_std: Tensor | None
    """Broadcasts to ``(*batch)``: the standard deviation of an example's noise, in the units of the scores (the root
    mean square over its variables); None without noise."""
    scale: Tensor | float | None
    """What the draws were multiplied by; None without noise."""


def perturb(
    space: StructuredSpace,
    scores: Tensor,
    noise: Noise | None,
    scale: Tensor | float,
    num_samples: int = 1,
    generator: torch.Generator | None = None,
) -> Perturbed:
    """Adds ``num_samples`` draws of scaled noise to each example's scores.

    Args:
        space: says the shape of the noise, and how it is laid on the parts.
        scores: ``(*batch, *shape)``, float32 or float64.
        noise: None is no noise: one sample, the scores themselves.
        scale: a number or a tensor that ``structpred._scale.validate_scale`` returned. Where an entry is no size of
            noise (not positive, not finite), the scores become NaN, which the solver's own validation finds: to look
            at the entries here would make the host wait for the device once more.
        num_samples: draws an example.
        generator: draws the noise; on the scores' device.
    """
    if noise is None:
        return Perturbed(scores[None], scores.detach(), None, None, None)
    batch = scores.shape[: scores.ndim - len(space.shape)]
    draws = noise.sample(
        (num_samples, *batch, *space.noise_shape), dtype=scores.dtype, device=scores.device, generator=generator
    )
    std = math.sqrt(noise.variance)
    if isinstance(scale, Tensor):
        if scale.ndim and space.variables is not None:
            variables = space.variables.to(scale.device)
            scale = scale.where(variables, 1.0)  # whatever it is in the padding
        usable = usable_scale(scale)
        scaled = usable * draws
        noise_std = std * _root_mean_square(usable.detach(), space)
    else:
        scaled = draws if scale == 1 else scale * draws
        noise_std = scores.new_full((), std) * scale
    with without_autocast(scores.device):
        laid = space.spread(scaled)
    return Perturbed(scores + laid, scores.detach(), draws, noise_std, scale)


def _root_mean_square(scale: Tensor, space: StructuredSpace) -> Tensor:
    """Over each example's variables; a 0-dim scale is that of all."""
    if not scale.ndim:
        return scale
    square, noise_dims = scale.square(), len(space.noise_shape)
    if space.variables is None:
        return square.flatten(-noise_dims).mean(-1).sqrt()
    variables = space.variables.to(scale.device).flatten(-noise_dims)
    return (square.flatten(-noise_dims).where(variables, 0).sum(-1) / variables.sum(-1)).sqrt()
