"""Exact nearest neighbours over a whole training set, and their vote."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tasks.knn.data import Images

_IMAGES_AT_ONCE = 1000
_ROUNDING = 1e-14  # of the squared lengths: what float64 may leave of a squared distance of 0, with room to spare
_DISTANCES_AT_ONCE = 30_000_000  # 240 MB in float64


@torch.no_grad()
def embed(network: nn.Module, images: Images, bf16: bool = False) -> Tensor:
    """Every image's place, in evaluation mode: ``(n, features)``, float32."""
    network.eval()
    with torch.autocast(images.pixels.device.type, torch.bfloat16, enabled=bf16):
        return torch.cat([network(pixels).float() for pixels in images.pixels.split(_IMAGES_AT_ONCE)])


@torch.no_grad()
def nearest(queries: Tensor, references: Tensor, k: int) -> Tensor:
    """The k references nearest to each query, nearest first: ``(n, f), (m, f) -> (n, k)``.

    Exact: Euclidean distances to all references, computed in float64. Those equal in float32 count as equal, as do
    those below 1e-7 of the width of it all, which may be rounding; of equal ones, the reference of lower index is
    the nearer. Works through the queries in chunks.

    Raises:
        ValueError: if k exceeds the number of references.
    """
    if k > len(references):
        raise ValueError(f"k: expected at most {len(references)}, the images to choose from, got {k}")
    origin = references.double().mean(0)  # the nearer it is, the less is lost to rounding
    queries, references = queries.double() - origin, references.double() - origin
    norms, own_norms = (places.square().sum(1) for places in (references, queries))
    rounding = _ROUNDING * float(torch.cat([norms, own_norms]).amax())
    size = max(1, _DISTANCES_AT_ONCE // len(references))
    found = []
    for chunk, norm in zip(queries.split(size), own_norms[:, None].split(size), strict=True):
        squares = torch.addmm(norms, chunk, references.T, alpha=-2).add_(norm)  # (chunk, m)
        distances = nn.functional.threshold(squares, rounding, 0.0, inplace=True).sqrt_().float()
        found.append(_least(distances, k))
    return torch.cat(found)


def _least(distances: Tensor, k: int) -> Tensor:
    """Where each row has its k least entries, the least first, of equal ones the first: ``(n, m) -> (n, k)``."""
    one_more = min(k + 1, distances.shape[1])
    values, indices = distances.topk(one_more, largest=False)
    # topk takes any of those that tie for the last place; where that matters, a stable sort takes the first.
    tied = values[:, k - 1] == values[:, -1] if one_more > k else torch.zeros_like(values[:, 0], dtype=torch.bool)
    indices[tied] = distances[tied].argsort(dim=1, stable=True)[:, :one_more]
    indices = indices[:, :k].sort(dim=1).values
    order = distances.gather(1, indices).argsort(dim=1, stable=True)
    return indices.gather(1, order)


def vote(labels: Tensor) -> Tensor:
    """The class that most neighbours have: ``(n, k)``, nearest first, ``-> (n,)``.

    Of classes with as many votes, the one whose nearest member is nearest.
    """
    counts = nn.functional.one_hot(labels, Images.classes).sum(1)  # (n, classes)
    leads = counts == counts.amax(1, keepdim=True)
    first = leads.gather(1, labels).int().argmax(1, keepdim=True)  # the first neighbour whose class leads
    return labels.gather(1, first)[:, 0]


def accuracy(network: nn.Module, queries: Images, references: Images, k: int, bf16: bool = False) -> float:
    """The fraction of queries that the vote of their k nearest references puts in the right class."""
    chosen = nearest(embed(network, queries, bf16), embed(network, references, bf16), k)
    return (vote(references.labels[chosen]) == queries.labels).double().mean().item()
