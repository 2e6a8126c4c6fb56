"""The laws of a gradient: those that hold draw by draw, and those that hold in the mean."""

from structpred.testing.gradient_laws import calls, in_expectation, per_draw, units
from structpred.testing.law import Law

GRADIENT_LAWS: tuple[Law, ...] = tuple(
    law for module in (per_draw, calls, units, in_expectation) for law in vars(module).values() if isinstance(law, Law)
)
