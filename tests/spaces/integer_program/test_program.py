"""What is special to linear spaces as they are declared: programs, forbidden parts, relaxations, values."""

import copy
import pickle
import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, linprog
from scipy.sparse import coo_array, csr_array, csr_matrix

import structpred as sp
from structpred.spaces._integer_program.solvers import as_costs

INF = torch.inf
Solver = sp.LinearSolver
WHOLE = [Solver.SCIP, Solver.CP_SAT, Solver.HIGHS]
CONTINUOUS = [Solver.GLOP, Solver.SCIP, Solver.HIGHS, Solver.PDLP]

every_whole = pytest.mark.parametrize("solver", WHOLE, ids=repr)
every_continuous = pytest.mark.parametrize("solver", CONTINUOUS, ids=repr)


@pytest.fixture(autouse=True)
def _one_thread():
    """So that all examples of a batch are solved by one model, one after another."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def random_scores(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def matching(size, **arguments):
    """The permutation matrices as a program: every row and every column sums to 1."""
    eye, ones = np.eye(size), np.ones((1, size))
    sums = np.vstack([np.kron(eye, ones), np.kron(ones, eye)])
    return sp.IntegerProgram((size, size), LinearConstraint(sums, 1, 1), **arguments)


def subset(n, k, **arguments):
    return sp.IntegerProgram(n, LinearConstraint(np.ones(n), k, k), **arguments)


def brute_best(space, scores):
    y = space.enumerate().double().flatten(1)
    return (scores.flatten(1)[:, None].where(y.bool(), 0) * y).sum(-1).amax(-1)


# --- the best value


@every_whole
@given(data=st.data())
def test_random_programs_are_solved_as_by_brute_force(solver, data):
    """With rows bounded on both sides, of which SCIP's own propagation makes wrong infeasibilities."""
    seed = data.draw(st.integers(0, 10**6))
    rng = np.random.default_rng(seed)
    parts, rows = rng.integers(2, 8), rng.integers(1, 4)
    matrix = rng.integers(-5, 10, (rows, parts))
    kept = matrix @ rng.integers(0, 2, parts)  # so that there is a structure
    constraint = LinearConstraint(matrix, kept - rng.integers(0, 6, rows), kept + rng.integers(0, 6, rows))
    space = sp.IntegerProgram(int(parts), constraint, solver=solver)
    scores = random_scores(4, parts, seed=seed) * 10.0 ** data.draw(st.sampled_from([-290, 0, 290]))
    y = space.argmax(scores)
    assert space.contains(y).all()
    torch.testing.assert_close(
        space.score(scores, y), brute_best(space, scores), rtol=0, atol=1e-11 * scores.abs().max()
    )


@every_whole
def test_a_row_with_two_bounds_that_one_part_alone_fulfils(solver):
    space = sp.IntegerProgram(3, LinearConstraint([5, 9, 9], 8, 9), solver=solver)
    assert space.enumerate().tolist() == [[0, 0, 1], [0, 1, 0]]
    assert space.argmax(torch.tensor([9.0, 2.0, 1.0])).tolist() == [0, 1, 0]


@pytest.mark.parametrize("solver", [*WHOLE, Solver.GLOP, Solver.PDLP], ids=repr)
def test_at_sizes_too_large_to_list_the_value_is_that_of_matching(solver):
    space = matching(12, solver=solver, integrality=int(solver in WHOLE))
    scores = random_scores(5, 12, 12)
    y = space.argmax(scores)
    assert sp.Matching(12).contains(y).all()  # whole as they are, without rounding by the caller
    best = sp.Matching(12).score(scores, sp.Matching(12).argmax(scores))
    torch.testing.assert_close(space.score(scores, y), best, rtol=1e-12, atol=0)


