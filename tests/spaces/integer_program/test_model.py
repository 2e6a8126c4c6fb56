"""Linear spaces out of models of OR-Tools, with auxiliary variables."""

import gc
import itertools
import pickle
import re

import numpy as np
import ortools.linear_solver.pywraplp as pywraplp
import pytest
import torch
from ortools.linear_solver.python import model_builder
from scipy.optimize import Bounds, LinearConstraint

import structpred as sp

INF = float("inf")


def empty_model():
    return pywraplp.Solver.CreateSolver("SCIP")


def pywraplp_pair():
    model = empty_model()
    return model, model.BoolVar, model.IntVar, model.NumVar, model.Add


def builder_pair():
    model = model_builder.Model()
    return model, lambda name: model.new_bool_var(name), model.new_int_var, model.new_num_var, model.add


both = pytest.mark.parametrize("make", [pywraplp_pair, builder_pair], ids=["pywraplp", "model_builder"])


def even_model(make):
    """An even number of four parts, neither none nor all, said by an auxiliary integer."""
    model, new_bool, new_int, _, add = make()
    half = new_int(1, 5, "half")  # an auxiliary ahead of the parts
    parts = [new_bool(f"x{i}") for i in range(4)]
    add(parts[0] + parts[1] + parts[2] + parts[3] == 2 * half)
    add(parts[0] + parts[1] + parts[2] + parts[3] <= 3)
    return model, parts


@both
def test_what_a_model_says_equals_what_is_declared(make):
    model, new_bool, _, new_num, add = make()
    x = [new_bool("a"), new_num(0, 0.5, "b"), new_bool("c")]
    add(3 * x[0] - x[2] <= 2.5)
    add(x[1] + x[2] == 1)
    rows = [[3, 0, -1], [0, 1, 1]]
    declared = sp.IntegerProgram(
        3,
        LinearConstraint(rows, [-np.inf, 1], [2.5, 1]),
        bounds=Bounds([0, 0, 0], [1, 0.5, 1]),
        integrality=[1, 0, 1],
    )
    assert sp.IntegerProgram.from_model(model, x) == declared


@both
def test_parts_are_in_the_order_given_and_of_the_shape_given(make):
    model, new_bool, _, _, add = make()
    x = [new_bool(name) for name in "abcd"]
    add(x[0] + x[1] == 1)
    add(x[0] + x[2] >= 1)
    space = sp.IntegerProgram.from_model(model, [x[3], x[2], x[1], x[0]], shape=(2, 2))
    assert space.shape == (2, 2)
    assert space == sp.IntegerProgram((2, 2), LinearConstraint([[0, 0, 1, 1], [0, 1, 0, 1]], 1, [1, np.inf]))


