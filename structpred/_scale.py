"""The noise scale sigma: a positive number, or a positive tensor from a parameter or a network."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from structpred._validation import validate_finite_number, validate_floating, validate_same_device
from structpred.errors import Words, argument_error


def validate_scale(
    scale: Tensor | float, batch: tuple[int, ...], noise_shape: tuple[int, ...], scores: Tensor
) -> Tensor | float:
    """Returns the scale as a number, or as a tensor in the scores' dtype that broadcasts against the noise.

    Args:
        scale: a positive number; a positive tensor of one element, of any shape; or a positive tensor with as many
            dimensions as ``(*batch, *noise_shape)``, each of that size or 1: ``(*batch, 1, ..)`` is one scale per
            example, the full shape one per variable. Fewer dimensions are refused, because they would
            line up with the variables where the batch happens to have the same size.

    Raises:
        ArgumentError: for a number that is not positive and finite, and a tensor of another shape or device. The
            entries of tensors are not looked at: see ``usable_scale`` and ``explain_scale``.
    """
    if not isinstance(scale, Tensor):
        number, limits = validate_number_of_scale(scale), torch.finfo(scores.dtype)
        if not limits.tiny <= number <= limits.max:
            dtype = str(scores.dtype).removeprefix("torch.")
            raise argument_error("scale", f"a number that {dtype} scores can hold", scale, "write scores.double()")
        return number
    validate_floating("scale", scale)
    validate_same_device("scale", scale, scores)
    if scale.numel() == 1:
        return scale.reshape(()).to(scores.dtype)
    full = (*batch, *noise_shape)
    fits = len(full) == scale.ndim and all(have in (1, want) for have, want in zip(scale.shape, full, strict=True))
    if not fits:
        wanted = f"a number or a tensor of {len(full)} dimensions that broadcasts to {full}"
        raise argument_error("scale", wanted, scale, _reshaped(scale, batch, noise_shape))
    return scale.to(scores.dtype)


def validate_number_of_scale(scale: float, name: str = "scale") -> float:
    """Returns the number as a float; raises ``ArgumentError`` unless it is positive and finite."""
    number = validate_finite_number(name, scale)
    if number <= 0:
        raise argument_error(name, "a positive number", scale, "noise=None means no noise")
    return number


def validate_own_scale(scale: Tensor | float, name: str = "scale") -> Tensor | float:
    """The scale of an objective, before any scores are known: only the entries of its tensors' dtype are validated."""
    return validate_floating(name, scale) if isinstance(scale, Tensor) else validate_number_of_scale(scale, name)


def usable_scale(scale: Tensor) -> Tensor:
    """The scale, with NaN in place of what is not positive and finite."""
    return scale + 0 * scale.detach().log()


def explain_scale(scale: Tensor | float, name: str = "scale") -> None:
    """Raises ``ArgumentError`` if an entry is not positive and finite. Waits for the scale's device."""
    if isinstance(scale, Tensor) and usable_scale(scale).isnan().any():
        span = f"entries from {scale.min():.4g} to {scale.max():.4g}"
        worst = Words("NaN" if scale.isnan().any() else span)
        raise argument_error(name, "positive finite entries", worst, "end the network with nn.Softplus()")


def _reshaped(scale: Tensor, batch: tuple[int, ...], noise_shape: tuple[int, ...]) -> str:
    """What to write instead, of those forms that have as many elements."""
    per_example, per_variable = batch + (1,) * len(noise_shape), (1,) * len(batch) + noise_shape
    for shape, what in ((per_example, "example"), (per_variable, "variable"), (batch + noise_shape, "noise draw")):
        if scale.numel() == math.prod(shape):
            return f"write scale.reshape{shape} for one scale per {what}"
    return f"one scale per example has shape {per_example}, one per variable {per_variable}"
