"""OR-Tools' linear solvers: which there are, what they are told, and a model that is solved again and again.

The interface is OR-Tools' model builder. A fresh solver for every objective is as fast as ``pywraplp``,
whose model stays warm: setting coefficients one by one costs more than starting anew (docs/speed.md). And
it lets go of Python's lock for all but two short calls, and no answer depends on what was solved before.
"""

from __future__ import annotations

import enum
import importlib
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from attrs import frozen

from structpred.errors import MissingExtraError
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

# One thread each, since the batch has the threads; tolerances that go with _LARGEST_COST. No handlers of Ctrl-C: a
# solver that installs its own loses Python's where two threads solve at once, and ends as if out of time.
_PARAMETERS = {
    LinearSolver.GLOP: "use_dual_simplex: true cost_scaling: NO_COST_SCALING dual_feasibility_tolerance: 1e-9",
    # SCIP 10's propagation of rows with two bounds finds 8 <= 5a + 9b + 9c <= 9 infeasible, which b alone fulfils.
    LinearSolver.SCIP: "misc/catchctrlc = FALSE\nconstraints/linear/rangedrowpropagation = FALSE\n"
    "numerics/epsilon = 1e-12\nlimits/gap = {gap!r}",
    LinearSolver.CP_SAT: "catch_sigint_signal: false num_workers: 1 relative_gap_limit: {gap!r}",
    # A coefficient M exceeds its row by M times the tolerance, and that HiGHS then misses what is better, none can see.
    LinearSolver.HIGHS: "output_flag=false\nthreads=1\nmip_abs_gap=0\nmip_rel_gap={gap!r}\n"
    "mip_feasibility_tolerance=1e-10",
    LinearSolver.PDLP: "num_threads: 1 termination_criteria {{ simple_optimality_criteria {{ "
    "eps_optimal_absolute: 1e-9 eps_optimal_relative: 1e-9 }} }}",
}
# Added where an answer is wrong, which mostly comes of a presolve (PDLP has none of its own). A tighter tolerance of
# SCIP's costs nothing, but finds fewer answers where the coefficients are of very different sizes.
_OTHERWISE = {
    LinearSolver.GLOP: " use_preprocessing: false",
    LinearSolver.SCIP: "\npresolving/maxrounds = 0\nnumerics/feastol = 1e-9",
    LinearSolver.CP_SAT: " mip_presolve_level: 0",
    LinearSolver.HIGHS: "\npresolve=off",
    LinearSolver.PDLP: " presolve_options {{ use_glop: true }}",
}

# The solvers' tolerances are absolute, so costs are scaled to a size at which they are fine. PDLP's are relative to
# the costs, and some of larger ones it takes for unbounded.
_LARGEST_COST = dict.fromkeys(LinearSolver, 2.0**20) | {LinearSolver.PDLP: 1.0}
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
    UNSOLVED = enum.auto()
    FAILED = enum.auto()
    """With an answer outside the constraints, or none."""


class Outcome(NamedTuple):
    """How a solve ended, the x that it found, if any, and in the solver's words why it failed."""

    verdict: Verdict
    x: Floats | None = None
    status: str = ""


@frozen
class Settings:
    """What a solver is told beside the program."""

    solver: LinearSolver
    time_limit: float | None
    gap: float


class Interruption:
    """Ends the solves of a call, in whatever thread, and lets no further one begin.

    SCIP, HiGHS and PDLP cannot be ended: their running solves go on in threads that nobody waits for.
    """

    def __init__(self) -> None:
        self._happened = False
        self._running: set[Any] = set()

    def __call__(self) -> None:
        self._happened = True
        for solver in list(self._running):
            solver.interrupt_solve()

    def solve(self, solver: Any, model: Any) -> None:
        """``solver.solve(model)``; ``CancelledError`` if it was interrupted before or meanwhile."""
        self._running.add(solver)  # ahead of the first look, or an interruption between them would miss it
        try:
            self._look()
            solver.solve(model)
            self._look()
        finally:
            self._running.discard(solver)

    def _look(self) -> None:
        if self._happened:
            raise CancelledError


