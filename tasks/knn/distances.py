"""How far each candidate is from each query."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_FEW = 32  # gradients that are no more than this part of the distances are cheaper one by one, on a CPU


def distances(queries: Tensor, candidates: Tensor) -> Tensor:
    """Euclidean: ``(queries, features), (candidates, features) -> (queries, candidates)``.

    The gradient of a direct loss is 0 at all but a few distances, those of the structures that differ. Autograd's own
    way back from ``torch.cdist`` is as dear for these as for all.
    """
    if queries.device.type != "cpu":
        return torch.cdist(queries, candidates)
    found: Tensor = _Distances.apply(queries, candidates)
    return found


class _Distances(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, queries: Tensor, candidates: Tensor) -> Tensor:
        found = torch.cdist(queries, candidates)
        ctx.save_for_backward(queries, candidates, found)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        queries, candidates, found = ctx.saved_tensors
        (grad,) = grads
        moved = grad.flatten().nonzero()[:, 0]
        if len(moved) * _FEW > grad.numel():
            along = torch.where(found == 0, 0, grad / found)  # of the difference of the two places
            return (
                along.sum(1, keepdim=True) * queries - along @ candidates,
                along.sum(0)[:, None] * candidates - along.T @ queries,
            )
        query, candidate = moved // grad.shape[1], moved % grad.shape[1]
        apart, pull = found.flatten()[moved], grad.flatten()[moved]
        of_each = queries.index_select(0, query).sub_(candidates.index_select(0, candidate))
        of_each.mul_(torch.where(apart == 0, 0, pull / apart)[:, None])
        return (
            torch.zeros_like(queries).index_add_(0, query, of_each),
            torch.zeros_like(candidates).index_add_(0, candidate, of_each, alpha=-1),
        )
