"""``IntegerProgram.argmax`` against bare loops over OR-Tools' own interfaces.

The bare loops keep their model and change its objective: one in ``pywraplp``, whose solver stays warm too, and one
in the model builder, which starts a new solver for each objective, as ``IntegerProgram`` does. Both solve SCIP's
programs without a gap, as ``IntegerProgram`` does, and leave all else at the solvers' defaults.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import ortools.linear_solver.pywraplp as pywraplp
import torch
from attrs import frozen
from ortools.linear_solver.python import model_builder_helper
from scipy.optimize import LinearConstraint
from scipy.sparse import csr_matrix

import structpred as sp
from benchmarks.row import Case, Group, Quality, Row

Solve = Callable[[np.ndarray], np.ndarray]
"""Structures for scores, both ``(batch, columns)``."""


@frozen(eq=False)
class Program:
    """Columns between 0 and 1, their constraints, and who solves them."""

    constraints: LinearConstraint
    solver: sp.LinearSolver

    @property
    def columns(self) -> int:
        return int(self.constraints.A.shape[1])

    @property
    def integral(self) -> bool:
        return self.solver is sp.LinearSolver.SCIP

    def space(self) -> sp.IntegerProgram:
        return sp.IntegerProgram(self.columns, self.constraints, integrality=int(self.integral), solver=self.solver)

    def scores(self, batch: int) -> np.ndarray:
        drawn = np.random.default_rng(1).standard_normal((batch, self.columns))
        return np.abs(drawn) if self.integral else drawn


def flow(nodes: int, arcs: int) -> Program:
    """A path from the first node to the last: arcs from each to the next, and others that skip some."""
    rng = np.random.default_rng(0)
    skips = [pair for pair in np.ndindex(nodes, nodes) if pair[1] > pair[0] + 1]
    chosen = rng.choice(len(skips), arcs - nodes + 1, replace=False)
    matrix = np.zeros((nodes, arcs))
    for column, (tail, head) in enumerate([(i, i + 1) for i in range(nodes - 1)] + [skips[i] for i in chosen]):
        matrix[tail, column], matrix[head, column] = 1, -1
    balance = np.zeros(nodes)
    balance[0], balance[-1] = 1, -1
    return Program(LinearConstraint(matrix, balance, balance), sp.LinearSolver.GLOP)


def assignment(count: int) -> Program:
    """Each row to a column: every sum is 1."""
    matrix = np.zeros((2 * count, count, count))
    for i in range(count):
        matrix[i, i, :] = matrix[count + i, :, i] = 1
    return Program(LinearConstraint(matrix.reshape(2 * count, -1), 1, 1), sp.LinearSolver.GLOP)


def knapsack() -> Program:
    """30 items and two capacities of half of all the weight."""
    weights = np.random.default_rng(0).integers(1, 30, (2, 30)).astype(float)
    return Program(LinearConstraint(weights, -np.inf, weights.sum(1) // 2), sp.LinearSolver.SCIP)


def in_pywraplp(program: Program) -> Solve:
    solver = pywraplp.Solver.CreateSolver(program.solver.value)
    new = solver.IntVar if program.integral else solver.NumVar
    variables = [new(0, 1, "") for _ in range(program.columns)]
    rows = program.constraints.A
    for row, *bounds in zip(rows, *_bounds(program), strict=True):
        constraint = solver.Constraint(*bounds)
        for i in np.flatnonzero(row).tolist():
            constraint.SetCoefficient(variables[i], row[i])
    objective = solver.Objective()
    objective.SetMaximization()
    exact = pywraplp.MPSolverParameters()
    exact.SetDoubleParam(exact.RELATIVE_MIP_GAP, 0.0)

    def solve(scores: np.ndarray) -> np.ndarray:
        y = np.empty_like(scores)
        for example, answer in zip(scores, y, strict=True):
            for variable, score in zip(variables, example.tolist(), strict=True):
                objective.SetCoefficient(variable, score)
            assert solver.Solve(exact) == solver.OPTIMAL
            answer[:] = [variable.solution_value() for variable in variables]
        return y

    return solve


def in_model_builder(program: Program) -> Solve:
    count = program.columns
    model = model_builder_helper.ModelBuilderHelper()
    nothing: Any = np.zeros(count)
    most: Any = np.ones(count)
    lower, upper = _bounds(program)
    rows = csr_matrix(program.constraints.A)
    model.fill_model_from_sparse_data(nothing, most, nothing, lower, upper, rows)
    for i in range(count):
        model.set_var_integrality(i, program.integral)
    model.set_maximize(True)
    solver = model_builder_helper.ModelSolverHelper(program.solver.value)
    indices = list(range(count))

    def solve(scores: np.ndarray) -> np.ndarray:
        y = np.empty_like(scores)
        for example, answer in zip(scores, y, strict=True):
            model.set_objective_coefficients(indices, example.tolist())
            solver.solve(model)
            assert solver.status() == model_builder_helper.OPTIMAL
            answer[:] = solver.variable_values()
        return y

    return solve


def _bounds(program: Program) -> tuple[Any, Any]:
    count = len(program.constraints.A)
    lower, upper = (np.broadcast_to(it, count).astype(float) for it in (program.constraints.lb, program.constraints.ub))
    return lower, upper


def _case(make: Callable[[], Program], bare: Callable[[Program], Solve], batch: int) -> Case:
    program = make()
    space, solve, scores = program.space(), bare(program), program.scores(batch)
    given = torch.from_numpy(scores)
    return Case(
        lambda: space.argmax(given),
        lambda: solve(scores),
        lambda: Quality.of_structures(given, space.argmax(given), solve(scores)),
    )


ROWS = [
    Row(Group.PROGRAMS, f"{name} x {batch}", bare, partial(_case, make, loop, batch))
    for name, make, batch in (
        ("flow of 40 arcs, 25 constraints, GLOP", partial(flow, 25, 40), 256),
        ("flow of 500 arcs, 200 constraints, GLOP", partial(flow, 200, 500), 32),
        ("assignment of 30 x 30, GLOP", partial(assignment, 30), 16),
        ("knapsack of 30 items, 2 constraints, SCIP", knapsack, 64),
    )
    for bare, loop in (("pywraplp", in_pywraplp), ("model builder", in_model_builder))
]
