"""The shipped objective against every law of a gradient, over spaces of every kind (the spaces: tests/spaces).

Each statistical test raises a false alarm with probability 1e-6 at most for each of its laws.
"""

import networkx
import pytest
import torch
from broken_gradients import Shared

import structpred as sp
from structpred.testing import GRADIENT_LAWS, DirectGradient, check_direct_gradient
from structpred.testing.gradient_laws.in_expectation import chi_square_tail

SUBJECTS = [
    DirectGradient(sp.OneHot(4)),
    DirectGradient(sp.OneHot(4), central=True),
    DirectGradient(sp.OneHot(3), noise=sp.Uniform()),
    DirectGradient(sp.OneHot(3), noise=sp.Normal(), central=True),
    DirectGradient(sp.KSubset(5, 2)),
    DirectGradient(sp.KSubset(4, 2), noise=sp.Logistic(), central=True),
    DirectGradient(sp.Knapsack([2, 3, 4], 5)),
    DirectGradient(sp.Knapsack([1, 2, 2, 4], 4), noise=sp.Normal(), central=True),
    DirectGradient(sp.Matching(3)),
    DirectGradient(sp.Matching(2, 3), noise=sp.Normal(), central=True),
    DirectGradient(Shared(), noise=sp.Normal()),
    DirectGradient(sp.Chain(3, 2)),
    DirectGradient(sp.DagPath.grid(2, 3), noise=sp.Normal(), central=True),
    DirectGradient(sp.SpanningTree(networkx.complete_graph(4))),
]
PER_DRAW = [law.name for law in GRADIENT_LAWS if not law.is_statistical]
IN_THE_MEAN = [law.name for law in GRADIENT_LAWS if law.is_statistical]

every_subject = pytest.mark.parametrize(
    "subject", SUBJECTS, ids=lambda it: f"{it.space!r}-{it.noise!r}-{'central' if it.central else 'one-sided'}"
)


def check(subject, only, seed):
    return check_direct_gradient(
        subject.space, noise=subject.noise, central=subject.central, only=only, seed=seed, draws=10_000
    )


@every_subject
def test_it_is_the_direct_gradient_draw_by_draw(subject):
    check(subject, PER_DRAW, seed=0)


@pytest.mark.statistical
@every_subject
def test_it_is_the_direct_gradient_in_the_mean(subject, statistical_seed):
    check(subject, IN_THE_MEAN, seed=statistical_seed)


def test_each_statistical_law_is_run_on_some_subject():
    """Otherwise the laws of means could be skipped everywhere, and nothing would say so."""
    run = [check(subject, IN_THE_MEAN, seed=0) for subject in SUBJECTS]
    assert all(any(report[name].examples for report in run) for name in IN_THE_MEAN)
    scored = [report["mean_gradient_equals_the_score_function_estimate"].examples for report in run]
    assert sum(scored) >= 3


@pytest.mark.statistical
@pytest.mark.parametrize("sigma", [0.1, 0.5, 1.0, 3.0, 10.0])
@pytest.mark.parametrize("space", [sp.OneHot(4), sp.KSubset(5, 2), sp.Matching(3)], ids=repr)
def test_gumbel_noise_on_every_structure_makes_frequencies_exponential(space, sigma, statistical_seed):
    """Corollary 3, for structures of any kind; a false alarm has probability 1e-8 in the chi-square approximation."""
    generator, draws = torch.Generator().manual_seed(statistical_seed), 40_000
    structures = space.enumerate().double()
    scores = sigma * torch.randn(space.shape, dtype=torch.float64, generator=generator) / 2
    values = space.score(scores, structures)  # (count,)
    every = sp.OneHot(len(structures))
    noise = sp.Gumbel().sample((draws, len(structures)), dtype=torch.float64, generator=generator)
    counts = every.argmax(values + sigma * noise).sum(0)
    assert chi_square_tail(counts, draws * (values / sigma).softmax(0)) > 1e-8
