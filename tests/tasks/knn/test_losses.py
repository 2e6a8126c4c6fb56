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


@both
@given(steps())
def test_every_choice_is_charged_for_those_of_the_querys_class_less_what_the_best_is_charged(
    loss: Loss, step: tuple[Tensor, Tensor, int]
) -> None:
    distances, same_class, k = step
    subsets = sp.KSubset(CANDIDATES, k).enumerate()  # (subsets, candidates)
    for query in range(QUERIES):
        charges = [
            sum(-distances[query, i].item() if loss is Loss.DISTANCE else -1.0 for i in range(CANDIDATES) if counted[i])
            for counted in (subsets * same_class[query]).tolist()
        ]
        losses = linear_loss(loss, distances, same_class, k)(subsets[:, None])[:, query]
        assert losses.tolist() == [charge - min(charges) for charge in charges]


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
