"""The noise scale sigma: absent, a positive number, or a positive tensor from a network."""

from __future__ import annotations

from torch import Tensor

from structpred._validation import validate_finite_number, validate_floating, validate_same_device
from structpred.errors import Words, argument_error


def validate_scale(
    scale: Tensor | float, batch: tuple[int, ...], noise_shape: tuple[int, ...], scores: Tensor
) -> Tensor | float:
    """Returns the scale as a number, or as a tensor in the scores' dtype that broadcasts against the noise.

    Args:
        scale: a positive number or 0-dim tensor; or a positive tensor with as many dimensions as
            ``(*batch, *noise_shape)``, each of that size or 1: ``(*batch, 1, ..)`` is one scale an
            example, the full shape one a variable. Fewer dimensions are refused, because they would
            line up with the variables where the batch happens to have the same size.

    Raises:
        ArgumentError: for a scale that is zero, negative, not finite, of another shape or device.
    """
    if not isinstance(scale, Tensor):
        number = validate_finite_number("scale", scale)
        if number <= 0:
            raise argument_error("scale", "a positive number", scale, "scale=None means no noise")
        return number
    validate_floating("scale", scale)
    validate_same_device("scale", scale, scores)
    full = (*batch, *noise_shape)
    if scale.ndim and not (
        scale.ndim == len(full) and all(have in (1, want) for have, want in zip(scale.shape, full, strict=True))
    ):
        per_example = batch + (1,) * len(noise_shape)
        raise argument_error(
            "scale",
            f"a number or a tensor of {len(full)} dimensions that broadcasts to {full}",
            scale,
            f"write scale.reshape{per_example} for one scale an example",
        )
    scale = scale.to(scores.dtype)  # before the check: what rounds to 0 or to infinity counts as that
    if not ((scale > 0) & scale.isfinite()).all():
        span = f"entries from {scale.min():.4g} to {scale.max():.4g}"
        worst = Words("NaN" if scale.isnan().any() else span)
        raise argument_error("scale", "positive finite entries", worst, "end the network with nn.Softplus()")
    return scale
