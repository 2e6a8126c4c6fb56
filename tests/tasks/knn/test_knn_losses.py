"""The linear losses against their definitions, on every k-subset of a few candidates."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import structpred as sp
from tasks.knn.config import Loss
from tasks.knn.losses import linear_loss

QUERIES, CANDIDATES = 3, 5
both = pytest.mark.parametrize("loss", [Loss.MATCH, Loss.DISTANCE])


@st.composite
def steps(draw: st.DrawFn) -> tuple[Tensor, Tensor, int]:
    """Distances, who has the query's class, and k. Multiples of 1/8: ties are common, and every sum is exact."""
    size = QUERIES * CANDIDATES
    eighths = draw(st.lists(st.integers(0, 16), min_size=size, max_size=size))
    same = draw(st.lists(st.booleans(), min_size=size, max_size=size))
    shape = QUERIES, CANDIDATES
    k = draw(st.integers(1, CANDIDATES))
    return torch.tensor(eighths).reshape(shape) / 8, torch.tensor(same).reshape(shape), k


def charged(loss: Loss, distance: float) -> float:
    """What choosing a candidate of the query's class is charged."""
    return {Loss.MATCH: -1.0, Loss.DISTANCE: -distance}[loss]


def by_hand(loss: Loss, distances: Tensor, same_class: Tensor, k: int) -> list[list[float]]:
    """The loss of every query's every k-subset, less that of its best one."""
    losses = []
    for query in range(QUERIES):
        charges = [
            charged(loss, distance) if same else 0.0
            for distance, same in zip(distances[query].tolist(), same_class[query].tolist(), strict=True)
        ]
        of_subsets = [
            sum(charge for charge, chosen in zip(charges, subset, strict=True) if chosen)
            for subset in sp.KSubset(CANDIDATES, k).enumerate().tolist()
        ]
        losses.append([of_subset - min(of_subsets) for of_subset in of_subsets])
    return losses


def of_all_subsets(loss: Loss, distances: Tensor, same_class: Tensor, k: int) -> Tensor:
    subsets = sp.KSubset(CANDIDATES, k).enumerate()  # (subsets, candidates)
    return linear_loss(loss, distances, same_class, k)(subsets[:, None]).T  # (queries, subsets)


@both
@given(steps())
def test_every_choice_is_charged_as_defined(loss: Loss, step: tuple[Tensor, Tensor, int]) -> None:
    assert of_all_subsets(loss, *step).tolist() == by_hand(loss, *step)


@pytest.mark.parametrize("k", [1, 3, 9])
@both
def test_the_best_choice_among_many_loses_nothing_to_the_last_bit(loss: Loss, k: int) -> None:
    generator = torch.Generator().manual_seed(0)
    distances = 10 * torch.rand(50, 800, generator=generator)
    same_class = torch.rand(50, 800, generator=generator) < 0.1
    charges = linear_loss(loss, distances, same_class, k)
    objective = sp.PerturbedDirectLoss(sp.KSubset(800, k), epsilon=sp.GrowUntilNonzero(-0.1, group_dims=1), noise=None)
    solution = objective.solve(-1000 * charges.coefficients, charges)
    assert torch.equal(solution.loss, torch.zeros(1, 50))
    assert (solution.epsilon == -0.1).all()  # a loss above 0 by rounding alone would make it grow in vain


@both
def test_distances_are_held_constant(loss: Loss) -> None:
    distances = torch.rand(2, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    charges = linear_loss(loss, distances, torch.tensor([[True, False, True, True]] * 2), 2)
    assert not charges.coefficients.requires_grad
    assert not charges.constant.requires_grad
