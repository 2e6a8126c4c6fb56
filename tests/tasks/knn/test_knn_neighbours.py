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


@pytest.mark.parametrize("at_once", [1, 29, 30, 89, 90, 91, 100_000])
def test_how_many_distances_are_had_at_once_does_not_matter(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    queries = torch.randint(-2, 3, (20, 2), generator=torch.Generator().manual_seed(0)).float()
    references = torch.randint(-2, 3, (30, 2), generator=torch.Generator().manual_seed(1)).float()
    largest, one_chunk = [], neighbours._least

    def watch(chunk: Tensor, *others: object) -> Tensor:
        largest.append(len(chunk))
        return one_chunk(chunk, *others)

    monkeypatch.setattr(neighbours, "_DISTANCES_AT_ONCE", at_once)
    monkeypatch.setattr(neighbours, "_least", watch)
    assert nearest(queries, references, 5).tolist() == by_hand(queries, references, 5)
    assert max(largest) == min(20, max(1, at_once // 30))


def test_references_that_are_the_query_itself_come_first_in_their_order_however_long_the_places() -> None:
    places = 70 * torch.rand(40, 500, generator=torch.Generator().manual_seed(0))
    references = torch.cat([places, places, places])
    assert nearest(places, references, 3).tolist() == [[i, 40 + i, 80 + i] for i in range(40)]


def test_k_may_be_all_references_but_no_more() -> None:
    references = torch.tensor([[2.0], [0.0], [1.0]])
    assert nearest(torch.zeros(1, 1), references, 3).tolist() == [[1, 2, 0]]
    with pytest.raises(ValueError, match=r"^k: expected at most 3, the images to choose from, got 4$"):
        nearest(torch.zeros(1, 1), references, 4)
    with pytest.raises(ValueError, match=r"^k: expected at most 0"):
        nearest(torch.zeros(1, 1), references[:0], 1)


# --- the vote


def elected(labels: list[int]) -> int:
    votes = Counter(labels)
    return next(label for label in labels if votes[label] == max(votes.values()))


@given(st.integers(1, 9).flatmap(lambda k: st.lists(st.lists(st.integers(0, 9), min_size=k, max_size=k), min_size=1)))
def test_the_vote_is_that_of_plain_python(labels: list[list[int]]) -> None:
    assert vote(torch.tensor(labels)).tolist() == [elected(row) for row in labels]


@pytest.mark.parametrize(
    ("labels", "winner"),
    [
        ([7], 7),
        ([3, 8], 3),
        ([8, 3], 8),
        ([5, 2, 2], 2),
        ([9, 4, 1, 4, 1], 4),  # the nearest has one vote; of the two with two, 4 is nearer
        ([9, 1, 4, 4, 1], 1),
        ([0, 1, 2, 3, 4, 5, 6, 7, 8], 0),
    ],
)
def test_of_classes_with_as_many_votes_the_one_with_the_nearest_member_wins(labels: list[int], winner: int) -> None:
    assert vote(torch.tensor([labels])).tolist() == [winner]


# --- with a network


def images(count: int, seed: int = 0, classes: int = 3) -> Images:
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(256, (count, 1, 2, 2), generator=generator, dtype=torch.uint8)
    return Images(pixels, torch.randint(classes, (count,), generator=generator))


class Bytes(nn.Module):
    """An embedding by the bytes themselves."""

    def forward(self, pixels: Tensor) -> Tensor:
        return pixels.flatten(1).float()


@pytest.fixture
def network() -> nn.Sequential:
    """One that gives other places in training: by the batch, and by chance."""
    made = nn.Sequential(Bytes(), nn.BatchNorm1d(4), nn.Dropout(), nn.Linear(4, 3, bias=False))
    with torch.no_grad():
        made[3].weight.copy_(torch.arange(12).reshape(3, 4) / 8 - 0.75)
    made[1].running_mean.fill_(100.0)
    made[1].running_var.fill_(3000.0)
    return made.train()


def test_places_are_those_of_evaluation_mode_whatever_the_mode_was(network: nn.Sequential) -> None:
    shown = images(7)
    places = embed(network, shown)
    normalised = (shown.pixels.flatten(1).float() - 100) / (3000 + network[1].eps) ** 0.5
    torch.testing.assert_close(places, normalised @ network[3].weight.detach().T)
    assert places.dtype == torch.float32
    assert not places.requires_grad
    assert network[1].running_mean.tolist() == [100.0] * 4
    assert network[1].num_batches_tracked == 0


@pytest.mark.parametrize("k", [1, 3, 4])
def test_accuracy_is_the_fraction_of_queries_whose_neighbours_elect_their_class(k: int) -> None:
    queries, references = images(40, seed=1), images(25, seed=2)
    chosen = by_hand(queries.pixels.flatten(1), references.pixels.flatten(1), k)
    votes = [elected(references.labels[row].tolist()) for row in chosen]
    right = sum(voted == label for voted, label in zip(votes, queries.labels.tolist(), strict=True))
    assert 0 < right < 40
    assert accuracy(Bytes(), queries, references, k) == right / 40
