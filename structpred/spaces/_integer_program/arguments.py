"""Whether the arguments of ``IntegerProgram`` fit one another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from structpred._validation import validate_finite_number, validate_positive_int
from structpred.errors import Words, argument_error
from structpred.spaces._integer_program.program import Program
from structpred.spaces._integer_program.solvers import LP_ONLY, LinearSolver, is_supported


def validate_shape(shape: int | Sequence[int]) -> tuple[int, ...]:
    """The shape as a tuple; one number alone is a number of parts."""
    sizes = tuple(shape) if isinstance(shape, list | tuple) else (shape,)
    if not sizes:
        raise argument_error("shape", "at least one dimension", shape)
    return tuple(validate_positive_int("shape", size) for size in sizes)


def validate_solver(solver: LinearSolver | None, program: Program) -> LinearSolver:
    """The solver, or the one to use by default; ``ArgumentError`` unless it can solve the program."""
    if solver is None:
        solver = LinearSolver.SCIP if program.integer.any() else LinearSolver.GLOP
    if not isinstance(solver, LinearSolver):
        names = ", ".join(member.name for member in LinearSolver)
        raise argument_error("solver", f"a LinearSolver ({names})", solver, "write solver=LinearSolver.SCIP")
    if solver in LP_ONLY and program.integer.any():
        raise argument_error(
            "solver",
            "one for integers",
            solver,
            "write solver=LinearSolver.SCIP, or integrality=0 for the LP relaxation",
        )
    finite = np.isfinite(program.lower).all() and np.isfinite(program.upper).all()
    if solver is LinearSolver.CP_SAT and not (finite and program.integer.all()):
        raise argument_error(
            "solver",
            "one for continuous or unbounded variables",
            solver,
            "write solver=LinearSolver.SCIP, or GLOP if all are continuous",
        )
    if not is_supported(solver):
        there = ", ".join(member.name for member in LinearSolver if is_supported(member))
        raise argument_error("solver", "one that this build of OR-Tools has", solver, f"it has {there}")
    return solver


def validate_time_limit(seconds: float | None) -> float | None:
    """The seconds as a float; ``ArgumentError`` unless they are above 0."""
    if seconds is None:
        return None
    if validate_finite_number("time_limit", seconds) <= 0:
        raise argument_error("time_limit", "seconds above 0, or None for no limit", seconds)
    return float(seconds)


def validate_gap(gap: float, program: Program) -> float:
    """The gap as a float; ``ArgumentError`` unless it is at least 0, and 0 for relaxations."""
    if validate_finite_number("gap", gap) < 0:
        raise argument_error("gap", "a number of at least 0", gap)
    if gap and not program.integer.any():
        raise argument_error("gap", "0 for an LP relaxation", Words(f"{gap:g}"), "it is solved to optimality")
    return float(gap)
