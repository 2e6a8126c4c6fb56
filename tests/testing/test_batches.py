"""Batches of different spaces that are broken in one way each, and the law that says so."""

import attrs
import pytest
import torch

import structpred as sp
from structpred.testing import BATCH_LAWS, LawError, check_space

SPACES = [sp.Chain(3, 2), sp.Chain(2, 3)]


@attrs.frozen(repr=False)
class Swapped(sp.SpaceBatch):
    """Solves each example in the space of the next where that has as many parts."""

    def _solve(self, flat, largest, example_of):
        return super()._solve(flat, largest, lambda row: (*example_of(row)[:-1], (example_of(row)[-1] + 1) % len(self)))


@attrs.frozen(repr=False)
class NamesNone(sp.SpaceBatch):
    """Names the first example, whichever it is."""

    def argmax(self, scores):
        try:
            return super().argmax(scores)
        except sp.InfeasibleError as error:
            raise sp.InfeasibleError([(*index[:-1], 0) for index in error.examples]) from None


@attrs.frozen(repr=False)
class CountsPadding(sp.SpaceBatch):
    """Takes the padding for variables in the size of the noise."""

    @property
    def variables(self):
        return torch.ones(len(self), *self.noise_shape, dtype=torch.bool)


@attrs.frozen(repr=False)
class SpreadsTwice(sp.SpaceBatch):
    """Lays the noise on the parts twice."""

    def spread(self, noise):
        return 2 * super().spread(noise)


@attrs.frozen(repr=False)
class InTurns(sp.SpaceBatch):
    """Takes every batch for whole turns through the spaces, in their order."""

    def _solve(self, flat, largest, example_of):
        return super()._solve(flat, largest, lambda row: (row % len(self),))


@attrs.frozen(repr=False)
class OrdersTwice(sp.SpaceBatch):
    """Sorts the examples by their spaces, and sorts the answers once more instead of back."""

    def _solve(self, flat, largest, example_of):
        order = sorted(range(len(flat)), key=lambda row: example_of(row)[-1])
        return super()._solve(flat[order], largest, lambda row: example_of(order[row]))[order]


BROKEN = [
    ("each_example_is_solved_in_its_own_space", OrdersTwice([sp.KSubset(3, 1), sp.KSubset(3, 2), sp.OneHot(3)])),
    ("each_example_is_solved_in_its_own_space", Swapped([sp.KSubset(3, 1), sp.KSubset(3, 2)])),
    ("each_example_is_solved_in_its_own_space", InTurns([sp.KSubset(3, 1), sp.KSubset(3, 2)])),
    ("the_example_without_structures_is_named", NamesNone(SPACES)),
    ("direct_gradients_equal_those_of_the_loop", CountsPadding(SPACES)),
    ("fenchel_young_gradients_equal_those_of_the_loop", SpreadsTwice(SPACES)),
]


@pytest.mark.parametrize(("law", "spaces"), BROKEN, ids=lambda it: it if isinstance(it, str) else type(it).__name__)
def test_what_is_broken_is_found(law, spaces):
    with pytest.raises(LawError, match=f"breaks the law {law}"):
        check_space(spaces, only=[law])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 21))
def test_no_seed_lets_what_is_broken_through(seed):
    assert [law for law, spaces in BROKEN if check_space(spaces, only=[law], seed=seed, raises=False).passed] == []


def test_every_law_of_batches_finds_something():
    assert {law for law, _ in BROKEN} == {law.name for law in BATCH_LAWS}


def test_a_batch_of_a_single_space_passes():
    names = [law.name for law in BATCH_LAWS]
    assert check_space(sp.SpaceBatch([sp.KSubset(5, 2)]), only=names, max_examples=5).passed


def test_a_batch_has_the_laws_of_a_space_and_its_own():
    report = check_space(sp.SpaceBatch([sp.OneHot(2), sp.OneHot(1)]), max_examples=2, only=[BATCH_LAWS[0].name])
    assert report.passed
    assert BATCH_LAWS[0].name in str(report)
    with pytest.raises(sp.ArgumentError, match="only: expected names of laws"):
        check_space(sp.OneHot(2), only=[BATCH_LAWS[0].name])
