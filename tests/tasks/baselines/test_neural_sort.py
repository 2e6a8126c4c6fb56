"""NeuralSort against its definition, which takes the differences of all pairs of scores."""

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import Tensor

import structpred as sp
from tasks.baselines import NeuralSort

seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 9).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n)))
tied_scores = st.lists(st.integers(-3, 3).map(float), min_size=4, max_size=4).map(torch.tensor)


def random_scores(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def by_pairs(scores: Tensor, k: int, temperature: float) -> Tensor:
    """The first k rows as Equation 5 of Grover et al. 2019 has them."""
    n = scores.shape[-1]
    distances = (scores[..., :, None] - scores[..., None, :]).abs().sum(-1)
    i = torch.arange(1, k + 1, dtype=scores.dtype)[:, None]
    exponents = (n + 1 - 2 * i) * scores[..., None, :] - distances[..., None, :]
    return (exponents / temperature).softmax(-1)


@given(seeds, sizes, st.sampled_from([0.3, 1.0, 5.0]))
def test_rows_are_the_definitions_and_their_sum_is_the_soft_subset(seed, size, temperature):
    n, k = size
    scores = random_scores(seed, 2, 3, n).requires_grad_()
    objective = NeuralSort(sp.KSubset(n, k), temperature=temperature)
    expected = by_pairs(scores, k, temperature)
    torch.testing.assert_close(objective.rows(scores), expected)
    torch.testing.assert_close(objective.relax(scores), expected.sum(-2))
    weights = random_scores(seed + 1, n)
    (theirs,) = torch.autograd.grad((expected.sum(-2) * weights).sum(), scores)
    (ours,) = torch.autograd.grad((objective.relax(scores) * weights).sum(), scores)
    torch.testing.assert_close(ours, theirs)


@given(tied_scores)
def test_ties_too(scores):
    objective = NeuralSort(sp.KSubset(4, 3), temperature=0.7)
    torch.testing.assert_close(objective.rows(scores), by_pairs(scores, 3, 0.7))


@given(seeds, sizes)
def test_rows_are_stochastic_and_unimodal(seed, size):
    n, k = size
    scores = random_scores(seed, n)
    rows = NeuralSort(sp.KSubset(n, k)).rows(scores)
    assert rows.shape == (k, n)
    torch.testing.assert_close(rows.sum(-1), torch.ones(k, dtype=torch.float64))
    assert (rows >= 0).all()
    order = scores.argsort(descending=True)
    assert rows.argmax(-1).tolist() == order[:k].tolist()  # every row has its largest weight in a place of its own
    for i, row in enumerate(rows[:, order]):  # and they fall to both sides of it
        assert (row[: i + 1].diff() >= 0).all()
        assert (row[i:].diff() <= 0).all()


@given(seeds, sizes)
def test_temperature_to_0_gives_the_sort(seed, size):
    n, k = size
    scores = random_scores(seed, n)
    gaps = scores.sort().values.diff()
    assume(n == 1 or gaps.min() > 1e-4)
    temperature = float(gaps.min()) / 50 if n > 1 else 1.0
    rows = NeuralSort(sp.KSubset(n, k), temperature=temperature).rows(scores)
    hard = torch.nn.functional.one_hot(scores.argsort(descending=True)[:k], n).double()
    torch.testing.assert_close(rows, hard, rtol=0, atol=1e-8)


def test_scores_far_from_0_lose_nothing_near_the_top():
    """As float32 holds large squared distances; sums of them as they are would be off by whole units."""
    scores = -1e6 - (random_scores(0, 10, 800).square() * 1600).round() / 16  # each exact in float32
    objective = NeuralSort(sp.KSubset(800, 3))
    torch.testing.assert_close(objective.rows(scores.float()).double(), by_pairs(scores, 3, 1.0), rtol=0, atol=1e-5)


@given(seeds, st.lists(st.booleans(), min_size=6, max_size=6))
def test_forbidden_parts_are_as_if_they_were_not_there(seed, allowed):
    allowed = torch.tensor(allowed)
    assume(allowed.sum() >= 2)
    scores = random_scores(seed, 6).masked_fill(~allowed, -torch.inf).requires_grad_()
    y = NeuralSort(sp.KSubset(6, 2)).relax(scores)
    assert (y[~allowed] == 0).all()
    torch.testing.assert_close(y[allowed], by_pairs(scores[allowed], 2, 1.0).sum(-2))
    y.square().sum().backward()
    assert scores.grad.isfinite().all()


@pytest.mark.parametrize("space", [sp.Matching(3), sp.KSubset(4, [1, 2])])
def test_other_spaces_are_refused(space):
    with pytest.raises(sp.ArgumentError, match="space: expected k-subsets with one k"):
        NeuralSort(space)
