"""The solves of a batch: in threads, each answer verified, and ended by Ctrl-C."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from attrs import frozen
from torch import Tensor

from structpred._threads import map_chunks
from structpred.errors import SpaceError
from structpred.spaces._integer_program.program import Program
from structpred.spaces._integer_program.solvers import Interruption, Model, Outcome, Settings, Verdict

Attempt = Callable[[Model, int, bool], Outcome]
"""Solves a row of the batch with the model; in another way than the usual, if so told."""


@frozen
class Search:
    """Solves a program for each row of a batch.

    Solvers work in floating point: where coefficients are far apart in size, they call programs infeasible that
    are not, and round answers out of the space. So an x is checked against the program, and what fails
    or is said to be infeasible is solved again in another way.
    """

    program: Program
    settings: Settings

    def run(self, attempt: Attempt, rows: int, ends_all: Callable[[Outcome], bool]) -> list[Outcome]:
        """The outcome for each row; where it has an x, that keeps the program.

        Where one ends all (the call fails in any case), the rest is not solved.
        """
        outcomes = [Outcome(Verdict.UNSOLVED)] * rows
        interruption, ended = Interruption(), False

        def solve(chunk: Tensor) -> Tensor:
            nonlocal ended
            model = Model(self.program, self.settings, interruption.solve)
            solved: list[Outcome] = []
            for row in chunk.tolist():
                if ended:
                    return chunk
                solved.append(attempt(model, row, False))
                outcomes[row] = solved[-1]
                ended = ended or ends_all(solved[-1])
            for row, outcome in zip(chunk.tolist(), self._verified(solved), strict=True):
                outcomes[row] = outcome
                if outcome.verdict in (Verdict.INFEASIBLE, Verdict.FAILED) and not ended:
                    (again,) = self._verified([attempt(model, row, True)])
                    outcomes[row] = outcome if again.verdict is Verdict.FAILED else again
                    ended = ended or ends_all(again)
            return chunk

        map_chunks(solve, torch.arange(rows), interruption)
        return outcomes

    def error(self, failed: Sequence[Outcome], where: str) -> SpaceError:
        """What to raise where both ways failed."""
        sizes = np.abs(self.program.matrix.data)
        range_said = f" (they are {sizes.min():g} to {sizes.max():g} in size)" if sizes.size else ""
        return SpaceError(
            f"IntegerProgram: {self.settings.solver.name} stopped with status {failed[0].status} {where}, "
            "and so it did when it solved in another way; bring the coefficients of the constraints closer "
            f"together{range_said}, by a smaller big-M say, forbid a part with -inf and not with a huge score, "
            "or name another solver"
        )

    def _verified(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """The outcomes with each x freed of rounding errors, or failed where it does not keep the program then."""
        verified = list(outcomes)
        found = {i: outcome.x for i, outcome in enumerate(outcomes) if outcome.x is not None}
        if found:
            x = self.program.clean(np.stack(list(found.values())))
            for i, cleaned, kept in zip(found, x, self.program.admits(x).tolist(), strict=True):
                verdict = outcomes[i].verdict
                verified[i] = (
                    Outcome(verdict, cleaned)
                    if kept
                    else Outcome(Verdict.FAILED, status=f"{verdict.name}, but with an answer outside the constraints,")
                )
        return verified
