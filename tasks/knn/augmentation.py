"""Images changed at random in ways that leave their class."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_PADDING = 4


def crop_and_flip(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """Each image moved by up to 4 pixels along both axes, black coming in, and mirrored with probability 1/2.

    Args:
        pixels: ``(n, channels, height, width)``, on the device of the generator; so is what is returned.
        generator: what all is drawn from.
    """
    count, channels, height, width = pixels.shape
    padded = nn.functional.pad(pixels, (_PADDING,) * 4)

    def places(size: int) -> Tensor:
        """Where in the padded image the pixels of each new one lie along an axis: ``(n, size)``."""
        start = torch.randint(2 * _PADDING + 1, (count, 1), generator=generator, device=pixels.device)
        return start + torch.arange(size, device=pixels.device)

    rows, columns = places(height), places(width)
    mirrored = torch.randint(2, (count, 1), generator=generator, device=pixels.device).bool()
    columns = torch.where(mirrored, columns.flip(1), columns)
    image, channel = (torch.arange(size, device=pixels.device) for size in (count, channels))
    return padded[image[:, None, None, None], channel[:, None, None], rows[:, None, :, None], columns[:, None, None, :]]
