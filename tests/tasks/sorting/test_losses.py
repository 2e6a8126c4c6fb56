"""The three linear losses against their definitions, on every matching of small sequences."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import structpred as sp
from tasks.sorting.config import Decomposition
from tasks.sorting.losses import linear_loss, reconstruction_error, sorting

# Multiples of 1/8: ties are common, and every sum below is exact in float32.
sequences = (
    st.integers(2, 5)
    .flatmap(lambda length: st.lists(st.integers(-8, 8).map(lambda n: n / 8), min_size=length, max_size=length))
    .map(torch.tensor)
)


def losses_of_all_matchings(decomposition: Decomposition, x: Tensor) -> tuple[Tensor, Tensor]:
    every_y = sp.Matching(len(x)).enumerate()  # (d!, d, d)
    return every_y, linear_loss(decomposition, x)(every_y)


def squared_error(x: Tensor, y: Tensor) -> Tensor:
    """The sum over positions of (what should stand there - what y puts there)^2."""
    put_in_order = torch.stack([matching.T @ x for matching in y])
    return torch.stack([((x.sort().values - row) ** 2).sum() for row in put_in_order])


@given(sequences)
def test_squared_is_the_squared_error_of_the_sorted_list(x: Tensor) -> None:
    y, loss = losses_of_all_matchings(Decomposition.SQUARED, x)
    assert torch.equal(loss, squared_error(x, y))


@given(sequences)
def test_paper_charges_both_squares_where_one_element_stands_in_the_place_of_another(x: Tensor) -> None:
    y, loss = losses_of_all_matchings(Decomposition.PAPER, x)
    should, does = sorting(x).argmax(0), y.argmax(1)  # the element at each position: (d), (d!, d)
    charged = torch.where(should == does, 0.0, x[should] ** 2 + x[does] ** 2)
    assert torch.equal(loss, charged.sum(-1))


@given(sequences)
def test_published_charges_positions_by_elements_in_the_order_in_which_they_came(x: Tensor) -> None:
    y, loss = losses_of_all_matchings(Decomposition.PUBLISHED, x)
    charged = (sorting(x) - y).square() * x**2  # one square for each column in which an entry is wrong
    assert torch.equal(loss, charged.sum((-1, -2)))


@given(sequences)
def test_the_reconstruction_error_of_a_matching_is_the_mean_squared_error(x: Tensor) -> None:
    y = sp.Matching(len(x)).enumerate()
    torch.testing.assert_close(reconstruction_error(x)(y), squared_error(x, y) / len(x))


def test_the_reconstruction_error_of_a_soft_matching_is_that_of_the_list_it_sorts() -> None:
    x, half = torch.tensor([[0.0, 1.0], [0.5, 0.25]]), torch.full((3, 2, 2, 2), 0.5)  # 3 draws of 2 lists
    assert torch.equal(reconstruction_error(x)(half), torch.tensor([[0.25, 0.015625]]).expand(3, 2))


@given(sequences)
def test_hamming_is_twice_the_number_of_misplaced_elements(x: Tensor) -> None:
    y, loss = losses_of_all_matchings(Decomposition.HAMMING, x)
    belongs, put = sorting(x).argmax(-1), y.argmax(-1)  # the position of each element
    assert loss.tolist() == [2 * int((row != belongs).sum()) for row in put]


@pytest.mark.parametrize("decomposition", Decomposition)
@given(sequences)
def test_no_matching_loses_less_than_the_sorting_which_loses_nothing(decomposition: Decomposition, x: Tensor) -> None:
    _, loss = losses_of_all_matchings(decomposition, x)
    assert loss.min() == 0
    assert linear_loss(decomposition, x)(sorting(x)) == 0


@pytest.mark.parametrize("length", [5, 100])
@pytest.mark.parametrize("decomposition", Decomposition)
def test_the_sorting_loses_nothing_to_the_last_bit(decomposition: Decomposition, length: int) -> None:
    x = torch.rand(5, 10, length, generator=torch.Generator().manual_seed(0))
    scores = 1000 * sorting(x)
    objective = sp.PerturbedDirectLoss(sp.Matching(length), epsilon=sp.GrowUntilNonzero(-12.0, group_dims=1))
    solution = objective.solve(scores, linear_loss(decomposition, x))
    assert torch.equal(solution.loss, torch.zeros(1, 5, 10))
    assert (solution.epsilon == -12).all()  # a loss above 0 by rounding alone would make it grow in vain