@pytest.mark.parametrize("solver", [*WHOLE, Solver.GLOP, Solver.PDLP], ids=repr)
def test_at_sizes_too_large_to_list_the_value_is_that_of_ksubset(solver):
    space = subset(60, 17, solver=solver, integrality=int(solver in WHOLE))
    scores = random_scores(5, 60)
    y = space.argmax(scores)
    assert sp.KSubset(60, 17).contains(y).all()
    best = sp.KSubset(60, 17).score(scores, sp.KSubset(60, 17).argmax(scores))
    torch.testing.assert_close(space.score(scores, y), best, rtol=1e-12, atol=0)


@pytest.mark.parametrize("solver", [*WHOLE, Solver.GLOP, Solver.PDLP], ids=repr)
@pytest.mark.parametrize("magnitude", [5e-324, 1e-300, 1.0, 1e300])
def test_scores_of_any_magnitude(solver, magnitude):
    space = subset(4, 2, solver=solver, integrality=int(solver in WHOLE))
    scores = magnitude * torch.tensor([[1.0, -1.0, 1.0, 0.0], [0.0, -1.0, -1.0, 0.0]], dtype=torch.float64)
    assert space.argmax(scores).tolist() == [[1, 0, 1, 0], [1, 0, 0, 1]]


@pytest.mark.parametrize("solver", [*WHOLE, Solver.GLOP], ids=repr)
def test_values_a_trillionth_of_the_largest_score_apart_are_told_apart(solver):
    space = subset(3, 1, solver=solver, integrality=int(solver in WHOLE))
    scores = torch.tensor([[1, 1 + 3e-12, 1 + 1e-12], [1 - 3e-12, 1 - 5e-12, 1]], dtype=torch.float64)
    assert space.argmax(scores).tolist() == [[0, 1, 0], [0, 0, 1]]


