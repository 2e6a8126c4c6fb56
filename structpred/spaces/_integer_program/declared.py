"""Reads a program that is declared as for ``scipy.optimize.milp``, and refuses what makes none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from structpred.errors import Words, argument_error
from structpred.spaces._integer_program.program import Bools, Floats, Program, make_program

if TYPE_CHECKING:
    from scipy.optimize import Bounds, LinearConstraint


def read_declared(
    parts: int,
    constraints: LinearConstraint | Sequence[LinearConstraint],
    bounds: Bounds | None,
    integrality: npt.ArrayLike,
) -> Program:
    """The program whose variables are the parts, in row-major order."""
    from scipy.sparse import csr_matrix, vstack

    rows = [_read_constraint(name, constraint, parts) for name, constraint in _named(constraints)]
    matrix = vstack([csr_matrix((0, parts)), *(matrix for matrix, _, _ in rows)])
    row_lower = np.concatenate([np.zeros(0), *(lower for _, lower, _ in rows)])
    row_upper = np.concatenate([np.zeros(0), *(upper for _, _, upper in rows)])
    lower, upper = _read_bounds(bounds, parts)
    return make_program(matrix, row_lower, row_upper, lower, upper, _read_integrality(integrality, parts), parts)


def read_sides(program: Program, lb: npt.ArrayLike | None, ub: npt.ArrayLike | None) -> tuple[Floats, Floats]:
    """The bounds of a program's rows; where one is None, as they are."""
    rows = len(program.row_lower)
    lower = program.row_lower if lb is None else _spread("lb", lb, rows, "one a row")
    upper = program.row_upper if ub is None else _spread("ub", ub, rows, "one a row")
    validate_interval("lb and ub", lower, upper)
    return lower, upper


def validate_part_bounds(name: str, lower: Floats, upper: Floats) -> None:
    """Raises ``ArgumentError`` unless every part is bounded within 0 and 1: y is an indicator."""
    outside = (lower < 0) | (upper > 1)
    if outside.any():
        part = int(outside.argmax())
        raise argument_error(
            name,
            "every part within 0 and 1",
            Words(f"{lower[part]:g} to {upper[part]:g} for part {part}"),
            "a number beyond 0 and 1 can only be an auxiliary variable: IntegerProgram.from_model takes them",
        )


def validate_interval(name: str, lower: Floats, upper: Floats) -> None:
    """Raises ``ArgumentError`` unless the bounds are numbers or infinities, the lower not above the upper."""
    if np.isnan(lower).any() or np.isnan(upper).any():
        raise argument_error(name, "bounds without NaN", Words("NaN"), "np.inf says that there is no bound")
    empty = (lower > upper) | (lower == np.inf) | (upper == -np.inf)
    if empty.any():
        at = int(empty.argmax())
        raise argument_error(
            name, "lower bounds that are not above the upper", Words(f"{lower[at]:g} to {upper[at]:g} at position {at}")
        )


def _named(constraints: LinearConstraint | Sequence[LinearConstraint]) -> list[tuple[str, LinearConstraint]]:
    from scipy.optimize import LinearConstraint

    if isinstance(constraints, LinearConstraint):
        return [("constraints", constraints)]
    if isinstance(constraints, list | tuple):
        named = [(f"constraints[{i}]", constraint) for i, constraint in enumerate(constraints)]
    else:
        named = [("constraints", constraints)]
    for name, constraint in named:
        if not isinstance(constraint, LinearConstraint):
            raise argument_error(
                name,
                "a scipy.optimize.LinearConstraint",
                Words(type(constraint).__name__),
                "write LinearConstraint(matrix, lower, upper)",
            )
    return named


def _read_constraint(name: str, constraint: LinearConstraint, parts: int) -> tuple[Any, Floats, Floats]:
    from scipy.sparse import csr_matrix, issparse

    matrix = constraint.A
    matrix = csr_matrix(matrix if issparse(matrix) else np.atleast_2d(numbers(f"{name}.A", matrix)))
    if matrix.shape[1] != parts:
        raise argument_error(
            f"{name}.A",
            f"a matrix with {parts} columns, one a part",
            Words(f"one of shape {matrix.shape}"),
            "columns are the parts of shape in row-major order",
        )
    if not np.isfinite(matrix.data).all():
        raise argument_error(f"{name}.A", "finite numbers", Words("NaN or infinity"))
    lower, upper = (
        _spread(f"{name}.{side}", getattr(constraint, side), matrix.shape[0], "one a row") for side in ("lb", "ub")
    )
    validate_interval(name, lower, upper)
    return matrix, lower, upper


def _read_bounds(bounds: Bounds | None, parts: int) -> tuple[Floats, Floats]:
    from scipy.optimize import Bounds

    if bounds is None:
        return np.zeros(parts), np.ones(parts)
    if not isinstance(bounds, Bounds):
        raise argument_error("bounds", "a scipy.optimize.Bounds", bounds, "write Bounds(lower, upper)")
    lower = _spread("bounds.lb", bounds.lb, parts, "one a part")
    upper = _spread("bounds.ub", bounds.ub, parts, "one a part")
    validate_interval("bounds", lower, upper)
    validate_part_bounds("bounds", lower, upper)
    return lower, upper


def _read_integrality(integrality: npt.ArrayLike, parts: int) -> Bools:
    kinds = _spread("integrality", integrality, parts, "one a part")
    if not np.isin(kinds, (0, 1)).all():
        raise argument_error("integrality", "1 for integers, 0 for continuous ones", integrality)
    whole: Bools = kinds == 1
    return whole


def numbers(name: str, value: object) -> Floats:
    """The value as a float64 array; ``ArgumentError`` if it is none."""
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise argument_error(name, "numbers", value) from None


def _spread(name: str, value: object, count: int, whose: str) -> Floats:
    """The numbers row-major; one number alone stands for all."""
    array = numbers(name, value).ravel()
    if array.size not in (1, count):
        raise argument_error(name, f"one number or {count}, {whose}", Words(f"{array.size}"))
    return np.broadcast_to(array, (count,)).copy() if array.size == 1 else array
