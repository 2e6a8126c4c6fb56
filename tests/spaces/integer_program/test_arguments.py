"""What ``IntegerProgram`` refuses, and what it says then."""

import re
import sys

import numpy as np
import pytest
from scipy.optimize import Bounds, LinearConstraint

import structpred as sp
from structpred.spaces._integer_program import arguments as argument_checks
from structpred.spaces._integer_program import solvers

Solver = sp.LinearSolver
ONES = LinearConstraint(np.ones(3), 1, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shape": 0}, "shape: expected an integer of at least 1, got 0 (int)"),
        ({"shape": (2, 0.5)}, "shape: expected an integer of at least 1, got 0.5 (float)"),
        ({"shape": ()}, "shape: expected at least one dimension, got () (tuple)"),
        (
            {"constraints": LinearConstraint(np.ones((2, 4)))},
            "constraints.A: expected a matrix with 3 columns, one a part, got one of shape (2, 4); columns are",
        ),
        ({"constraints": [ONES, LinearConstraint([1, 2])]}, "constraints[1].A: expected a matrix with 3 columns"),
        ({"constraints": [ONES, "no"]}, "constraints[1]: expected a scipy.optimize.LinearConstraint, got str; write"),
        ({"constraints": np.ones(3)}, "constraints: expected a scipy.optimize.LinearConstraint, got ndarray; write"),
        ({"constraints": LinearConstraint([1, np.nan, 1])}, "constraints.A: expected finite numbers, got NaN or inf"),
        ({"constraints": LinearConstraint([1, np.inf, 1])}, "constraints.A: expected finite numbers, got NaN or inf"),
        ({"constraints": LinearConstraint(np.ones(3), np.nan)}, "constraints: expected bounds without NaN, got NaN"),
        (
            {"constraints": [LinearConstraint(np.ones(3), 2, 1)]},
            "constraints[0]: expected lower bounds that are not above the upper, got 2 to 1 at position 0",
        ),
        (
            {"constraints": LinearConstraint(np.ones(3), np.inf, np.inf)},
            "constraints: expected lower bounds that are not above the upper, got inf to inf at position 0",
        ),
        (
            {"constraints": LinearConstraint(np.ones(3), 4)},
            "constraints: expected some tensor to keep them all, but none does, for IntegerProgram(shape=(3,), ",
        ),
        (
            {"bounds": (0, 1)},
            "bounds: expected a scipy.optimize.Bounds, got (0, 1) (tuple); write Bounds(lower, up",
        ),
        ({"bounds": Bounds([0, 0], 1)}, "bounds.lb: expected one number or 3, one a part, got 2"),
        ({"bounds": Bounds(0, [1, np.nan, 1])}, "bounds: expected bounds without NaN, got NaN"),
        ({"bounds": Bounds(0, np.nan)}, "bounds: expected bounds without NaN, got NaN"),
        (
            {"bounds": Bounds([0, 0.7, 0], 0.5)},
            "bounds: expected lower bounds that are not above the upper, got 0.7",
        ),
        ({"bounds": Bounds([0, 0.2, 0], 0.5)}, "constraints: expected some tensor to keep them all, but none does"),
        (
            {"bounds": Bounds(0, [1, 2, 1])},
            "bounds: expected every part within 0 and 1, got 0 to 2 for part 1; a num",
        ),
        ({"bounds": Bounds(0, np.inf)}, "bounds: expected every part within 0 and 1, got 0 to inf for part 0"),
        ({"bounds": Bounds()}, "bounds: expected every part within 0 and 1, got -inf to inf for part 0"),
        ({"integrality": 2}, "integrality: expected 1 for integers, 0 for continuous ones, got 2 (int)"),
        ({"integrality": [1, 1]}, "integrality: expected one number or 3, one a part, got 2"),
        ({"integrality": "all"}, "integrality: expected numbers, got 'all' (str)"),
        (
            {"solver": "SCIP"},
            "solver: expected a LinearSolver (GLOP, SCIP, CP_SAT, HIGHS, PDLP), got 'SCIP' (str);",
        ),
        (
            {"solver": Solver.GLOP},
            "solver: expected one for integers, got LinearSolver.GLOP (LinearSolver); write "
            "solver=LinearSolver.SCIP, or integrality=0 for the LP relaxation",
        ),
        (
            {"solver": Solver.PDLP, "integrality": [0, 0, 1]},
            "solver: expected one for integers, got LinearSolver",
        ),
        (
            {"solver": Solver.CP_SAT, "integrality": 0},
            "solver: expected one for continuous or unbounded variables",
        ),
        ({"time_limit": 0}, "time_limit: expected seconds above 0, or None for no limit, got 0 (int)"),
        ({"time_limit": -1.5}, "time_limit: expected seconds above 0, or None for no limit, got -1.5 (float)"),
        ({"time_limit": "1"}, "time_limit: expected a finite number, got '1' (str)"),
        ({"time_limit": float("nan")}, "time_limit: expected a finite number, got nan (float)"),
        ({"gap": -0.1}, "gap: expected a number of at least 0, got -0.1 (float)"),
        ({"gap": None}, "gap: expected a finite number, got None (NoneType)"),
        ({"gap": 0.1, "integrality": 0}, "gap: expected 0 for an LP relaxation, got 0.1; it is solved to optimality"),
        ({"accept_incumbent": 1}, "accept_incumbent: expected True or False, got 1 (int)"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(sp.ArgumentError, match="^" + re.escape(message)):
        sp.IntegerProgram(**{"shape": 3, "constraints": ONES, **arguments})


@pytest.mark.parametrize("solver", [Solver.SCIP, Solver.CP_SAT, Solver.HIGHS], ids=repr)
def test_an_infeasible_program_is_found_by_every_solver(solver):
    with pytest.raises(sp.ArgumentError, match="expected some tensor to keep them all, but none does"):
        sp.IntegerProgram(2, LinearConstraint([2, 4], 3, 3), solver=solver)


def test_a_solver_that_the_build_lacks_is_refused(monkeypatch):
    monkeypatch.setattr(argument_checks, "is_supported", lambda solver: solver in (Solver.GLOP, Solver.HIGHS))
    message = "solver: expected one that this build of OR-Tools has, got LinearSolver.SCIP (LinearSolver); it has GLOP,"
    with pytest.raises(sp.ArgumentError, match="^" + re.escape(message)):
        sp.IntegerProgram(3, ONES)


@pytest.mark.parametrize("solver", Solver, ids=repr)
def test_this_build_has_every_solver(solver):
    assert solvers.is_supported(solver)


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ortools.linear_solver.python.model_builder_helper", None)
    with pytest.raises(sp.MissingExtraError, match=re.escape("write pip install 'structpred[ortools]'")):
        sp.IntegerProgram(3, ONES)


def test_a_solver_that_fails_says_so(monkeypatch):
    monkeypatch.setitem(solvers._PARAMETERS, Solver.GLOP, "no_such_parameter: 1")
    with pytest.raises(sp.SpaceError, match=r"^IntegerProgram: GLOP stopped with status \w*INVALID\w*"):
        sp.IntegerProgram(3, ONES, integrality=0)
