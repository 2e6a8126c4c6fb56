import re

import numpy as np
import pytest
import torch

import structpred as sp


@pytest.mark.parametrize(
    ("n", "came"),
    [(0, "0 (int)"), (-2, "-2 (int)"), (2.0, "2.0 (float)"), (True, "True (bool)"), (None, "None (NoneType)")],
)
def test_sizes_that_are_no_integers_are_refused(n, came):
    message = f"n: expected an integer of at least 1, got {came}"
    with pytest.raises(sp.ArgumentError, match="^" + re.escape(message)):
        sp.OneHot(n)


def test_numpy_sizes_are_accepted():
    assert sp.OneHot(np.int64(3)) == sp.OneHot(3)
    assert sp.OneHot(np.int64(3)).argmax(torch.tensor([0.0, 2.0, 1.0])).tolist() == [0, 1, 0]


def test_it_is_not_the_subset_of_one():
    assert sp.OneHot(3) != sp.KSubset(3, 1)


def test_the_one_is_torchs_argmax():
    scores = torch.randn(9, 50, generator=torch.Generator().manual_seed(0))
    assert torch.equal(sp.OneHot(50).argmax(scores).argmax(-1), scores.argmax(-1))
