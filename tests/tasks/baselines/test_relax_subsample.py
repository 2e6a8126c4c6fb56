"""RelaxSubSample against its definition, and what its samples are."""

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import Tensor

import structpred as sp
from tasks.baselines import RelaxSubSample

seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(2, 9).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n - 1)))


def random_scores(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def by_rounds(scores: Tensor, k: int, temperature: float) -> Tensor:
    """Algorithm 1 of Xie & Ermon 2019 as it stands there."""
    rounds = []
    for _ in range(k):
        rounds.append((scores / temperature).softmax(-1))
        scores = scores + (1 - rounds[-1]).log()
    return torch.stack(rounds).sum(0)


@given(seeds, sizes, st.sampled_from([0.5, 1.0, 5.0]))
def test_it_is_k_softmaxes_each_of_what_those_before_left(seed, size, temperature):
    n, k = size
    scores = random_scores(seed, 2, 3, n).requires_grad_()
    ours = RelaxSubSample(sp.KSubset(n, k), temperature=temperature).relax(scores)
    expected = by_rounds(scores, k, temperature)
    torch.testing.assert_close(ours, expected)
    weights = random_scores(seed + 1, n)
    (theirs,) = torch.autograd.grad((expected * weights).sum(), scores)
    (gradient,) = torch.autograd.grad((ours * weights).sum(), scores)
    torch.testing.assert_close(gradient, theirs)


@given(seeds, sizes, st.sampled_from([0.01, 1.0, 100.0]), st.sampled_from([1.0, 1e3]))
def test_weights_sum_to_k_and_have_a_gradient(seed, size, temperature, spread):
    n, k = size
    scores = (spread * random_scores(seed, 3, n)).float().requires_grad_()
    y = RelaxSubSample(sp.KSubset(n, k), temperature=temperature).relax(scores)
    torch.testing.assert_close(y.sum(-1), torch.full((3,), float(k)))
    assert (y >= 0).all()
    y.square().sum().backward()
    assert scores.grad.isfinite().all()


@given(seeds, sizes, st.sampled_from([1.0, 1e4]))
def test_temperature_to_0_gives_the_k_largest(seed, size, spread):
    """Also where gaps are wide: 1 less a weight that rounds to 1 is taken from the others' weights."""
    n, k = size
    scores = spread * random_scores(seed, n)
    gap = scores.sort().values.diff().min()
    assume(gap > 1e-3)
    # What is taken loses its lead over the next, divided by the temperature; that must put it behind all others.
    temperature = float(gap / (30 + 2 * (scores.max() - scores.min())))
    y = RelaxSubSample(sp.KSubset(n, k), temperature=temperature).relax(scores)
    torch.testing.assert_close(y, sp.KSubset(n, k).argmax(scores), rtol=0, atol=1e-6)


def test_its_samples_are_drawn_without_replacement_in_proportion_to_exp_of_the_scores():
    """The first of two is each part with probability p, and so it is in both orders; failure rate 1e-6 a part."""
    draws, p = 20_000, torch.tensor([0.5, 0.3, 0.15, 0.05], dtype=torch.float64)
    objective = RelaxSubSample(sp.KSubset(4, 2), temperature=0.01, num_samples=draws)
    solution = objective.solve(p.log(), lambda y: y.sum(-1), generator=torch.Generator().manual_seed(0))
    assert solution.prediction.shape == (draws, 4)
    assert len(solution.prediction.unique(dim=0)) > 6  # every draw was used, not one for all
    pairs = p[:, None] * p / (1 - p[:, None])
    included = (pairs.fill_diagonal_(0) + pairs.T).sum(1)
    error = 4.9 * (included * (1 - included) / draws).sqrt() + 2e-3  # the latter for weights that are not quite 0 or 1
    assert ((solution.prediction.mean(0) - included).abs() < error).all()


@given(seeds)
def test_forbidden_parts_are_as_if_they_were_not_there(seed):
    scores = random_scores(seed, 6)
    scores[[1, 4]] = -torch.inf
    scores.requires_grad_()
    y = RelaxSubSample(sp.KSubset(6, 3)).relax(scores)
    allowed = scores.isfinite()
    assert (y[~allowed] == 0).all()
    torch.testing.assert_close(y[allowed], by_rounds(scores[allowed], 3, 1.0))
    y.square().sum().backward()
    assert scores.grad.isfinite().all()


@pytest.mark.parametrize("space", [sp.Matching(3), sp.KSubset(4, [1, 2])])
def test_other_spaces_are_refused(space):
    with pytest.raises(sp.ArgumentError, match="space: expected k-subsets with one k"):
        RelaxSubSample(space)
