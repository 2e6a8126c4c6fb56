"""Reads a program out of an OR-Tools model that the user has built."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from structpred.errors import Words, argument_error
from structpred.spaces._integer_program.declared import validate_interval, validate_part_bounds
from structpred.spaces._integer_program.program import Program, make_program
from structpred.spaces._integer_program.solvers import import_extra


def read_model(model: Any, variables: Iterable[Any]) -> Program:
    """The constraints and bounds of the model, with the given variables as parts and the others as auxiliaries."""
    from scipy.sparse import csr_matrix

    proto = _as_proto(model)
    parts = _part_indices(model, variables)
    order = parts + sorted(set(range(len(proto.variable))) - set(parts))
    lower = np.array([variable.lower_bound for variable in proto.variable])[order]
    upper = np.array([variable.upper_bound for variable in proto.variable])[order]
    validate_interval("model", lower, upper)
    validate_part_bounds("variables", lower[: len(parts)], upper[: len(parts)])
    integer = np.array([variable.is_integer for variable in proto.variable], dtype=bool)[order]
    row_lower = np.array([row.lower_bound for row in proto.constraint], dtype=float)
    row_upper = np.array([row.upper_bound for row in proto.constraint], dtype=float)
    validate_interval("model", row_lower, row_upper)
    starts = np.cumsum([0, *(len(row.var_index) for row in proto.constraint)])
    indices = np.array([i for row in proto.constraint for i in row.var_index], dtype=int)
    data = np.array([c for row in proto.constraint for c in row.coefficient], dtype=float)
    matrix = csr_matrix((data, indices, starts), shape=(len(proto.constraint), len(order)))[:, order]
    if not np.isfinite(matrix.data).all():
        raise argument_error("model", "finite coefficients", Words("NaN or infinity"))
    return make_program(matrix, row_lower, row_upper, lower, upper, integer, len(parts))


def _as_proto(model: Any) -> Any:
    """Both of OR-Tools' linear interfaces can write themselves as one and the same message."""
    pywraplp = import_extra("ortools.linear_solver.pywraplp")
    model_builder = import_extra("ortools.linear_solver.python.model_builder")
    if isinstance(model, pywraplp.Solver):
        proto = import_extra("ortools.linear_solver.linear_solver_pb2").MPModelProto()
        model.ExportModelToProto(proto)
    elif isinstance(model, model_builder.Model):
        proto = model.export_to_proto()
    else:
        raise argument_error("model", "a pywraplp.Solver or a model_builder.Model", Words(type(model).__name__))
    if proto.general_constraint:
        raise argument_error(
            "model",
            "linear constraints alone",
            Words(f"{len(proto.general_constraint)} of other kinds"),
            "write an enforced constraint with a large constant times its indicator",
        )
    return proto


def _part_indices(model: Any, variables: Iterable[Any]) -> list[int]:
    if not isinstance(variables, Iterable):
        raise argument_error("variables", "a list of the model's variables", Words(type(variables).__name__))
    parts = [_index(model, position, variable) for position, variable in enumerate(variables)]
    if not parts:
        raise argument_error("variables", "at least one variable", Words("none"))
    if len(set(parts)) < len(parts):
        raise argument_error("variables", "each variable once", Words("one that is listed twice"))
    return parts


def _index(model: Any, position: int, variable: Any) -> int:
    pywraplp = import_extra("ortools.linear_solver.pywraplp")
    model_builder = import_extra("ortools.linear_solver.python.model_builder")
    if isinstance(model, pywraplp.Solver):
        if isinstance(variable, pywraplp.Variable):
            index = variable.index()
            if index < model.NumVariables() and model.variable(index).this == variable.this:
                return int(index)
    elif isinstance(variable, model_builder.Variable) and variable.helper is model.helper:
        return int(variable.index)
    raise argument_error(f"variables[{position}]", "a variable of the model", Words(type(variable).__name__))
