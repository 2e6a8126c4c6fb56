"""Every shipped objective and layer against the laws of its kind, over spaces of every kind (the spaces: tests/spaces).

Each statistical test raises a false alarm with probability 1e-6 at most for each of its laws.
"""

import networkx
import pytest
import torch

import structpred as sp
from structpred import testing
from structpred.testing.gradient_laws.means import chi_square_tail
from tests.testing.broken.shared import Shared

SPACES = [sp.OneHot(3), sp.KSubset(4, 2), sp.Matching(2, 3), Shared()]
OF_PARTS = SPACES[:3]  # each part has a variable of its own
CENTRAL = sp.RelativeToNoise(-8.0, margin=1.0)
NORMAL, BOTH_SIDES = {"noise": sp.Normal()}, {"noise": sp.Normal(), "epsilon": CENTRAL}
GROWING = sp.GrowUntilNonzero(sp.RelativeToNoise())
STD = {"noise": sp.Gumbel(), "projection": sp.Projection.STD}


def over(spaces, kind, *settings):
    return [kind(space, **its) for space in spaces for its in settings]


MODULES = {
    testing.DIRECT_LAWS: [
        *over(SPACES, sp.PerturbedDirectLoss, {}),
        *over([sp.OneHot(4), Shared()], sp.PerturbedDirectLoss, BOTH_SIDES),
        sp.PerturbedDirectLoss(sp.OneHot(3), noise=sp.Uniform()),
        sp.PerturbedDirectLoss(
            sp.KSubset(5, 2), noise=sp.Logistic(), epsilon=sp.GrowUntilNonzero(sp.RelativeToNoise())
        ),
        sp.PerturbedDirectLoss(sp.Chain(3, 2)),
        sp.PerturbedDirectLoss(sp.Knapsack([3, 4, 5], 8)),
        sp.PerturbedDirectLoss(sp.DagPath.grid(2, 3), noise=sp.Normal(), epsilon=CENTRAL),
        sp.PerturbedDirectLoss(sp.SpanningTree(networkx.complete_graph(4))),
        sp.blackbox_loss(sp.KSubset(4, 2)),
        sp.perturbation_gradient_loss(sp.OneHot(3), central=True),
    ],
    testing.POTENTIAL_LAWS: [
        *over(SPACES, sp.PerturbedFenchelYoungLoss, {}),
        *over(SPACES, sp.SPOPlusLoss, {}),
        *over(SPACES, sp.StructuredHingeLoss, {}),
        *over([sp.Matching(3), Shared()], sp.StructuredHingeLoss, NORMAL),
        *over(SPACES, sp.StructuredPerceptronLoss, {}),
    ],
    testing.SCORE_FUNCTION_LAWS: [
        *over(OF_PARTS, sp.ScoreFunctionLoss, {}),
        sp.ScoreFunctionLoss(sp.OneHot(4), **NORMAL),
    ],
    testing.DIFFERENCE_LAYER_LAWS: [
        *over(SPACES, sp.Blackbox, {}),
        *over([sp.Matching(3), Shared()], sp.Blackbox, BOTH_SIDES),
        *over(SPACES, sp.ImplicitMLE, {}),
        sp.ImplicitMLE(sp.KSubset(4, 2), noise=sp.SumOfGamma(2), epsilon=sp.AdaptiveEpsilon()),
    ],
    testing.IDENTITY_LAYER_LAWS: [
        *over(SPACES, sp.Identity, STD),
        sp.Identity(Shared(), **NORMAL),
        sp.Identity(sp.Matching(3), projection=sp.Projection.MEAN),
        sp.Identity(sp.OneHot(3), projection=sp.Projection.NORM),
    ],
    testing.MEAN_LAYER_LAWS: [
        *over(OF_PARTS, sp.PerturbedArgmax, {}),
        sp.PerturbedArgmax(sp.OneHot(4), noise=sp.Logistic()),
    ],
}

every_module = pytest.mark.parametrize(
    ("module", "laws"),
    [
        pytest.param(module, laws, id=" ".join(repr(module).split()))
        for laws, modules in MODULES.items()
        for module in modules
    ],
)


COSTLY = {"later_calls_are_as_the_first", "later_calls_keep_nothing"}  # a hundred calls, whatever the effort


def check_named(module, names, **settings):
    holds = testing.check_objective if isinstance(module, sp.Objective) else testing.check_layer
    return holds(module, only=names, **settings)


def check(module, laws, statistical, without=(), **settings):
    names = [law.name for law in laws if law.is_statistical == statistical and law.name not in without]
    return check_named(module, names, **settings)


@every_module
def test_its_laws_hold_draw_by_draw(module, laws):
    # One input of ties, one in generic position; and a few circumstances, of which the slow test tries all.
    check(module, laws, statistical=False, without=COSTLY, max_examples=2, max_seconds=0.05)


@pytest.mark.parametrize("module", {type(it): it for its in MODULES.values() for it in its}.values(), ids=repr)
def test_its_costly_laws_hold(module):
    check_named(module, COSTLY)


@pytest.mark.slow
@every_module
def test_its_laws_hold_draw_by_draw_for_many_inputs(module, laws):
    for seed in range(3):
        check(module, laws, statistical=False, seed=seed)


@pytest.mark.statistical
@every_module
def test_its_laws_hold_in_the_mean(module, laws, statistical_seed):
    check(module, laws, statistical=True, seed=statistical_seed, draws=10_000)


def test_each_law_is_in_reach_of_some_shipped_module():
    """Otherwise a law could be skipped everywhere, and nothing would say so."""
    for laws, modules in MODULES.items():
        kind = testing.ObjectiveSubject if isinstance(modules[0], sp.Objective) else testing.LayerSubject
        for law in laws:
            assert any(law.needs(kind(module)) is None for module in modules), law


@pytest.mark.statistical
@pytest.mark.parametrize("sigma", [0.1, 1.0, 10.0])
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
