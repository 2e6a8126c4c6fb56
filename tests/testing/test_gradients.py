"""The checks of objectives and layers: every broken one is caught by the law meant for it, and right ones pass."""

import pytest

import structpred as sp
from structpred import testing
from structpred.testing import GRADIENT_LAWS, LawError, check_layer, check_objective, check_space
from tests.testing.broken import every, layers, score_functions  # noqa: F401
from tests.testing.broken.direct import CENTRAL, Plain
from tests.testing.broken.potentials import PlainPotential
from tests.testing.broken.shared import BROKEN, Shared
from tests.testing.pasted import shows_again

EFFORT = {"max_seconds": 10}  # and the kit's own number of draws


@pytest.mark.parametrize("broken", BROKEN, ids=lambda it: it.name)
def test_what_is_broken_is_caught_by_the_law_meant_for_it(broken, as_found):
    with pytest.raises(LawError, match=f"breaks the law {broken.law}:") as caught:
        broken.run(**EFFORT)
    shows_again(str(caught.value))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 21))
def test_no_seed_lets_what_is_broken_through(seed, as_found):
    assert [it.name for it in BROKEN if it.run(seed=seed, raises=False, **EFFORT).passed] == []


def test_every_law_has_a_broken_subject():
    assert {law.name for law in GRADIENT_LAWS} == {it.law for it in BROKEN}


@pytest.mark.parametrize(
    ("check", "module", "laws"),
    [
        (check_objective, Plain(sp.OneHot(3)), "DIRECT_LAWS"),
        (check_objective, Plain(Shared(), epsilon=CENTRAL), "DIRECT_LAWS"),
        (check_objective, PlainPotential(sp.KSubset(4, 2)), "POTENTIAL_LAWS"),
        (check_objective, PlainPotential(Shared(), margin=True, factor=2.0), "POTENTIAL_LAWS"),
        (check_objective, score_functions.PlainScoreFunction(sp.OneHot(3)), "SCORE_FUNCTION_LAWS"),
        (check_layer, layers.PlainDifference(Shared(), epsilon=CENTRAL), "DIFFERENCE_LAYER_LAWS"),
        (check_layer, layers.PlainIdentity(sp.Matching(2, 3)), "IDENTITY_LAYER_LAWS"),
        (check_layer, layers.PlainMean(sp.OneHot(3)), "MEAN_LAYER_LAWS"),
    ],
    ids=lambda it: it if isinstance(it, str) else type(it).__name__,
)
def test_those_in_a_few_lines_pass(check, module, laws):
    laws = getattr(testing, laws)
    assert check(module, laws=laws, max_examples=4, max_seconds=0.1, draws=5_000).passed


def test_the_space_of_shared_noise_is_right():
    assert check_space(Shared(), max_examples=3, max_seconds=0.1).passed
