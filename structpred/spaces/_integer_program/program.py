"""The constraints of a linear or integer program, as a value."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from attrs import field, frozen

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

TOLERANCE = 1e-6
"""How far a continuous variable may be off. An integer variable is exact, however large its coefficient."""

# What sums of floats and the solvers themselves need at large bounds. Less than 1 tells integers apart at any size.
_RELATIVE_TOLERANCE = 1e-9
_LARGEST_RELATIVE_SLACK = 0.5


def _array_content(array: npt.NDArray[Any]) -> bytes:
    return (array + 0).tobytes()  # as a sum -0.0 is 0.0


def _matrix_content(matrix: Any) -> tuple[tuple[int, int], bytes, bytes, bytes]:
    return matrix.shape, matrix.data.tobytes(), matrix.indices.tobytes(), matrix.indptr.tobytes()


@frozen
class Program:
    """``row_lower <= matrix @ x <= row_upper`` and ``lower <= x <= upper``, with integers where ``integer``.

    The first ``parts`` entries of x are the structure y; the others are auxiliary.
    """

    matrix: Any = field(eq=_matrix_content)  # (rows, variables), a scipy.sparse.csr_matrix in canonical form
    row_lower: Floats = field(eq=_array_content)
    row_upper: Floats = field(eq=_array_content)
    lower: Floats = field(eq=_array_content)
    upper: Floats = field(eq=_array_content)
    integer: Bools = field(eq=_array_content)
    parts: int
    row_scale: Floats = field(eq=False)  # by how much a row changes where all its continuous variables change by 1

    @property
    def variables(self) -> int:
        return len(self.lower)

    @property
    def is_relaxation(self) -> bool:
        """Whether y need not be whole: some part is continuous."""
        return not self.integer[: self.parts].all()

    def clean(self, x: Floats) -> Floats:
        """The solver's x, ``(n, variables)``, freed of rounding errors.

        It is within its bounds; integers, and continuous parts that nearly are, become integers.
        """
        nearest = np.rint(x)
        near = self.integer | (np.abs(x - nearest) <= TOLERANCE) & (np.arange(self.variables) < self.parts)
        rounded = np.where(near, nearest, x) + 0.0  # no -0.0
        return np.clip(rounded, self.lower, self.upper)

    def admits_parts(self, y: Floats, tolerance: float = TOLERANCE) -> Bools:
        """Whether each y, ``(n, parts)``, keeps the bounds of the parts and is an integer where it must be."""
        return self._admits_entries(y, slice(self.parts), tolerance)

    def admits(self, x: Floats, tolerance: float = TOLERANCE) -> Bools:
        """Whether each x, ``(n, variables)``, keeps all constraints, if continuous variables may be off so much."""
        admitted = self._admits_entries(x, slice(self.variables), tolerance)
        rows = (self.matrix @ np.where(admitted[:, None], x, 0).T).T
        slack = tolerance * np.maximum(1, self.row_scale)
        result: Bools = admitted & _within(rows, self.row_lower, self.row_upper, slack)
        return result

    def _admits_entries(self, x: Floats, which: slice, tolerance: float) -> Bools:
        integers = (~self.integer[which] | (x == np.rint(x))).all(-1)
        result: Bools = integers & _within(x, self.lower[which], self.upper[which], tolerance)
        return result


def make_program(
    matrix: Any, row_lower: Floats, row_upper: Floats, lower: Floats, upper: Floats, integer: Bools, parts: int
) -> Program:
    """The program in a canonical form, so that equal content is equal. It keeps the arrays."""
    from scipy.sparse import csr_matrix

    canonical = csr_matrix(matrix, dtype=np.float64)
    canonical.sum_duplicates()
    canonical.eliminate_zeros()
    lower, upper = np.where(integer, np.ceil(lower), lower), np.where(integer, np.floor(upper), upper)
    row_scale = np.asarray(abs(canonical) @ ~integer, dtype=np.float64)
    return Program(canonical, row_lower, row_upper, lower, upper, integer, parts, row_scale)


def _within(value: Floats, lower: Floats, upper: Floats, slack: Floats | float) -> Bools:
    """Whether all entries of each row are within the bounds."""
    below, above = (
        slack + np.minimum(_LARGEST_RELATIVE_SLACK, _RELATIVE_TOLERANCE * np.abs(bound)) for bound in (lower, upper)
    )
    result: Bools = np.all((value >= lower - below) & (value <= upper + above), axis=-1)
    return result
