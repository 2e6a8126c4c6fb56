"""Nearest neighbours and their vote against plain Python, ties included."""

from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from tasks.knn import neighbours
from tasks.knn.data import Images
from tasks.knn.neighbours import accuracy, embed, nearest, vote


def points(dimensions: int, least: int) -> st.SearchStrategy[Tensor]:
    """Few coordinates, so that ties and duplicates are common; distances are exact."""
    point = st.lists(st.integers(-3, 3), min_size=dimensions, max_size=dimensions)
    return st.lists(point, min_size=least, max_size=12).map(
        lambda rows: torch.tensor(rows, dtype=torch.float32).reshape(-1, dimensions)
    )


@st.composite
def problems(draw: st.DrawFn) -> tuple[Tensor, Tensor, int]:
    dimensions = draw(st.integers(1, 3))
    references = draw(points(dimensions, least=1))
    return draw(points(dimensions, least=0)), references, draw(st.integers(1, len(references)))


def by_hand(queries: Tensor, references: Tensor, k: int) -> list[list[int]]:
    """In integers; of equal distances the lower index first."""
    found = []
    for query in queries.tolist():
        squares = [sum((a - b) ** 2 for a, b in zip(query, place, strict=True)) for place in references.tolist()]
        found.append(sorted(range(len(squares)), key=lambda index: (squares[index], index))[:k])
    return found


@given(problems())
def test_the_nearest_are_those_of_plain_python_in_their_order(problem: tuple[Tensor, Tensor, int]) -> None:
    queries, _, k = problem
    found = nearest(*problem)
    assert found.shape == (len(queries), k)
    assert found.dtype == torch.int64
    assert found.tolist() == by_hand(*problem)


@pytest.mark.parametrize(("dtype", "far", "apart"), [(torch.float32, 2**20, 1 / 8), (torch.float64, 2**13, 1 / 2048)])
def test_small_differences_far_from_the_origin_count(dtype: torch.dtype, far: float, apart: float) -> None:
    order = torch.randperm(40, generator=torch.Generator().manual_seed(0))
    references = far + apart * order[:, None].to(dtype)  # exact, but their squares only in float64
    found = nearest(torch.tensor([[far]], dtype=dtype), references, 40)
    assert order[found[0]].tolist() == list(range(40))


def test_distances_equal_in_float32_are_equal_and_others_are_not() -> None:
    at_zero = torch.zeros(1, 1, dtype=torch.float64)
    for apart, order in ((1e-9, [0, 1]), (1e-6, [1, 0])):
        references = torch.tensor([[1 + apart], [1.0]], dtype=torch.float64)
        assert nearest(at_zero, references, 2).tolist() == [order]
        assert nearest(at_zero, references, 1).tolist() == [order[:1]]


def test_how_many_distances_are_had_at_once_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    queries, references = (
        torch.randint(-2, 3, (50, 2), generator=torch.Generator().manual_seed(0)).float().split([20, 30])
    )
    for at_once in (1, 89, 90, 100_000):
        monkeypatch.setattr(neighbours, "_DISTANCES_AT_ONCE", at_once)
        assert nearest(queries, references, 5).tolist() == by_hand(queries, references, 5)


def test_references_that_are_the_query_itself_come_first_in_their_order_however_long_the_places() -> None:
    places = 70 * torch.rand(40, 500, generator=torch.Generator().manual_seed(0))
    references = torch.cat([places, places, places])
    assert nearest(places, references, 3).tolist() == [[i, 40 + i, 80 + i] for i in range(40)]


# --- the vote


def elected(labels: list[int]) -> int:
    votes = Counter(labels)
    return next(label for label in labels if votes[label] == max(votes.values()))


@given(st.integers(1, 9).flatmap(lambda k: st.lists(st.lists(st.integers(0, 9), min_size=k, max_size=k), min_size=1)))
def test_the_vote_is_that_of_plain_python(labels: list[list[int]]) -> None:
    assert vote(torch.tensor(labels)).tolist() == [elected(row) for row in labels]


# --- with a network


def images(count: int, seed: int = 0, classes: int = 3) -> Images:
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(256, (count, 1, 2, 2), generator=generator, dtype=torch.uint8)
    return Images(pixels, torch.randint(classes, (count,), generator=generator))


class Bytes(nn.Module):
    """An embedding by the bytes themselves."""

    def forward(self, pixels: Tensor) -> Tensor:
        return pixels.flatten(1).float()


def test_places_are_those_of_evaluation_mode_whatever_the_mode_was_and_float32(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = nn.Sequential(Bytes(), nn.Linear(4, 3), nn.Dropout()).train()
    shown = images(7)
    expected = network[:2](shown.pixels).detach()
    monkeypatch.setattr(neighbours, "_IMAGES_AT_ONCE", 3)
    for bf16, tolerance in ((False, {}), (True, {"rtol": 0.05, "atol": 2.0})):
        places = embed(network, shown, bf16)
        torch.testing.assert_close(places, expected, **tolerance)
        assert torch.equal(places, places.bfloat16().float()) == bf16
        assert not places.requires_grad


@pytest.mark.parametrize("k", [1, 3, 4])
def test_accuracy_is_the_fraction_of_queries_whose_neighbours_elect_their_class(k: int) -> None:
    queries, references = images(40, seed=1), images(25, seed=2)
    chosen = by_hand(queries.pixels.flatten(1), references.pixels.flatten(1), k)
    votes = [elected(references.labels[row].tolist()) for row in chosen]
    right = sum(voted == label for voted, label in zip(votes, queries.labels.tolist(), strict=True))
    assert 0 < right < 40
    assert accuracy(Bytes(), queries, references, k) == right / 40
