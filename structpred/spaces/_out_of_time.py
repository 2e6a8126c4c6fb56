"""How a solver with a time limit says which rows it did not finish."""

from __future__ import annotations

import warnings
from collections.abc import Callable

from torch import Tensor

from structpred.errors import SolverTimeoutError, SolverTimeoutWarning, name_examples

Index = tuple[int, ...]
"""The place of an example in a batch; ``()`` where there are no batch dimensions."""


class OutOfTimeError(Exception):
    """Raised by an ``_argmax`` whose solver has a time limit; ``argmax`` names the rows by their batch indices.

    Args:
        rows: those of the scores it was given whose search the limit ended.
        y: the answer for all rows nonetheless, with a warning; without it the caller gets a ``SolverTimeoutError``.
    """

    def __init__(self, rows: list[int], y: Tensor | None = None) -> None:
        super().__init__(rows, y)
        self.rows = sorted(rows)
        self.y = y

    def accepted(self, example: Callable[[int], Index]) -> Tensor:
        """The answer with a warning, or the error; ``example`` maps a row to the index of its example."""
        examples = sorted({example(row) for row in self.rows})
        if self.y is None:
            raise SolverTimeoutError(examples) from None
        found = f"the time limit ended the search in {name_examples(examples)}; the best structure found is taken"
        warnings.warn(found, SolverTimeoutWarning, stacklevel=5)
        return self.y
