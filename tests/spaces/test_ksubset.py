import re

import numpy as np
import pytest
import torch

import structpred as sp


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: sp.KSubset(0, 1), "n: expected an integer of at least 1, got 0 (int)"),
        (lambda: sp.KSubset(3, 0), "k: expected an integer of at least 1, got 0 (int)"),
        (lambda: sp.KSubset(3, 4), "k: expected at most n = 3, the number of parts to choose from, got 4 (int)"),
        (lambda: sp.KSubset(3.0, 1), "n: expected an integer of at least 1, got 3.0 (float)"),
        (lambda: sp.KSubset(3, 1.0), "k: expected an integer of at least 1, got 1.0 (float)"),
        (lambda: sp.KSubset(True, 1), "n: expected an integer of at least 1, got True (bool)"),
        (lambda: sp.KSubset(3, True), "k: expected an integer of at least 1, got True (bool)"),
        (lambda: sp.KSubset(3, None), "k: expected an integer of at least 1, got None (NoneType)"),
        (lambda: sp.KSubset(3, "2"), "k: expected an integer of at least 1, got '2' (str)"),
        (lambda: sp.KSubset(3, []), "k: expected at least one number, got () (tuple)"),
        (lambda: sp.KSubset(3, [1, 4]), "k: expected at most n = 3, the number of parts to choose from, got 4 (int)"),
        (lambda: sp.KSubset(3, [1, 0]), "k: expected an integer of at least 1, got 0 (int)"),
        (lambda: sp.KSubset(3, torch.ones(2, 2)), "k: expected an integer of at least 1, got [1.0, 1.0] (list)"),
    ],
)
def test_sizes_that_make_no_subset_are_refused(build, message):
    with pytest.raises(sp.ArgumentError, match="^" + re.escape(message)):
        build()


def test_numpy_sizes_are_accepted():
    space = sp.KSubset(np.int64(3), np.int8(2))
    assert space == sp.KSubset(3, 2)
    assert hash(space) == hash(sp.KSubset(3, 2))
    assert space.argmax(torch.tensor([0.0, 1.0, 2.0])).tolist() == [0, 1, 1]


def test_repr():
    assert repr(sp.KSubset(5, 2)) == "KSubset(n=5, k=2)"


def test_at_real_sizes_the_chosen_are_those_of_a_sort():
    scores = torch.randn(7, 500, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y = sp.KSubset(500, 37).argmax(scores)
    threshold = scores.sort(-1, descending=True).values[:, 36:37]
    assert torch.equal(y, (scores >= threshold).double())


def test_fewer_allowed_parts_than_k_are_infeasible():
    scores = torch.zeros(3, 5)
    scores[1, :3] = -torch.inf  # two are left, which is enough
    scores[2, :4] = -torch.inf  # one is left
    assert sp.KSubset(5, 2).argmax(scores[:2])[1].tolist() == [0, 0, 0, 1, 1]
    with pytest.raises(sp.InfeasibleError, match="in example 2; allow more parts there"):
        sp.KSubset(5, 2).argmax(scores)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_contains_counts_exactly_in_half_precision(dtype):
    """257 and 2049 are no numbers of bfloat16 and float16: a sum in those dtypes comes out one too small."""
    for k in (257, 2049):
        space = sp.KSubset(3000, k)
        y = (torch.arange(3000) < k).to(dtype)
        assert space.contains(y)
        y[0] = 0
        assert not space.contains(y)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_hamming_counts_exactly_for_targets_in_half_precision(dtype):
    target = (torch.arange(3000) < 2049).to(dtype)
    loss = sp.KSubset(3000, 2049).hamming(target)
    assert float(loss(target.float())) == 0
    assert float(loss(torch.zeros(3000))) == 2049


def test_each_row_may_have_a_k_of_its_own():
    scores = torch.randn(7, 3, 50, generator=torch.Generator().manual_seed(0))
    y = sp.KSubset(50, [4, 20, 1]).argmax(scores)
    for row, k in enumerate([4, 20, 1]):
        assert torch.equal(y[:, row], sp.KSubset(50, k).argmax(scores[:, row]))


def test_several_k_are_one_value_however_they_are_given():
    space = sp.KSubset(5, (1, 3))
    assert space == sp.KSubset(5, [1, 3]) == sp.KSubset(5, torch.tensor([1, 3]))
    assert space != sp.KSubset(5, (3, 1))
    assert sp.KSubset(5, (2,)) != sp.KSubset(5, 2)
    assert repr(space) == "KSubset(n=5, k=(1, 3))"


def test_training_through_rows_of_different_k():
    space = sp.KSubset(6, (1, 3))
    target = torch.tensor([[0.0, 0, 0, 0, 0, 1], [1.0, 0, 1, 0, 1, 0]])
    scores = torch.zeros(2, 6, requires_grad=True)
    scale = torch.ones(2, 1)  # one sigma a row
    objective = sp.PerturbedDirectLoss(space, epsilon=-1.0, num_samples=10)
    optimizer = torch.optim.SGD([scores], lr=1.0)
    for _ in range(50):
        optimizer.zero_grad()
        objective(scores, space.hamming(target), scale=scale, generator=torch.Generator().manual_seed(0)).backward()
        optimizer.step()
    assert torch.equal(space.argmax(scores), target)
