"""``IntegerProgram.argmax`` against bare loops over OR-Tools' own interfaces, with one thread and with two; its memory.

The bare loops keep their model and change its objective: one in ``pywraplp``, whose solver stays warm too, and one
in the model builder, which starts a new solver for each objective, as ``IntegerProgram`` does. Both solve SCIP's
programs without a gap, as ``IntegerProgram`` does, and leave all else at the solvers' defaults. What two threads
gain says little where ``cores``, measured beside it, is below 2: others use the machine then.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import ortools.linear_solver.pywraplp as pywraplp
import torch
from ortools.linear_solver.python import model_builder_helper
from scipy.optimize import LinearConstraint
from scipy.sparse import csr_matrix

import structpred as sp

BATCH = 256
CALLS = 2000


def flow() -> tuple[LinearConstraint, sp.LinearSolver]:
    """A path through 25 nodes along 40 arcs: 24 in a row, and 16 that skip some."""
    rng = np.random.default_rng(0)
    skips = [pair for pair in np.ndindex(25, 25) if pair[1] > pair[0] + 1]
    arcs = [(i, i + 1) for i in range(24)] + [skips[i] for i in rng.choice(len(skips), 16, replace=False)]
    matrix = np.zeros((25, 40))
    for column, (tail, head) in enumerate(arcs):
        matrix[tail, column], matrix[head, column] = 1, -1
    balance = np.zeros(25)
    balance[0], balance[-1] = 1, -1
    return LinearConstraint(matrix, balance, balance), sp.LinearSolver.GLOP


def knapsack() -> tuple[LinearConstraint, sp.LinearSolver]:
    """30 items and two capacities of half of all the weight."""
    weights = np.random.default_rng(0).integers(1, 30, (2, 30)).astype(float)
    return LinearConstraint(weights, -np.inf, weights.sum(1) // 2), sp.LinearSolver.SCIP


def in_pywraplp(program: LinearConstraint, kind: sp.LinearSolver) -> Callable[[np.ndarray], np.ndarray]:
    solver = pywraplp.Solver.CreateSolver(kind.value)
    new = solver.NumVar if kind is sp.LinearSolver.GLOP else solver.IntVar
    variables = [new(0, 1, "") for _ in range(program.A.shape[1])]
    for row, lower, upper in zip(program.A, program.lb, program.ub, strict=True):
        constraint = solver.Constraint(lower, upper)
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


def in_model_builder(program: LinearConstraint, kind: sp.LinearSolver) -> Callable[[np.ndarray], np.ndarray]:
    count = program.A.shape[1]
    model = model_builder_helper.ModelBuilderHelper()
    nothing = np.zeros(count)
    model.fill_model_from_sparse_data(nothing, np.ones(count), nothing, program.lb, program.ub, csr_matrix(program.A))
    for i in range(count):
        model.set_var_integrality(i, kind is not sp.LinearSolver.GLOP)
    model.set_maximize(True)
    solver = model_builder_helper.ModelSolverHelper(kind.value)
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


def measure(problem: Callable[[], tuple[LinearConstraint, sp.LinearSolver]], rounds: int) -> dict[str, Any]:
    """Medians over ``rounds``, in each of which all take their turn."""
    program, kind = problem()
    count = program.A.shape[1]
    space = sp.IntegerProgram(count, program, integrality=int(kind is sp.LinearSolver.SCIP), solver=kind)
    scores = np.random.default_rng(1).standard_normal((BATCH, count))
    given = torch.from_numpy(np.abs(scores) if kind is sp.LinearSolver.SCIP else scores)
    warm, cold = in_pywraplp(program, kind), in_model_builder(program, kind)
    contestants: dict[str, Callable[[], Any]] = {
        "pywraplp": lambda: warm(given.numpy()),
        "model_builder": lambda: cold(given.numpy()),
        "one_thread": lambda: _with_threads(1, space, given),
        "two_threads": lambda: _with_threads(2, space, given),
    }
    values = [(given.numpy() * np.asarray(solve())).sum(-1) for solve in contestants.values()]  # and warm up
    assert all(np.allclose(value, values[0], rtol=1e-9) for value in values)
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    cores = []
    for _ in range(rounds):
        for name, solve in contestants.items():
            started = time.perf_counter()
            solve()
            seconds[name].append(time.perf_counter() - started)
        cores.append(_cores())
    ours = seconds["one_thread"]
    return {
        "parts": count,
        "cores": statistics.median(cores),
        **{f"{name}_ms": 1e3 * statistics.median(times) for name, times in seconds.items()},
        "ratio_to_pywraplp": _ratio(ours, seconds["pywraplp"]),
        "ratio_to_model_builder": _ratio(ours, seconds["model_builder"]),
        "speedup_of_two_threads": _ratio(ours, seconds["two_threads"]),
    }


def memory() -> dict[str, float]:
    """How much the process grows over thousands of calls, in two threads."""
    program, kind = flow()
    space = sp.IntegerProgram(40, program, integrality=0, solver=kind)
    scores = torch.randn(8, 40, generator=torch.Generator().manual_seed(0))
    for _ in range(CALLS // 10):
        _with_threads(2, space, scores)
    before = _resident()
    for _ in range(CALLS):
        _with_threads(2, space, scores)
    return {"calls": CALLS, "growth_mib": (_resident() - before) / 2**20}


def _ratio(ours: list[float], theirs: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def _with_threads(threads: int, space: sp.IntegerProgram, scores: torch.Tensor) -> torch.Tensor:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return space.argmax(scores)
    finally:
        torch.set_num_threads(before)


def _cores() -> float:
    """How much faster two threads are now at work that needs no lock: 2 on a machine that does nothing else."""
    numbers = np.random.default_rng(0).random(1_000_000)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(np.sort, [numbers[:10]] * 2))  # starts the threads
        started = time.perf_counter()
        for _ in range(2):
            np.sort(numbers)
        alone = time.perf_counter() - started
        list(pool.map(np.sort, [numbers] * 2))
        return alone / (time.perf_counter() - started - alone)


def _resident() -> int:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return 1024 * int(status.partition("VmRSS:")[2].split()[0])


def results() -> list[dict[str, Any]]:
    return [measure(flow, rounds=100), measure(knapsack, rounds=9), memory()]
