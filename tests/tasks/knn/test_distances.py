"""Distances, and both ways back from them."""

import pytest
import torch
from torch import Tensor

from tasks.knn.distances import distances


def places() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    queries = torch.randn(5, 7, generator=generator, dtype=torch.float64)
    candidates = torch.randn(40, 7, generator=generator, dtype=torch.float64)
    candidates[3] = queries[1]  # an image that is both
    return queries.requires_grad_(), candidates.requires_grad_()


@pytest.mark.parametrize("count", [0, 1, 6, 7, 200])
def test_gradients_are_those_of_autograd(count: int) -> None:
    """Of 200 distances up to 6 are few."""
    generator = torch.Generator().manual_seed(count)
    weights = torch.zeros(200, dtype=torch.float64)
    weights[torch.randperm(200, generator=generator)[:count]] = 1 + torch.rand(
        count, generator=generator, dtype=torch.float64
    )
    weights = weights.reshape(5, 40)
    ours, theirs = places(), places()
    found, expected = distances(*ours), torch.cdist(*theirs)
    torch.testing.assert_close(found, expected)
    for gradient, wanted in zip(
        torch.autograd.grad((weights * found).sum(), ours),
        torch.autograd.grad((weights * expected).sum(), theirs),
        strict=True,
    ):
        torch.testing.assert_close(gradient, wanted)


@pytest.mark.parametrize("also", [[], [(0, column) for column in range(40)]], ids=["few", "many"])
def test_places_that_are_the_same_pull_at_neither(also: list[tuple[int, int]]) -> None:
    queries, candidates = places()
    apart = distances(queries, candidates)
    torch.stack([apart[1, 3], *(apart[index] for index in also)]).sum().backward()
    assert queries.grad is not None
    assert not queries.grad[1].any()
