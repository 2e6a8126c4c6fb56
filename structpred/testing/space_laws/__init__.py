"""The laws of a space, in the order in which they are best broken to a reader."""

from structpred.testing.law import Law
from structpred.testing.space_laws import (
    accepted,
    answers,
    calls,
    exchanges,
    fields,
    forbidden,
    grid,
    losses,
    noise,
    structures,
    values,
)

SPACE_LAWS: tuple[Law, ...] = tuple(
    law
    for module in (answers, exchanges, forbidden, calls, grid, structures, accepted, noise, losses, values, fields)
    for law in vars(module).values()
    if isinstance(law, Law)
)
