"""The projection of a layer's scores, written plainly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from structpred.layers.identity import Projection

if TYPE_CHECKING:
    from structpred.testing.gradient_laws.subject import Subject


def projected(subject: Subject, scores: Tensor) -> Tensor:
    """The scores as the layer's ``projection`` makes them, example by example; themselves where it has none."""
    projection = getattr(subject.module, "projection", Projection.NONE)
    if projection is Projection.NONE:
        return scores
    rows = []
    for example in scores:
        allowed = ~example.isneginf()
        entries = example[allowed]
        if projection is not Projection.NORM:
            entries = entries - entries.mean()
        if projection is not Projection.MEAN and entries.any():
            entries = entries / entries.norm()
        rows.append(torch.full_like(example, -torch.inf).masked_scatter(allowed, entries))
    return torch.stack(rows)
