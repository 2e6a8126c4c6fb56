"""What is special to matchings: sorting, padding, Hall's condition, sizes of real use."""

import itertools
import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

import structpred as sp

INF = torch.inf


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: sp.Matching(0), "rows: expected an integer of at least 1, got 0 (int)"),
        (lambda: sp.Matching(-1), "rows: expected an integer of at least 1, got -1 (int)"),
        (lambda: sp.Matching(2.0), "rows: expected an integer of at least 1, got 2.0 (float)"),
        (lambda: sp.Matching(True), "rows: expected an integer of at least 1, got True (bool)"),
        (lambda: sp.Matching("2"), "rows: expected an integer of at least 1, got '2' (str)"),
        (lambda: sp.Matching(2, 0), "cols: expected an integer of at least 1, got 0 (int)"),
        (lambda: sp.Matching(2, None), "cols: expected an integer of at least 1, got None (NoneType)"),
    ],
)
def test_sizes_that_are_no_integers_are_refused(build, message):
    with pytest.raises(sp.ArgumentError, match="^" + re.escape(message)):
        build()


def test_one_size_makes_a_square():
    assert sp.Matching(3) == sp.Matching(3, 3)
    assert sp.Matching(3) != sp.Matching(3, 4)
    assert repr(sp.Matching(3)) == "Matching(rows=3, cols=3)"


def test_numpy_sizes_are_accepted():
    space = sp.Matching(np.int64(2), np.int32(3))
    assert space == sp.Matching(2, 3)
    assert space.argmax(torch.zeros(5, 2, 3)).sum() == 10


@given(st.permutations(range(6)))
def test_rows_valued_by_rank_are_sorted(ranks):
    values = torch.tensor(ranks, dtype=torch.float64)
    y = sp.Matching(6).argmax(torch.outer(values, torch.arange(6.0)))
    assert (values @ y.double()).tolist() == list(range(6))


@pytest.mark.parametrize(("rows", "cols"), [(40, 40), (30, 45), (45, 30)])
def test_at_real_sizes_the_value_is_scipys(rows, cols):
    scores = torch.randn(5, rows, cols, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    space = sp.Matching(rows, cols)
    y = space.argmax(scores)
    assert space.contains(y).all()
    for matrix, value in zip(scores.numpy(), space.score(scores, y), strict=True):
        assert value.item() == pytest.approx(matrix[linear_sum_assignment(matrix, maximize=True)].sum(), rel=1e-12)


def test_padding_a_ragged_batch_solves_each_example_at_its_own_size():
    generator = torch.Generator().manual_seed(0)
    sizes = [2, 4, 3]
    examples = [torch.randn(size, size, dtype=torch.float64, generator=generator) for size in sizes]
    padded = torch.full((len(sizes), 4, 4), -INF, dtype=torch.float64)
    for matrix, example, size in zip(padded, examples, sizes, strict=True):
        matrix[:size, :size] = example
        matrix[range(size, 4), range(size, 4)] = 0  # what is padded matches itself
    y = sp.Matching(4).argmax(padded)
    for solved, example, size in zip(y, examples, sizes, strict=True):
        assert torch.equal(solved[:size, :size], sp.Matching(size).argmax(example))


@pytest.mark.parametrize("transpose", [False, True])
def test_rows_that_contend_for_one_column_are_infeasible(transpose):
    contending = torch.tensor([[0.0, -INF, -INF], [0.0, -INF, -INF], [0.0, 0.0, 0.0]])
    scores = torch.stack([torch.zeros(3, 3), contending.mT if transpose else contending])
    with pytest.raises(sp.InfeasibleError, match="in example 1; allow more parts there"):
        sp.Matching(3).argmax(scores)


@pytest.mark.parametrize("space", [sp.Matching(2, 4), sp.Matching(4, 2)], ids=repr)
def test_only_the_fewer_side_must_be_used(space):
    scores = torch.zeros(3, *space.shape)
    longer = 1 + (space.cols > space.rows)
    scores.select(longer, 0).fill_(-INF)  # one of four is left out: three are enough for two
    assert space.argmax(scores).select(longer, 0).eq(0).all()
    scores.select(3 - longer, 0).fill_(-INF)  # one of two is left out
    with pytest.raises(sp.InfeasibleError, match="in examples 0, 1, 2;"):
        space.argmax(scores)


def test_scores_whose_sums_could_overflow_are_refused():
    scores = torch.zeros(2, 3, 3, dtype=torch.float64)
    scores[0, 0, 0] = -torch.inf
    scores[1, 2, 2] = -1.7e308
    with pytest.raises(sp.ArgumentError, match=r"scores: expected numbers up to 1e\+300 in size, got 1.7e\+308; their"):
        sp.Matching(3).argmax(scores)
    scores[1, 2, 2] = -1e300
    assert sp.Matching(3).argmax(scores)[1, 2, 2] == 0


def test_contains_wants_every_row_of_the_fewer_side():
    partial = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    doubled = torch.tensor([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    full = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    assert sp.Matching(2, 3).contains(torch.stack([partial, doubled, full])).tolist() == [False, False, True]
    assert sp.Matching(3, 2).contains(torch.stack([partial.mT, doubled.mT, full.mT])).tolist() == [False, False, True]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_contains_counts_exactly_in_half_precision(dtype):
    """257 and 2049 are no numbers of bfloat16 and float16: a sum in those dtypes comes out one too small."""
    for size in (257, 2049):
        y = torch.eye(size, dtype=dtype)
        assert sp.Matching(size).contains(y)
        y[-1, -1] = 0
        assert not sp.Matching(size).contains(y)


def test_enumerate_lists_the_permutations():
    listed = {tuple(y.argmax(-1).tolist()) for y in sp.Matching(4).enumerate()}
    assert listed == set(itertools.permutations(range(4)))