def import_extra(module: str) -> Any:
    """The module of OR-Tools; ``MissingExtraError`` if it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError("IntegerProgram needs OR-Tools; write pip install 'structpred[ortools]'") from error


def _helper() -> Any:
    return import_extra("ortools.linear_solver.python.model_builder_helper")


def is_supported(solver: LinearSolver) -> bool:
    """Whether this build of OR-Tools has the solver."""
    return bool(_helper().ModelSolverHelper(solver.value).solver_is_supported())


class Model:
    """A program as OR-Tools holds it, of which only objective and bounds change. Not for two threads at once."""

    def __init__(self, program: Program, settings: Settings, solve: Callable[[Any, Any], None]) -> None:
        self._program = program
        self._settings = settings
        self._run = solve
        parameters = _PARAMETERS[settings.solver].format(gap=settings.gap)
        self._parameters = parameters, parameters + _OTHERWISE[settings.solver].format()
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

    def maximize(self, costs: Floats, forbidden: Indices, *, otherwise: bool = False) -> Outcome:
        """Looks for the x of largest ``<costs, y>`` with 0 for the forbidden parts.

        ``otherwise`` solves in another way, which has other errors.
        """
        if not forbidden.size:
            return self._solve(costs, otherwise)
        lower, upper = self._program.lower[forbidden], self._program.upper[forbidden]
        if (lower > 0).any():
            return Outcome(Verdict.INFEASIBLE)
        self._bound(forbidden, lower, np.zeros_like(upper))
        try:
            return self._solve(costs, otherwise)
        finally:
            self._bound(forbidden, lower, upper)

    def find_any(self, *, otherwise: bool = False) -> Outcome:
        """Looks for any x that keeps the constraints."""
        return self._solve(np.zeros(self._program.parts), otherwise)

    def fix(self, y: Floats, slack: Floats) -> None:
        """Bounds every part to its entry of y, give or take its slack."""
        lower, upper = self._program.lower[: len(y)], self._program.upper[: len(y)]
        self._bound(np.arange(len(y)), np.clip(y - slack, lower, upper), np.clip(y + slack, lower, upper))

    def _bound(self, parts: Indices, lower: Floats, upper: Floats) -> None:
        for part, low, high in zip(parts.tolist(), lower.tolist(), upper.tolist(), strict=True):
            self._model.set_var_lower_bound(part, low)
            self._model.set_var_upper_bound(part, high)

    def _solve(self, costs: Floats, otherwise: bool) -> Outcome:
        self._model.clear_objective()  # a coefficient of 0 would leave the former one
        self._model.set_objective_coefficients(self._indices, costs.tolist())
        solver = self._helper.ModelSolverHelper(self._settings.solver.value)
        solver.set_solver_specific_parameters(self._parameters[otherwise])
        if self._settings.time_limit is not None:
            solver.set_time_limit_in_seconds(self._settings.time_limit)
        self._run(solver, self._model)
        verdict = self._verdict(solver)
        if verdict in (Verdict.OPTIMAL, Verdict.INCUMBENT):
            return Outcome(verdict, solver.variable_values())
        if verdict is Verdict.FAILED:
            return Outcome(verdict, status=f"{solver.status().name} {solver.status_string()}".strip())
        return Outcome(verdict)

    def _verdict(self, solver: Any) -> Verdict:
        known, status = self._helper.SolveStatus, solver.status()
        if status == known.OPTIMAL:
            return Verdict.OPTIMAL
        if status == known.INFEASIBLE:
            return Verdict.INFEASIBLE
        broke_down = not solver.has_response() or solver.status_string().startswith("Error")
        can_be_late = status in (known.FEASIBLE, known.NOT_SOLVED, known.UNKNOWN_STATUS) and not broke_down
        if self._settings.time_limit is not None and can_be_late:
            return Verdict.INCUMBENT if solver.has_solution() else Verdict.OUT_OF_TIME
        return Verdict.FAILED


def as_costs(scores: Floats, solver: LinearSolver) -> Floats:
    """Each example's scores times a power of two, so that every magnitude is solved alike: ``(n, parts)``.

    ``-inf`` becomes 0. Rounded where the solver knows integers alone.
    """
    whole = solver is LinearSolver.CP_SAT
    size = _LARGEST_WHOLE_SUM / 2 ** scores.shape[1].bit_length() if whole else _LARGEST_COST[solver]
    finite = np.where(np.isneginf(scores), 0, scores)
    largest = np.abs(finite).max(-1, keepdims=True)
    costs: Floats = np.ldexp(finite, int(np.log2(size)) - np.frexp(largest)[1])
    costs[np.abs(costs) < size * _NEGLIGIBLE] = 0
    return np.rint(costs) if whole else costs
