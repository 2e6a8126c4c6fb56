import itertools
import math
import pickle
import re

import numpy as np
import pytest
import torch

import structpred as sp
from structpred.spaces import _decision_diagram

TENTHS = "multiply weights and capacity by a common factor, and round: 100 for prices in cents, say"


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: sp.Knapsack([], 1), "weights: expected at least one integer, got () (tuple)"),
        (lambda: sp.Knapsack(3, 1), "weights: expected a sequence of integers, one an item, got 3 (int)"),
        (lambda: sp.Knapsack("12", 1), "weights: expected a sequence of integers, one an item, got '12' (str)"),
        (lambda: sp.Knapsack(torch.tensor(3), 1), "weights: expected a sequence of integers, one an item, got 3 (int)"),
        (lambda: sp.Knapsack([1, -2], 1), "weights: expected an integer of at least 0, got -2 (int)"),
        (lambda: sp.Knapsack([1, True], 1), "weights: expected an integer of at least 0, got True (bool)"),
        (lambda: sp.Knapsack([1, "2"], 1), "weights: expected an integer of at least 0, got '2' (str)"),
        (lambda: sp.Knapsack([3.5], 1), f"weights: expected integers of at least 0, got 3.5 (float); {TENTHS}"),
        (
            lambda: sp.Knapsack(torch.ones(2), 1),
            f"weights: expected integers of at least 0, got 1.0 (float); {TENTHS}",
        ),
        (
            lambda: sp.Knapsack(np.ones((2, 3), dtype=int), 1),
            "weights: expected one dimension, an integer an item, got a matrix; "
            "several resources need an IntegerProgram, whose LinearConstraint takes a matrix of weights",
        ),
        (
            lambda: sp.Knapsack([2**62, 1], 1),
            "weights: expected integers whose sum is at most 2**62, got 4611686018427387905 (int); "
            "write them in larger units",
        ),
        (lambda: sp.Knapsack([1], -1), "capacity: expected an integer of at least 0, got -1 (int)"),
        (lambda: sp.Knapsack([1], None), "capacity: expected an integer of at least 0, got None (NoneType)"),
        (
            lambda: sp.Knapsack([1], 2.5),
            "capacity: expected an integer of at least 0, got 2.5 (float); "
            "round it down; if the weights are fractions, multiply both by a common factor first",
        ),
    ],
)
def test_what_makes_no_knapsack_is_refused(build, message):
    with pytest.raises(sp.ArgumentError, match="^" + re.escape(message) + "$"):
        build()


def test_weights_of_too_many_sums_are_refused(monkeypatch):
    monkeypatch.setattr(_decision_diagram, "_MOST_SUMS", 1000)
    sp.Knapsack([1] * 30, 30)  # 496 sums, over all numbers of items
    with pytest.raises(sp.ArgumentError, match=r"^weights: expected few enough .* got more than 1,000; round weights"):
        sp.Knapsack([2**i for i in range(12)], 2**12)


def test_it_is_one_value_however_it_is_given():
    space = sp.Knapsack([3, 4, 5], 8)
    same = [sp.Knapsack(np.array([3, 4, 5]), np.int64(8)), sp.Knapsack(torch.tensor([3, 4, 5]), 8)]
    same += [sp.Knapsack((weight for weight in (3, 4, 5)), 8), sp.Knapsack(np.array([3, 4, 5], dtype=object), 8)]
    for other in [*same, pickle.loads(pickle.dumps(space))]:
        assert other == space
        assert hash(other) == hash(space)
        assert repr(other) == "Knapsack(weights=(3, 4, 5), capacity=8)"
    assert space != sp.Knapsack([3, 4, 5], 9)
    assert space != sp.Knapsack([3, 5, 4], 8)


