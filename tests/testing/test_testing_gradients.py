"""The check of gradients: every broken one is caught by the law meant for it, and right ones pass."""

import pytest
from broken_gradients import BROKEN_GRADIENTS, Plain, Shared
from pasted import shows_again

import structpred as sp
from structpred.testing import GRADIENT_LAWS, LawError, check_direct_gradient, check_space


def _check(subject, **settings):
    return check_direct_gradient(
        subject.space, noise=subject.noise, central=subject.central, objective=subject.objective, **settings
    )


def _name(subject):
    return subject.objective.__name__ if subject.objective is not sp.PerturbedDirectLoss else repr(subject)


cases = [pytest.param(subject, law, id=f"{_name(subject)}-{law}") for subject, law in BROKEN_GRADIENTS]


@pytest.mark.parametrize(("subject", "law"), cases)
def test_a_broken_gradient_is_caught_by_the_law_meant_for_it(subject, law):
    with pytest.raises(LawError, match=f"breaks the law {law}:") as caught:
        _check(subject, only=[law], max_seconds=10)
    shows_again(str(caught.value))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 21))
def test_no_seed_lets_a_broken_gradient_through(seed):
    passed = [
        (_name(subject), law)
        for subject, law in BROKEN_GRADIENTS
        if _check(subject, only=[law], seed=seed, max_seconds=10, raises=False).passed
    ]
    assert passed == []


def test_every_law_has_a_broken_gradient():
    assert {law.name for law in GRADIENT_LAWS} == {law for _, law in BROKEN_GRADIENTS}


@pytest.mark.parametrize("central", [False, True])
@pytest.mark.parametrize("space", [sp.OneHot(3), Shared()], ids=repr)
def test_the_gradient_in_a_few_lines_passes(space, central):
    assert check_direct_gradient(space, central=central, objective=Plain).passed


def test_the_space_of_shared_noise_is_right():
    assert check_space(Shared()).passed
