"""OR-Tools' linear solvers: which there are, what they are told, and a model that is solved again and again.

The interface is OR-Tools' model builder. A fresh solver for every objective is as fast as ``pywraplp``,
whose model stays warm: setting coefficients one by one costs more than starting anew (docs/speed.md). And
it lets go of Python's lock for all but two short calls, and no answer depends on what was solved before.
"""

from __future__ import annotations

import enum
import importlib
from typing import Any

import numpy as np
import numpy.typing as npt

from structpred.errors import MissingExtraError, SpaceError
from structpred.spaces._integer_program.program import Floats, Program

Indices = npt.NDArray[np.intp]


class LinearSolver(enum.Enum):
    """The solvers of OR-Tools that ``IntegerProgram`` can use."""

    GLOP = "GLOP"
    """Google's simplex, for relaxations: its answers are vertices."""
    SCIP = "SCIP"
    """Branch and cut, for integer programs and relaxations."""
    CP_SAT = "SAT"
    """Google's constraint solver, for integers within finite bounds. It knows whole coefficients alone: scores
    are rounded to n 2^-51 of the largest for n parts, and fractional coefficients of constraints to about 1e-6."""
    HIGHS = "HIGHS"
    """Branch and cut and simplex, for integer programs and relaxations. At a time limit it gives no incumbent."""
    PDLP = "PDLP"
    """Google's first-order method, for very large relaxations. Its answers are approximate, to about 1e-8, and need
    not be vertices: where several are best, they lie between them."""

    def __repr__(self) -> str:
        return f"LinearSolver.{self.name}"


LP_ONLY = frozenset({LinearSolver.GLOP, LinearSolver.PDLP})

# One thread each, since the batch has the threads; and tolerances that go with _LARGEST_COST.
_PARAMETERS = {
    LinearSolver.GLOP: "use_dual_simplex: true cost_scaling: NO_COST_SCALING dual_feasibility_tolerance: 1e-9",
    # SCIP 10's propagation of rows with two bounds finds 8 <= 5a + 9b + 9c <= 9 infeasible, which b alone fulfils.
    LinearSolver.SCIP: "constraints/linear/rangedrowpropagation = FALSE\n"
    "numerics/dualfeastol = 1e-9\nnumerics/epsilon = 1e-12\nlimits/gap = {gap!r}",
    LinearSolver.CP_SAT: "num_workers: 1 relative_gap_limit: {gap!r}",
    LinearSolver.HIGHS: "output_flag=false\nthreads=1\nmip_abs_gap=0\nmip_rel_gap={gap!r}",
    LinearSolver.PDLP: "num_threads: 1 termination_criteria {{ simple_optimality_criteria {{ "
    "eps_optimal_absolute: 1e-9 eps_optimal_relative: 1e-9 }} }}",
}

# The solvers' tolerances are absolute, so costs are scaled to a size at which they are fine.
_LARGEST_COST = 2.0**20
_LARGEST_WHOLE_SUM = 2.0**52
# Of float64's 53 digits nothing is lost.
_NEGLIGIBLE = 2.0**-60


class Verdict(enum.Enum):
    """How a solve ended."""

    OPTIMAL = enum.auto()
    INCUMBENT = enum.auto()
    """Out of time, with a structure."""
    OUT_OF_TIME = enum.auto()
    """Out of time, without."""
    INFEASIBLE = enum.auto()