@every_whole
def test_nearly_equal_structures_of_a_knapsack_are_told_apart(solver):
    weights = np.random.default_rng(0).integers(1, 30, (2, 10))
    space = sp.IntegerProgram(10, LinearConstraint(weights, ub=weights.sum(1) // 2), solver=solver)
    scores = 1 + 1e-8 * random_scores(20, 10)
    best = brute_best(space, scores)
    torch.testing.assert_close(space.score(scores, space.argmax(scores)), best, rtol=0, atol=1e-11)


def test_answers_are_freed_of_the_solvers_rounding_errors():
    solved = np.array([[1e-9, 1 - 1e-9, 0.5], [-1e-12, 1 + 1e-12, -0.0]])
    y = sp.IntegerProgram(3, integrality=0).program.clean(solved)
    assert y.tolist() == [[0, 1, 0.5], [0, 1, 0]]
    assert not np.signbit(y).any()


def test_cp_sat_is_given_integers():
    costs = as_costs(np.array([[1 / 3, -np.inf, -1.0]]), Solver.CP_SAT)
    assert (costs == np.rint(costs)).all()
    assert costs[0, 0] / costs[0, 2] == pytest.approx(-1 / 3, rel=1e-14)


@pytest.mark.parametrize("parts", [3, 64, 200, 5_000])
def test_the_integers_that_cp_sat_is_given_have_sums_that_float64_holds(parts):
    costs = as_costs(np.ones((1, parts)), Solver.CP_SAT)
    assert 2.0**49 < np.abs(costs).sum() <= 2.0**52


@pytest.mark.parametrize("solver", Solver, ids=repr)
def test_what_forbidden_parts_cost_scales_no_others(solver):
    costs = as_costs(np.array([[1e-9, -np.inf, -2e-9], [1e-9, 0.0, -2e-9]]), solver)
    assert costs[0].tolist() == costs[1].tolist()


def test_an_objective_of_zeros_does_not_keep_the_former_one():
    space = subset(3, 1)
    scores = torch.tensor([[0.0, 0.0, 5.0], [0.0, 1.0, 0.0], [-1.0, -1.0, 0.0]])
    assert space.argmax(scores).tolist() == [[0, 0, 1], [0, 1, 0], [0, 0, 1]]


def test_without_constraints_every_part_of_positive_score_is_taken():
    scores = random_scores(6, 2, 3)
    for space in (sp.IntegerProgram((2, 3)), sp.IntegerProgram((2, 3), integrality=0)):
        assert torch.equal(space.argmax(scores), (scores > 0).double())


def test_columns_are_the_parts_in_row_major_order():
    space = sp.IntegerProgram((2, 3), LinearConstraint([0, 0, 1, 1, 0, 0], 2, 2))
    assert space.argmax(torch.full((2, 3), -1.0)).tolist() == [[0, 0, 1], [1, 0, 0]]


def test_bounds_fix_parts():
    space = sp.IntegerProgram((2, 2), bounds=Bounds([[1, 0], [0, 0]], [[1, 1], [0.5, 1]]))
    scores = torch.tensor([[-1.0, 1.0], [1.0, -1.0]])
    assert space.argmax(scores).tolist() == [[1, 1], [0, 0]]
    assert len(space.enumerate()) == 4


# --- forbidden parts


@pytest.mark.parametrize("solver", [*WHOLE, Solver.GLOP, Solver.PDLP], ids=repr)
def test_forbidden_parts_are_allowed_again_in_the_next_example(solver):
    space = subset(3, 1, solver=solver, integrality=int(solver in WHOLE))
    scores = torch.tensor([[3.0, 2.0, 1.0], [-INF, 2.0, 1.0], [3.0, 2.0, 1.0], [-INF, -INF, -9.0], [3.0, -INF, 1.0]])
    assert space.argmax(scores).argmax(-1).tolist() == [0, 1, 0, 2, 0]


@pytest.mark.parametrize("solver", [*WHOLE, Solver.GLOP, Solver.PDLP], ids=repr)
def test_examples_without_an_allowed_structure_are_named(solver):
    space = matching(5, solver=solver, integrality=int(solver in WHOLE))
    scores = random_scores(2, 2, 5, 5)
    scores[1, 0, :3, :3] = -INF  # three rows contend for two columns
    with pytest.raises(sp.InfeasibleError, match=re.escape("in example (1, 0); allow more parts there")):
        space.argmax(scores)


@pytest.mark.parametrize("solver", [*WHOLE, Solver.GLOP, Solver.PDLP], ids=repr)
def test_a_part_that_its_bounds_demand_cannot_be_forbidden(solver):
    space = sp.IntegerProgram(2, bounds=Bounds([1, 0], [1, 1]), integrality=int(solver in WHOLE), solver=solver)
    with pytest.raises(sp.InfeasibleError, match="in example 1;"):
        space.argmax(torch.tensor([[1.0, -INF], [-INF, 1.0]]))


# --- relaxations


@every_continuous
def test_a_relaxations_value_is_scipys(solver):
    rng = np.random.default_rng(0)
    weights = rng.random((3, 12))
    space = sp.IntegerProgram(12, LinearConstraint(weights, 0.5, 2), integrality=0, solver=solver)
    scores = random_scores(8, 12)
    y = space.argmax(scores)
    assert space.contains(y).all()
    assert (y != y.round()).any()
    rows, limits = np.vstack([weights, -weights]), [2, 2, 2, -0.5, -0.5, -0.5]
    best = [-linprog(-example, A_ub=rows, b_ub=limits, bounds=(0, 1)).fun for example in scores.numpy()]
    torch.testing.assert_close(space.score(scores, y), torch.tensor(best, dtype=torch.float64), rtol=1e-7, atol=0)


def test_a_mixed_program_has_whole_and_continuous_parts():
    space = sp.IntegerProgram(2, LinearConstraint([1, 1], ub=1.5), integrality=[1, 0])
    assert space.argmax(torch.tensor([2.0, 1.0])).tolist() == [1, 0.5]
    assert space.contains(torch.tensor([[1, 0.5], [0.5, 1], [1, 0.6]])).tolist() == [True, False, False]
    assert repr(space) == "IntegerProgram(shape=(2,), constraints=1, solver=SCIP, LP relaxation)"


def test_a_relaxation_contains_what_keeps_the_constraints_to_the_tolerance():
    space = sp.IntegerProgram(2, LinearConstraint([1000, 1000], ub=1000), integrality=0)
    y = torch.tensor([[0.5, 0.5], [0.5, 0.5000009], [0.5, 0.5000021], [-1e-7, 0], [-1e-5, 0], [1, torch.nan]])
    assert space.contains(y.double()).tolist() == [True, True, False, True, False, False]


# --- values


def test_equal_content_is_equal_however_it_is_written():
    rows = np.array([[1.0, 0.0, 2.0], [0.0, -3.0, 0.0]])
    one = sp.IntegerProgram(3, LinearConstraint(rows, -1, [2, 3]))
    duplicates = coo_array(([0.5, 0.5, 2.0, -3.0, 0.0], ([0, 0, 0, 1, 1], [0, 0, 2, 1, 2])), shape=(2, 3))
    for matrix in (csr_matrix(rows), csr_array(rows), duplicates):
        assert sp.IntegerProgram([3], LinearConstraint(matrix, [-1, -1], [2, 3]), integrality=[1, 1, 1]) == one
    apart = [LinearConstraint(rows[0], -1, 2), LinearConstraint(rows[1], -1, 3)]
    again = sp.IntegerProgram((3,), apart, bounds=Bounds(-0.0, [1, 1, 1]), solver=Solver.SCIP)
    assert again == one
    assert hash(again) == hash(one)


@pytest.mark.parametrize(
    "other",
    [
        subset(4, 2, integrality=0),
        subset(4, 2, solver=Solver.HIGHS),
        subset(4, 2, time_limit=1),
        subset(4, 2, gap=0.1),
        subset(4, 2, accept_incumbent=True),
        subset(4, 2, bounds=Bounds([0, 0, 0, 1], 1)),
        subset(4, 2, bounds=Bounds(0, [1, 1, 1, 0])),
        subset(4, 3),
        sp.IntegerProgram((2, 2), LinearConstraint(np.ones(4), 2, 2)),
        sp.IntegerProgram(4, LinearConstraint(np.ones(4), 1, 2)),
        sp.IntegerProgram(4, LinearConstraint([1, 1, 1, 2], 2, 2)),
    ],
    ids=repr,
)
def test_other_content_is_not_equal(other):
    assert other != subset(4, 2)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda space: pickle.loads(pickle.dumps(space))])
