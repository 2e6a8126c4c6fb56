"""Direct loss minimization by the names of others: the perturbed direct loss without noise, at their steps.

With predicted costs c_hat = -scores and true costs c, the coefficients of the loss, all have the gradient
(y(eps) - y) / eps or the central form. What they call their step is in units of predicted per true costs; it has to be
tuned, as an epsilon that is a plain number has.
"""

from __future__ import annotations

from structpred._validation import validate_positive_number
from structpred.epsilon import FixedEpsilon
from structpred.objectives.base import Reduction
from structpred.objectives.direct import PerturbedDirectLoss
from structpred.spaces.base import StructuredSpace


def perturbation_gradient_loss(
    space: StructuredSpace, *, step: float = 0.1, central: bool = False, reduction: Reduction = "mean"
) -> PerturbedDirectLoss:
    """The perturbation gradient (PG) losses of Huang & Gupta 2024, "Decision-focused learning with directional
    gradients".

    Args:
        space: the structures.
        step: h; positive.
        central: differences on both sides (PGC); otherwise backward (PGB), away from better structures.
        reduction: as for every ``Objective``.
    """
    epsilon = FixedEpsilon(validate_positive_number("step", step), margin=1.0 if central else 0.0)
    return PerturbedDirectLoss(space, epsilon=epsilon, noise=None, reduction=reduction)


def blackbox_loss(space: StructuredSpace, *, step: float = 10.0, reduction: Reduction = "mean") -> PerturbedDirectLoss:
    """Differentiation of blackbox solvers (Vlastelica et al. 2020) for a linear loss.

    It solves a second time whether or not the gradient is used; for other losses take the layer ``Blackbox``.

    Args:
        space: the structures.
        step: lambda; positive.
        reduction: as for every ``Objective``.
    """
    return PerturbedDirectLoss(space, epsilon=-validate_positive_number("step", step), noise=None, reduction=reduction)
