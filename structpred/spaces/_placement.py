"""Where a solver runs, and on what: in threads, in one call on the CPU, or on the scores' own device."""

from __future__ import annotations

import enum
from collections.abc import Callable

import torch
from torch import Tensor

from structpred._autocast import without_autocast
from structpred._threads import fill_rows
from structpred.spaces._out_of_time import OutOfTimeError

_CPU = torch.device("cpu")
_MOST_SUMMED = 100_000_000  # sums of so many scores of that size are still finite in float64


class SolverPlacement(enum.Enum):
    """Where a space's ``_argmax`` runs, and on what."""

    IN_THREADS = enum.auto()
    """On the CPU in float64; each thread gets a part of the batch. ``_argmax`` must keep no state."""
    ON_CPU = enum.auto()
    """On the CPU in float64; one call gets the whole batch."""
    ON_DEVICE = enum.auto()
    """In torch on the scores' own device, in their dtype or float32 if that is finer, and in float64 for
    numbers so large that their sums could overflow."""


def solve_rows(
    placement: SolverPlacement,
    solve: Callable[[Tensor, Tensor], Tensor],
    flat: Tensor,
    which: Tensor,
    largest: float,
) -> Tensor:
    """``solve(flat, which)`` where and on what the placement says; the answer in flat's dtype, on its device.

    Within ``torch.autocast`` as without it.

    Args:
        placement: of the solver.
        solve: the answers for some rows.
        flat: ``(n, *shape)``, scores.
        which: ``(n)``, on the CPU: something for each row, that goes with it into whatever thread.
        largest: the largest size of a finite score.
    """
    finer = torch.promote_types(flat.dtype, torch.float32)  # half precision would make ties
    if placement is SolverPlacement.ON_DEVICE:
        overflows = largest * _MOST_SUMMED > torch.finfo(finer).max
        with without_autocast(flat.device):
            y = solve(flat.to(torch.float64 if overflows else finer), which)
    elif placement is SolverPlacement.ON_CPU:
        with without_autocast(_CPU):
            y = solve(flat.to("cpu", torch.float64).contiguous(), which)
    else:
        # Here and not in the threads, where new large arrays are slow.
        doubles = flat.to("cpu", torch.float64).contiguous()
        y = torch.empty_like(doubles, dtype=finer)
        late: list[int] = []

        def solve_some(rows: slice) -> Tensor:
            try:
                return solve(doubles[rows], which[rows])
            except OutOfTimeError as error:
                first = rows.start or 0
                late.extend(first + row for row in error.rows)
                if error.y is None:
                    raise OutOfTimeError(late) from None
                return error.y

        with without_autocast(_CPU):  # in this thread, if it takes a part; others have no autocast
            fill_rows(solve_some, y)
        if late:
            raise OutOfTimeError(late, y)
    return y.to(flat.device, flat.dtype)