def test_a_copy_is_equal_and_solves(duplicate):
    space = subset(5, 2, integrality=0)
    space.argmax(random_scores(3, 5))
    again = duplicate(space)
    assert again == space
    assert hash(again) == hash(space)
    assert torch.equal(again.argmax(random_scores(3, 5)), space.argmax(random_scores(3, 5)))


def test_changing_the_arrays_that_were_given_changes_nothing():
    matrix = np.ones((1, 3))
    space = sp.IntegerProgram(3, LinearConstraint(matrix, 1, 1))
    matrix[:] = 0
    assert space == subset(3, 1)


def test_the_repr_says_sizes_and_settings():
    assert repr(matching(3)) == "IntegerProgram(shape=(3, 3), constraints=6, solver=SCIP)"
    assert repr(matching(3, integrality=0)) == "IntegerProgram(shape=(3, 3), constraints=6, solver=GLOP, LP relaxation)"
    assert repr(subset(3, 1, time_limit=2, gap=0.01, accept_incumbent=True)) == (
        "IntegerProgram(shape=(3,), constraints=1, solver=SCIP, time_limit=2, gap=0.01, accept_incumbent=True)"
    )


def test_only_binary_programs_of_few_parts_are_enumerated():
    assert subset(16, 1).enumerate().shape == (16, 16)
    with pytest.raises(sp.ArgumentError, match=re.escape("solver=SCIP) has 2^17 binary tensors, too many to test")):
        subset(17, 1).enumerate()
    with pytest.raises(NotImplementedError, match=r"LP relaxation.* has no list of structures: they are not whole"):
        subset(3, 1, integrality=0).enumerate()
