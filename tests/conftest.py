"""Hypothesis profiles: the same few examples every time, fewer with HYPOTHESIS_PROFILE=fast, many new with =thorough.

Statistical tests take ``statistical_seed``: 0 as a rule; ``-m statistical --seeds 1000`` runs each with 1,000
seeds, ``--first-seed`` says where to go on.
"""

import gc
import os

import pytest
from hypothesis import settings

from structpred.testing.settings import restoring_torch

settings.register_profile("ci", derandomize=True, deadline=None, max_examples=50, print_blob=True)
settings.register_profile("fast", derandomize=True, deadline=None, max_examples=8, print_blob=True)
settings.register_profile("thorough", deadline=None, max_examples=2000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(autouse=True)
def _torch_as_it_was():
    """Some broken spaces leave torch changed, which the tests after them should not see."""
    with restoring_torch():
        yield


def pytest_collection_finish():
    """Thousands of cases stay to the end: without them a collection of garbage, of which there are many, is quick."""
    gc.freeze()


def pytest_addoption(parser):
    parser.addoption("--seeds", type=int, default=1, help="how many seeds each statistical test is run with")
    parser.addoption("--first-seed", type=int, default=0, help="the first of them")


def pytest_generate_tests(metafunc):
    if "statistical_seed" in metafunc.fixturenames:
        first = metafunc.config.getoption("first_seed")
        metafunc.parametrize("statistical_seed", range(first, first + metafunc.config.getoption("seeds")))