@both
def test_auxiliary_variables_decide_membership_and_are_no_parts(make):
    space = sp.IntegerProgram.from_model(*even_model(make))
    assert repr(space) == "IntegerProgram(shape=(4,), constraints=2, auxiliaries=1, solver=SCIP)"
    pairs = [[float(i in pair) for i in range(4)] for pair in itertools.combinations(range(4), 2)]
    assert sorted(space.enumerate().tolist()) == sorted(pairs)
    scores = torch.randn(20, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = space.argmax(scores)
    assert space.contains(y).all()
    assert torch.equal(space.score(scores, y), scores.topk(2).values.sum(-1))
    assert space.contains(torch.tensor([[1, 1, 0, 0.5], [1, 1, torch.nan, 0], [1, 1, 0, 0]])).tolist() == [0, 0, 1]
    assert space.contains(torch.zeros(0, 4)).shape == (0,)


@pytest.mark.parametrize("solver", [sp.LinearSolver.GLOP, sp.LinearSolver.PDLP], ids=repr)
def test_auxiliary_variables_of_a_relaxation(solver):
    """max(x, y) <= 0.7 by way of an unbounded variable above both."""
    model, _, _, new_num, add = pywraplp_pair()
    x = [new_num(0, 1, name) for name in "xy"]
    top = new_num(-INF, INF, "top")
    add(top >= x[0])
    add(top >= x[1])
    add(top <= 0.7)
    space = sp.IntegerProgram.from_model(model, x, solver=solver)
    y = space.argmax(torch.tensor([[1.0, 2.0], [1.0, -1.0]], dtype=torch.float64))
    torch.testing.assert_close(y, torch.tensor([[0.7, 0.7], [0.7, 0.0]], dtype=torch.float64), rtol=0, atol=1e-6)
    assert space.contains(y).all()
    assert space.contains(torch.tensor([[0.7, 0.71], [0.1, 0.2]])).tolist() == [False, True]


def test_the_space_does_not_need_its_model_any_more():
    model, parts = even_model(pywraplp_pair)
    space = sp.IntegerProgram.from_model(model, parts)
    model.Add(parts[0] + parts[1] <= 0)
    assert space == sp.IntegerProgram.from_model(*even_model(pywraplp_pair))
    del model, parts
    gc.collect()
    again = pickle.loads(pickle.dumps(space))
    assert again == space
    assert again.argmax(torch.tensor([3.0, 2.0, 1.0, 0.0])).tolist() == [1, 1, 0, 0]


def test_the_objective_of_the_model_is_not_read():
    model, parts = even_model(pywraplp_pair)
    model.Maximize(parts[0] - 5 * parts[3])
    assert sp.IntegerProgram.from_model(model, parts) == sp.IntegerProgram.from_model(*even_model(pywraplp_pair))


_FOREIGN = []


def with_variable(new):
    model = empty_model()
    return model, [model.BoolVar("x"), new(model)]


def foreign():
    model, other = empty_model(), empty_model()
    x = [model.BoolVar("x"), model.BoolVar("y")]
    _FOREIGN.extend([other, other.BoolVar("x"), other.BoolVar("y")])  # its variables do not keep it alive
    return model, [x[0], _FOREIGN[-1]]


def foreign_and_behind_the_last():
    model, (x, _) = foreign()
    return model, [x, _FOREIGN[-3].BoolVar("z")]


def enforced():
    model = model_builder.Model()
    x = [model.new_bool_var(name) for name in "ab"]
    model.add_enforced(x[0] <= 0, x[1], True)
    return model, x


def infeasible():
    model = empty_model()
    x = [model.BoolVar("x")]
    model.Add(x[0] >= 2)
    return model, x


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ("model", []), "model: expected a pywraplp.Solver or a model_builder.Model, got str"),
        (lambda: (empty_model(), []), "variables: expected at least one variable, got none"),
        (lambda: (empty_model(), 3), "variables: expected a list of the model's variables, got int"),
        (lambda: (empty_model(), ["x"]), "variables[0]: expected a variable of the model, got str"),
        (foreign, "variables[1]: expected a variable of the model"),
        (foreign_and_behind_the_last, "variables[1]: expected a variable of the model"),
        (lambda: with_variable(lambda m: m.variable(0)), "variables: expected each variable once, got one that is li"),
        (
            lambda: with_variable(lambda m: m.IntVar(0, 2, "")),
            "variables: expected every part within 0 and 1, got 0 ",
        ),
        (
            lambda: with_variable(lambda m: m.NumVar(-INF, INF, "")),
            "variables: expected every part within 0 and 1, got -inf to inf for part 1; a number beyond 0 and 1 can",
        ),
        (
            lambda: (model_builder.Model(), [enforced()[1][0]]),
            "variables[0]: expected a variable of the model, got",
        ),
        (enforced, "model: expected linear constraints alone, got 1 of other kinds; write an enforced constraint with"),
        (
            infeasible,
            "constraints: expected some tensor to keep them all, but none does, for IntegerProgram(",
        ),
    ],
)
def test_what_makes_no_space_is_refused(build, message):
    model, variables = build()
    with pytest.raises(sp.ArgumentError, match="^" + re.escape(message)):
        sp.IntegerProgram.from_model(model, variables)


def test_a_shape_of_another_size_is_refused():
    with pytest.raises(sp.ArgumentError, match=r"^shape: expected a shape of 4 parts, one a variable, got \(2, 3\)"):
        sp.IntegerProgram.from_model(*even_model(pywraplp_pair), shape=(2, 3))


def test_cp_sat_takes_bounded_whole_auxiliaries_alone():
    space = sp.IntegerProgram.from_model(*even_model(pywraplp_pair), solver=sp.LinearSolver.CP_SAT)
    assert len(space.enumerate()) == 6
    model, parts = even_model(pywraplp_pair)
    model.IntVar(0, INF, "unbounded")
    with pytest.raises(sp.ArgumentError, match=r"^solver: expected one for continuous or unbounded variables, got Lin"):
        sp.IntegerProgram.from_model(model, parts, solver=sp.LinearSolver.CP_SAT)
