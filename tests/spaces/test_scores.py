"""What is known of scores before they are solved for."""

import math

import pytest
import torch

from structpred.spaces._scores import validate_scores


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([2.0, -3.0], (-3.0, 3.0)),
        ([2.0, 3.0, -math.inf], (-math.inf, 3.0)),
        ([-2.0, -3.0, -math.inf], (-math.inf, 3.0)),
        ([-math.inf, -math.inf], (-math.inf, 0.0)),
    ],
)
def test_the_largest_size_is_that_of_a_finite_score(scores, expected):
    assert validate_scores(torch.tensor([scores])) == expected
