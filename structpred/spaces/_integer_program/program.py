"""The constraints of a linear or integer program, as a value."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from attrs import field, frozen

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

TOLERANCE = 1e-6
"""How far a number may exceed a bound, or be from an integer, relative to the bound where that is above 1."""


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

    @property
    def variables(self) -> int:
        return len(self.lower)

    @property
    def is_relaxation(self) -> bool:
        """Whether y need not be whole: some part is continuous."""
        return not self.integer[: self.parts].all()

    def clean(self, y: Floats) -> Floats:
        """The solver's y, ``(n, parts)``, freed of rounding errors: whole where it is nearly so, and within bounds."""
        whole = np.rint(y)
        near = self.integer[: self.parts] | (np.abs(y - whole) <= TOLERANCE)
        rounded = np.where(near, whole, y) + 0.0  # no -0.0
        return np.clip(rounded, self.lower[: self.parts], self.upper[: self.parts])

    def admits_parts(self, y: Floats) -> Bools:
        """Whether each y, ``(n, parts)``, keeps the bounds of the parts and is whole where it must be."""
        whole = ~self.integer[: self.parts] | (y == np.rint(y))
        inside = _within(y, self.lower[: self.parts], self.upper[: self.parts])
        result: Bools = (whole & inside).all(-1)
        return result

    def admits(self, y: Floats) -> Bools:
        """Whether each y, ``(n, parts)``, keeps every constraint, where there are no auxiliary variables."""
        admitted = self.admits_parts(y)
        rows = (self.matrix @ np.where(admitted[:, None], y, 0).T).T
        result: Bools = admitted & _within(rows, self.row_lower, self.row_upper).all(-1)
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
    return Program(canonical, row_lower, row_upper, lower, upper, integer, parts)


def _within(value: Floats, lower: Floats, upper: Floats) -> Bools:
    slack_below, slack_above = (TOLERANCE * np.maximum(1, np.abs(bound)) for bound in (lower, upper))
    result: Bools = (value >= lower - slack_below) & (value <= upper + slack_above)
    return result
