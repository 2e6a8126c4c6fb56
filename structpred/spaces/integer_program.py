"""Whatever a linear or an integer program says is a space."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import numpy as np
import numpy.typing as npt
import torch
from attrs import field, frozen
from torch import Tensor

from structpred.errors import ArgumentError, SolverTimeoutError, Words, argument_error, name_examples
from structpred.loss import LinearLoss
from structpred.spaces._integer_program.arguments import (
    validate_gap,
    validate_shape,
    validate_solver,
    validate_time_limit,
)
from structpred.spaces._integer_program.declared import read_declared, read_sides
from structpred.spaces._integer_program.from_model import read_model
from structpred.spaces._integer_program.program import TOLERANCE, Floats, Program
from structpred.spaces._integer_program.search import Search
from structpred.spaces._integer_program.solvers import LinearSolver, Model, Outcome, Settings, Verdict, as_costs
from structpred.spaces._out_of_time import OutOfTimeError
from structpred.spaces._placement import SolverPlacement
from structpred.spaces.base import StructuredSpace

if TYPE_CHECKING:
    from scipy.optimize import Bounds, LinearConstraint

_MOST_TESTED_PARTS = 16


@frozen(init=False, repr=False)
class IntegerProgram(StructuredSpace):
    """The tensors y that keep linear constraints, solved by one of OR-Tools' linear solvers.

    It is declared as for ``scipy.optimize.milp``: a column of the matrices is a part, in the row-major
    order of ``shape``. ``from_model`` takes a model of OR-Tools instead.

    With ``integrality=0`` it is the LP relaxation: y is continuous, and ``argmax`` returns a vertex where
    the solver is GLOP. Where the constraints are totally unimodular, as those of flows and matchings are,
    every vertex is an integer one, and this is the fastest way. Numbers within 1e-6 of an integer are rounded, and
    ``contains`` allows every continuous part to be off by 1e-6, or by the precision of y's dtype.

    Each answer is verified against the constraints; what fails, or is infeasible as the solver says, is solved
    again in another way. That a solver misses a better structure cannot be seen, and coefficients more than 1e6
    apart in size (a big-M, say) make it more likely. The solvers tell values apart down to about 1e-12 of an
    example's largest score, so forbid parts with ``-inf`` and not with a huge number.

    Ctrl-C ends a call within a second or so, but what SCIP, HiGHS and PDLP have begun goes on in the background.
    Needs the extra: ``pip install 'structpred[ortools]'``.

    Args:
        shape: of one structure; or the number of parts.
        constraints: one ``scipy.optimize.LinearConstraint`` or several; the matrix dense or sparse.
        bounds: ``scipy.optimize.Bounds`` within 0 and 1, which is the default.
        integrality: 1 for integers, 0 for continuous ones; one number or one a part.
        solver: SCIP unless all is continuous, else GLOP.
        time_limit: seconds for one example; none by default.
        gap: how far a value may be from the best, relative to it; 0 by default. Integer programs only.
        accept_incumbent: at the time limit, take the best structure found, with a ``SolverTimeoutWarning``.

    Raises:
        ArgumentError: for bad arguments, a solver that cannot solve such a program or that this build of
            OR-Tools lacks, and constraints that no tensor keeps (found out within the time limit).
        SpaceError: if the solver finds no answer that keeps the constraints, in two ways; from ``argmax`` and
            ``contains`` too.
        MissingExtraError: if OR-Tools is not installed.

    >>> from scipy.optimize import LinearConstraint
    >>> weights, capacity = [[3.0, 4.0, 5.0]], 8.0
    >>> knapsack = IntegerProgram(3, LinearConstraint(weights, ub=capacity))
    >>> knapsack
    IntegerProgram(shape=(3,), constraints=1, solver=SCIP)
    >>> knapsack.argmax(torch.tensor([1.0, 2.0, 2.5]))
    tensor([1., 0., 1.])
    """

    shape: tuple[int, ...] = field()
    program: Program = field()
    solver: LinearSolver = field()
    time_limit: float | None = field()
    gap: float = field()
    accept_incumbent: bool = field()

    placement: ClassVar[SolverPlacement] = (
        SolverPlacement.ON_CPU
    )  # the whole batch at once, to name its rows; threads are made below

    def __init__(
        self,
        shape: int | Sequence[int],
        constraints: LinearConstraint | Sequence[LinearConstraint] = (),
        *,
        bounds: Bounds | None = None,
        integrality: npt.ArrayLike = 1,
        solver: LinearSolver | None = None,
        time_limit: float | None = None,
        gap: float = 0.0,
        accept_incumbent: bool = False,
    ) -> None:
        shape = validate_shape(shape)
        program = read_declared(math.prod(shape), constraints, bounds, integrality)
        self._set(shape, program, solver, time_limit, gap, accept_incumbent)

    @classmethod
    def from_model(
        cls,
        model: Any,
        variables: Iterable[Any],
        *,
        shape: int | Sequence[int] | None = None,
        solver: LinearSolver | None = None,
        time_limit: float | None = None,
        gap: float = 0.0,
        accept_incumbent: bool = False,
    ) -> IntegerProgram:
        """The space that a model of OR-Tools says, whose parts are the given variables.

        Constraints, bounds and integrality are read out at once; the model's objective, solver and
        parameters are not. Variables that are not listed are auxiliary: y is in the space if some
        values of theirs keep the constraints.

        Args:
            model: a ``pywraplp.Solver`` or a ``model_builder.Model``.
            variables: the parts, within 0 and 1, in the row-major order of ``shape``.
            shape: of one structure; ``(len(variables),)`` by default.
            solver, time_limit, gap, accept_incumbent: as above.

        >>> from ortools.linear_solver import pywraplp
        >>> model = pywraplp.Solver.CreateSolver("SCIP")
        >>> x = [model.BoolVar(name) for name in "abc"]
        >>> pairs = model.IntVar(0, 5, "pairs")
        >>> _ = model.Add(sum(x) == 2 * pairs)
        >>> IntegerProgram.from_model(model, x).argmax(torch.tensor([1.0, 2.0, -0.5]))
        tensor([1., 1., 0.])
        """
        program = read_model(model, variables)
        shape = validate_shape(program.parts if shape is None else shape)
        if math.prod(shape) != program.parts:
            raise argument_error("shape", f"a shape of {program.parts} parts, one a variable", shape)
        space = cls.__new__(cls)
        space._set(shape, program, solver, time_limit, gap, accept_incumbent)
        return space

    def with_sides(self, *, lb: npt.ArrayLike | None = None, ub: npt.ArrayLike | None = None) -> IntegerProgram:
        """The program of the same matrix with other right-hand sides: other capacities, demands or budgets.

        Several make a ``SpaceBatch``, with sides of its own for each example.

        Args:
            lb, ub: the bounds of the rows, in the order of the constraints, as in ``scipy.optimize.LinearConstraint``;
                one number stands for all rows, None for the bounds that this program has.

        Raises:
            ArgumentError: for another number of bounds, NaN, lower bounds above the upper, and bounds that no tensor
                keeps.

        >>> from scipy.optimize import LinearConstraint
        >>> knapsack = IntegerProgram(3, LinearConstraint([[3.0, 4.0, 5.0]], ub=8.0))
        >>> knapsack.with_sides(ub=9.0).argmax(torch.tensor([1.0, 2.0, 2.5]))
        tensor([0., 1., 1.])
        """
        lower, upper = read_sides(self.program, lb, ub)
        program = attrs.evolve(self.program, row_lower=lower, row_upper=upper)
        space = type(self).__new__(type(self))
        space._set(self.shape, program, self.solver, self.time_limit, self.gap, self.accept_incumbent)
        return space

    def _set(
        self,
        shape: tuple[int, ...],
        program: Program,
        solver: LinearSolver | None,
        time_limit: float | None,
        gap: float,
        accept_incumbent: bool,
    ) -> None:
        solver = validate_solver(solver, program)
        time_limit, gap = validate_time_limit(time_limit), validate_gap(gap, program)
        if not isinstance(accept_incumbent, bool):
            raise argument_error("accept_incumbent", "True or False", accept_incumbent)
        self.__attrs_init__(shape, program, solver, time_limit, gap, accept_incumbent)
        search = self._search(gap=0.0)
        (outcome,) = search.run(lambda model, _, otherwise: model.find_any(otherwise=otherwise), 1, lambda _: False)
        if outcome.verdict is Verdict.INFEASIBLE:
            raise ArgumentError(f"constraints: expected some tensor to keep them all, but none does, for {self!r}")
        if outcome.verdict is Verdict.FAILED:
            raise search.error([outcome], "in search of any structure")

    def _search(self, gap: float) -> Search:
        return Search(self.program, Settings(self.solver, self.time_limit, gap))

    def __repr__(self) -> str:
        program = self.program
        said = [f"shape={self.shape}", f"constraints={len(program.row_lower)}", f"solver={self.solver.name}"]
        if program.variables > program.parts:
            said.insert(2, f"auxiliaries={program.variables - program.parts}")
        if program.is_relaxation:
            said.append("LP relaxation")
        if self.time_limit is not None:
            said.append(f"time_limit={self.time_limit:g}")
        if self.gap:
            said.append(f"gap={self.gap:g}")
        if self.accept_incumbent:
            said.append("accept_incumbent=True")
        return f"IntegerProgram({', '.join(said)})"

    def _argmax(self, scores: Tensor) -> Tensor:
        flat = scores.flatten(1).numpy()
        costs, forbidden = as_costs(flat, self.solver), np.isneginf(flat)
        lost = (Verdict.OUT_OF_TIME,) if self.accept_incumbent else (Verdict.OUT_OF_TIME, Verdict.INCUMBENT)
        forbids: list[bool] = np.any(forbidden, axis=1).tolist()
        nothing = np.zeros(0, dtype=np.intp)

        def attempt(model: Model, row: int, otherwise: bool) -> Outcome:
            parts = np.flatnonzero(forbidden[row]) if forbids[row] else nothing
            return model.maximize(costs[row], parts, otherwise=otherwise)

        search = self._search(self.gap)
        outcomes = search.run(attempt, len(flat), lambda outcome: outcome.verdict in lost)
        late = [row for row, outcome in enumerate(outcomes) if outcome.verdict in lost]
        if late:
            raise OutOfTimeError(late)
        y, failed = np.empty_like(flat), []
        for row, (verdict, x, status) in enumerate(outcomes):
            if x is not None:
                y[row] = x[: self.program.parts]
            elif verdict is Verdict.INFEASIBLE and forbids[row]:
                y[row] = forbidden[row]  # the base class sees that what is forbidden is needed
            else:
                failed.append(Outcome(verdict, status=status or "INFEASIBLE, though nothing is forbidden,"))
        if failed:
            raise search.error(failed, f"in {len(failed)} of {len(flat)} examples")
        answer = torch.from_numpy(y).reshape(scores.shape)
        late = [row for row, outcome in enumerate(outcomes) if outcome.verdict is Verdict.INCUMBENT]
        if late:
            raise OutOfTimeError(late, answer)
        return answer

    def contains(self, y: Tensor) -> Tensor:
        """Whether each structure keeps the constraints: ``(*batch, *shape) -> (*batch)``, bool.

        Continuous parts may be off by 1e-6, or by the precision of y's dtype where that is coarser.

        Raises:
            SolverTimeoutError: if there are auxiliary variables, and none were found within the time limit.
        """
        batch = self.batch_shape("y", y)
        flat = y.detach().to("cpu", torch.float64).reshape(math.prod(batch), self.program.parts).numpy()
        tolerance = max(TOLERANCE, torch.finfo(y.dtype).eps if y.dtype.is_floating_point else 0)
        if self.program.variables == self.program.parts:
            inside = self.program.admits(flat, tolerance)
        else:
            inside = self.program.admits_parts(flat, tolerance)
            candidates = np.flatnonzero(inside)
            if candidates.size:
                outcomes = self._complete(flat[candidates], tolerance)
                late = candidates[[outcome.verdict is Verdict.OUT_OF_TIME for outcome in outcomes]]
                if late.size:
                    raise SolverTimeoutError([tuple(int(i) for i in np.unravel_index(row, batch)) for row in late])
                inside[candidates] = [outcome.verdict is not Verdict.INFEASIBLE for outcome in outcomes]
        return torch.from_numpy(inside).reshape(batch).to(y.device)

    def _complete(self, y: Floats, tolerance: float) -> list[Outcome]:
        """The outcomes of the search for auxiliary variables, for each y: ``(n, parts)``, up to the first time-out."""
        slack = np.where(self.program.integer[: self.program.parts], 0, tolerance)

        def attempt(model: Model, row: int, otherwise: bool) -> Outcome:
            model.fix(y[row], slack)
            return model.find_any(otherwise=otherwise)

        search = self._search(gap=0.0)
        outcomes = search.run(attempt, len(y), lambda outcome: outcome.verdict is Verdict.OUT_OF_TIME)
        failed = [outcome for outcome in outcomes if outcome.verdict is Verdict.FAILED]
        if failed:
            raise search.error(failed, f"in {len(failed)} of {len(y)} structures")
        return outcomes

    def hamming(self, target: Tensor) -> LinearLoss:
        """The number of parts in which a prediction differs from the target, as a linear loss.

        Of a prediction with continuous parts, it is the sum of the differences.

        Args:
            target: ``(*batch, *shape)``, structures of this space that are whole, of any dtype.

        Raises:
            ArgumentError: if the shape is another, or a target is not in the space or not whole.
        """
        self.validate_members("target", target)
        fractional = ((target != 0) & (target != 1)).flatten(target.ndim - len(self.shape)).any(-1)
        if fractional.any():
            raise argument_error(
                "target",
                "zeros and ones",
                Words(f"other numbers in {name_examples([tuple(i) for i in fractional.nonzero().tolist()])}"),
                "the distance from such a target is not linear; write an sp.LinearLoss that suits the task",
            )
        return super().hamming(target)

    def enumerate(self) -> Tensor:
        """Every structure once: ``(count, *shape)``, by testing all 2^n binary tensors of n <= 16 parts.

        Raises:
            NotImplementedError: for an LP relaxation.
            ArgumentError: if there are more parts.
        """
        parts = self.program.parts
        if self.program.is_relaxation:
            raise NotImplementedError(f"{self!r} has no list of structures: they are not whole")
        if parts > _MOST_TESTED_PARTS:
            raise ArgumentError(f"enumerate: {self!r} has 2^{parts} binary tensors, too many to test")
        numbers = torch.arange(2**parts)
        binary = (numbers[:, None] >> torch.arange(parts - 1, -1, -1)) & 1  # (2^parts, parts)
        y = binary.float().reshape(-1, *self.shape)
        return y[self.contains(y)]
