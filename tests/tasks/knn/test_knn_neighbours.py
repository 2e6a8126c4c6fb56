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


def test_the_nearest_in_many_dimensions_are_those_by_differences_in_float64() -> None:
    generator = torch.Generator().manual_seed(0)
    queries, references = torch.randn(20, 50, generator=generator), torch.randn(200, 50, generator=generator)
    distances = (queries.double()[:, None] - references.double()).square().sum(-1)
    assert torch.equal(nearest(queries, references, 9), distances.argsort(1)[:, :9])


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


@pytest.mark.parametrize("k", [1, 5, 49, 50])
def test_of_equal_references_those_of_lowest_index_are_the_nearest(k: int) -> None:
    references = torch.ones(50, 3)
    assert nearest(torch.zeros(4, 3), references, k).tolist() == [list(range(k))] * 4


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


def test_inputs_are_left_as_they_are() -> None:
    queries, references = torch.rand(3, 2).double(), torch.rand(4, 2).double()
    before = queries.clone(), references.clone()
    nearest(queries, references, 2)
    assert torch.equal(queries, before[0])
    assert torch.equal(references, before[1])


# --- the vote


def elected(labels: list[int]) -> int:
    votes = Counter(labels)
    return next(label for label in labels if votes[label] == max(votes.values()))


@given(st.integers(1, 9).flatmap(lambda k: st.lists(st.lists(st.integers(0, 9), min_size=k, max_size=k), min_size=1)))
def test_the_vote_is_that_of_plain_python(labels: list[list[int]]) -> None:
    assert vote(torch.tensor(labels)).tolist() == [elected(row) for row in labels]


@given(st.lists(st.lists(st.integers(0, 2), min_size=6, max_size=6), min_size=1))
def test_the_vote_is_that_of_plain_python_where_ties_are_common(labels: list[list[int]]) -> None:
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


@pytest.mark.parametrize("at_once", [1, 3, 7, 1000])
def test_how_many_images_are_embedded_at_once_does_not_matter(
    at_once: int, network: nn.Sequential, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = embed(network, images(7))
    sizes: list[int] = []
    network[0].register_forward_hook(lambda _, inputs, __: sizes.append(len(inputs[0])))
    monkeypatch.setattr(neighbours, "_IMAGES_AT_ONCE", at_once)
    torch.testing.assert_close(embed(network, images(7)), whole)
    assert max(sizes) == min(7, at_once)
    assert sum(sizes) == 7


def test_in_bfloat16_places_are_float32_numbers_that_are_a_little_off(network: nn.Sequential) -> None:
    exact, rounded = embed(network, images(7)), embed(network, images(7), bf16=True)
    assert rounded.dtype == torch.float32
    assert not torch.equal(rounded, exact)
    torch.testing.assert_close(rounded, exact, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("k", [1, 3, 4])
def test_accuracy_is_the_fraction_of_queries_whose_neighbours_elect_their_class(k: int) -> None:
    queries, references = images(40, seed=1), images(25, seed=2)
    chosen = by_hand(queries.pixels.flatten(1), references.pixels.flatten(1), k)
    votes = [elected(references.labels[row].tolist()) for row in chosen]
    right = sum(voted == label for voted, label in zip(votes, queries.labels.tolist(), strict=True))
    assert 0 < right < 40
    assert accuracy(Bytes(), queries, references, k) == right / 40


def test_accuracy_takes_both_sides_in_evaluation_mode(network: nn.Sequential) -> None:
    shown = images(30)
    assert accuracy(network, shown, shown, 1) == 1.0  # each image is its own nearest


@pytest.mark.parametrize(
    ("query", "first", "second", "exact", "rounded"),
    [
        (770, 772, 768, 1.0, 0.0),  # as near to both; 768 in bfloat16
        (768, 769, 768, 0.0, 1.0),  # nearer to the second; in bfloat16 both are 768
    ],
    ids=["query", "references"],
)
def test_accuracy_in_bfloat16_rounds_the_places_of_both_sides(
    query: int, first: int, second: int, exact: float, rounded: float
) -> None:
    def placed_at(*places: int) -> Images:
        pixels = torch.tensor([[255, 255, 255, place - 3 * 255] for place in places], dtype=torch.uint8)
        return Images(pixels.reshape(-1, 1, 2, 2), torch.arange(len(places)))

    network = nn.Sequential(Bytes(), nn.Linear(4, 1, bias=False))
    nn.init.ones_(network[1].weight)
    shown = placed_at(query)  # its class is that of the first
    assert accuracy(network, shown, placed_at(first, second), 1) == exact
    assert accuracy(network, shown, placed_at(first, second), 1, bf16=True) == rounded