@pytest.mark.parametrize("seed", range(30))
def test_the_best_of_all_subsets_is_found(seed):
    rng = np.random.default_rng(seed)
    weights = rng.integers(0, rng.choice([4, 30, 10**12]), size=rng.integers(1, 9))
    capacity = int(rng.integers(0, weights.sum() + 2))
    space = sp.Knapsack(weights, capacity)
    every = torch.tensor(list(itertools.product([0.0, 1.0], repeat=len(weights))), dtype=torch.float64)
    inside = [sum(w for w, used in zip(weights.tolist(), y, strict=True) if used) <= capacity for y in every]
    assert space.contains(every).tolist() == inside
    listed = space.enumerate().tolist()
    assert sorted(listed) == sorted(every[inside].tolist())
    scores = torch.randn(50, len(weights), dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    best = (scores @ every[inside].mT).amax(-1)
    y = space.argmax(scores)
    torch.testing.assert_close(space.score(scores, y), best, rtol=1e-12, atol=1e-12)
    assert space.contains(y).all()


def test_structures_too_many_for_a_float_are_counted():
    count = sum(math.comb(70, items) for items in range(36))
    with pytest.raises(sp.ArgumentError, match=f"has {count} structures"):
        sp.Knapsack([1] * 70, 35).enumerate()


def test_only_capacities_that_tell_sets_apart_are_kept():
    """Otherwise the answers are the same, and come later."""
    weights = np.random.RandomState(0).choice(range(300, 800), size=32)
    nodes = sp.Knapsack(weights, 2000)._diagram.before.shape[1]
    assert nodes < 2000
    for factor in (100, 10**9):
        assert sp.Knapsack(factor * weights, factor * 2000 + factor // 2)._diagram.before.shape[1] == nodes
    assert sp.Knapsack(weights, 10**30)._diagram.before.shape[1] == 33  # everything fits: one node an item


def test_a_large_batch_is_solved_in_parts(monkeypatch):
    space = sp.Knapsack([3, 4, 5, 6], 9)
    scores = torch.randn(11, 4, generator=torch.Generator().manual_seed(0))
    whole = space.argmax(scores)
    sizes = []
    solve = _decision_diagram.DecisionDiagram._argmax
    monkeypatch.setattr(_decision_diagram, "_MOST_TABLE_ENTRIES", 3 * space._diagram.before.shape[1] + 1)
    monkeypatch.setattr(
        _decision_diagram.DecisionDiagram, "_argmax", lambda self, some: sizes.append(len(some)) or solve(self, some)
    )
    assert torch.equal(space.argmax(scores), whole)
    assert sizes == [3, 3, 3, 2]


def test_only_what_is_worth_something_is_taken():
    space = sp.Knapsack([0, 0, 0, 2, 3], 4)
    scores = torch.tensor([1.0, 0.0, -1.0, -torch.inf, 2.0])
    assert space.argmax(scores).tolist() == [1, 0, 0, 0, 1]
    assert space.argmax(torch.full((2, 5), -torch.inf)).tolist() == [[0.0] * 5] * 2  # the empty set is left


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_contains_adds_exactly_in_half_precision(dtype):
    """2049 is no number of these types but float32, nor is 2**24 + 1 one of float32."""
    space = sp.Knapsack([2048, 1, 2**24], 2**24)
    y = torch.tensor([[0, 0, 1], [0, 1, 1], [1, 1, 0]], dtype=dtype)
    assert space.contains(y).tolist() == [True, False, True]


def test_training_through_it():
    space = sp.Knapsack([3, 4, 5, 6], 9)
    target = torch.tensor([[0.0, 1, 1, 0], [1, 0, 0, 1], [0, 0, 0, 0]])
    scores = torch.zeros(3, 4, requires_grad=True)
    objective = sp.PerturbedDirectLoss(space, num_samples=10)
    optimizer = torch.optim.SGD([scores], lr=1.0)
    generator = torch.Generator().manual_seed(0)
    for _ in range(100):
        optimizer.zero_grad()
        objective(scores, space.hamming(target), generator=generator).backward()
        optimizer.step()
    assert torch.equal(space.argmax(scores), target)
