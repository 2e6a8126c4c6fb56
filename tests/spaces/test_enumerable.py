"""How many structures a space may list."""

import re

import pytest

import structpred as sp
from structpred.spaces._enumerable import listing_at_most, validate_enumerable

SPACE = sp.OneHot(4)


def test_a_million_structures_are_listed_and_one_more_is_not():
    validate_enumerable(SPACE, 1_000_000)
    with pytest.raises(
        sp.ArgumentError, match=re.escape("enumerate: OneHot(n=4) has 1000001 structures, too many to list")
    ):
        validate_enumerable(SPACE, 1_000_001)


def test_counts_beyond_words_are_not_spelt_out():
    message = "enumerate: OneHot(n=4) has more than 10**30 sets, too many to list"
    with pytest.raises(sp.ArgumentError, match=re.escape(message)):
        validate_enumerable(SPACE, 10**5000, "sets")


def test_within_a_lower_limit_fewer_structures_are_listed_and_as_many_candidates():
    with listing_at_most(3, 100):
        with pytest.raises(sp.ArgumentError, match="has 4 structures, too many to list"):
            SPACE.enumerate()
        validate_enumerable(SPACE, 4, "candidates")
    with listing_at_most(4, 15), pytest.raises(sp.ArgumentError, match="has 4 structures"):
        SPACE.enumerate()  # of 16 entries
    assert len(SPACE.enumerate()) == 4