def import_extra(module: str) -> Any:
    """The module of OR-Tools; ``MissingExtraError`` if it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError("IntegerProgram needs OR-Tools; write pip install structpred[ortools]") from error


def _helper() -> Any:
    return import_extra("ortools.linear_solver.python.model_builder_helper")


def is_supported(solver: LinearSolver) -> bool:
    """Whether this build of OR-Tools has the solver."""
    return bool(_helper().ModelSolverHelper(solver.value).solver_is_supported())


class Model:
    """A program as OR-Tools holds it, of which only objective and bounds change. Not for two threads at once."""

    def __init__(self, program: Program, solver: LinearSolver, time_limit: float | None, gap: float) -> None:
        self._program = program
        self._solver = solver
        self._time_limit = time_limit
        self._parameters = _PARAMETERS[solver].format(gap=gap)
        self._indices = list(range(program.parts))
        self._helper = _helper()
        self._model = self._helper.ModelBuilderHelper()
        self._model.fill_model_from_sparse_data(
            program.lower,
            program.upper,
            np.zeros(program.variables),
            program.row_lower,
            program.row_upper,
            program.matrix,
        )
        for index in np.flatnonzero(program.integer).tolist():
            self._model.set_var_integrality(index, True)
        self._model.set_maximize(True)

    def maximize(self, costs: Floats, forbidden: Indices) -> tuple[Verdict, Floats | None]:
        """The verdict and the x of largest ``<costs, y>`` with 0 for the forbidden parts, if one was found."""
        if not forbidden.size:
            return self._solve(costs)
        lower, upper = self._program.lower[forbidden], self._program.upper[forbidden]
        if (lower > 0).any():
            return Verdict.INFEASIBLE, None
        self._bound(forbidden, lower, np.zeros_like(upper))
        try:
            return self._solve(costs)
        finally:
            self._bound(forbidden, lower, upper)

    def find_any(self) -> tuple[Verdict, Floats | None]:
        """Any x that keeps the constraints."""
        return self._solve(np.zeros(self._program.parts))

    def fix(self, y: Floats, slack: Floats) -> None:
        """Bounds every part to its entry of y, give or take its slack."""
        lower, upper = self._program.lower[: len(y)], self._program.upper[: len(y)]
        self._bound(np.arange(len(y)), np.clip(y - slack, lower, upper), np.clip(y + slack, lower, upper))

    def _bound(self, parts: Indices, lower: Floats, upper: Floats) -> None:
        for part, low, high in zip(parts.tolist(), lower.tolist(), upper.tolist(), strict=True):
            self._model.set_var_lower_bound(part, low)
            self._model.set_var_upper_bound(part, high)

    def _solve(self, costs: Floats) -> tuple[Verdict, Floats | None]:
        self._model.clear_objective()  # a coefficient of 0 would leave the former one
        self._model.set_objective_coefficients(self._indices, costs.tolist())
        solver = self._helper.ModelSolverHelper(self._solver.value)
        solver.set_solver_specific_parameters(self._parameters)
        if self._time_limit is not None:
            solver.set_time_limit_in_seconds(self._time_limit)
        solver.solve(self._model)
        verdict = self._verdict(solver)
        found = verdict in (Verdict.OPTIMAL, Verdict.INCUMBENT)
        return verdict, solver.variable_values() if found else None

    def _verdict(self, solver: Any) -> Verdict:
        known, status = self._helper.SolveStatus, solver.status()
        if status == known.OPTIMAL:
            return Verdict.OPTIMAL
        if status == known.INFEASIBLE:
            return Verdict.INFEASIBLE
        if self._time_limit is not None and status in (known.FEASIBLE, known.NOT_SOLVED, known.UNKNOWN_STATUS):
            return Verdict.INCUMBENT if solver.has_solution() else Verdict.OUT_OF_TIME
        said = f"{status.name} {solver.status_string()}".strip()
        raise SpaceError(f"IntegerProgram: {self._solver.name} stopped with status {said}")


def as_costs(scores: Floats, solver: LinearSolver) -> Floats:
    """Each example's scores times a power of two, so that every magnitude is solved alike: ``(n, parts)``.

    ``-inf`` becomes 0. Rounded where the solver knows integers alone.
    """
    whole = solver is LinearSolver.CP_SAT
    size = _LARGEST_WHOLE_SUM / 2 ** scores.shape[1].bit_length() if whole else _LARGEST_COST
    finite = np.where(np.isneginf(scores), 0, scores)
    largest = np.abs(finite).max(-1, keepdims=True)
    costs: Floats = np.ldexp(finite, int(np.log2(size)) - np.frexp(largest)[1])
    costs[np.abs(costs) < size * _NEGLIGIBLE] = 0
    return np.rint(costs) if whole else costs
