"""The test kit: hold a space, an objective or a layer against its laws.

    from structpred.testing import check_space
    check_space(MySpace(4))

- ``check_space``, ``check_objective`` and ``check_layer`` try every law and return a ``Report`` of one ``Result`` a
  law, each with an ``Outcome``; a broken law is a ``LawError``, whose cause is the ``ViolationError`` that the law
  raised.
- ``parametrize_with_checks`` makes each law of a space a pytest case.
- ``SPACE_LAWS`` and ``GRADIENT_LAWS`` are the laws, and the other names in capitals those of each kind of objective
  and layer: each ``Law`` can be called by itself, on a space, or on an ``ObjectiveSubject`` or ``LayerSubject`` with a
  ``Case``.
- ``strategies`` has the Hypothesis strategies, for tests of your own.

Needs the ``testing`` extra (Hypothesis); pytest only for ``parametrize_with_checks``.
"""

from structpred.errors import MissingExtraError

try:
    import hypothesis as _hypothesis  # noqa: F401
except ImportError as error:
    raise MissingExtraError("structpred.testing needs Hypothesis; write pip install 'structpred[testing]'") from error

from structpred.testing import strategies
from structpred.testing.all_examples import AllExamples
from structpred.testing.batch_laws import BATCH_LAWS
from structpred.testing.check import check_layer, check_objective, check_space
from structpred.testing.gradient_laws import (
    DIFFERENCE_LAYER_LAWS,
    DIRECT_LAWS,
    GRADIENT_LAWS,
    IDENTITY_LAYER_LAWS,
    LAYER_LAWS,
    MEAN_LAYER_LAWS,
    OBJECTIVE_LAWS,
    POTENTIAL_LAWS,
    SCORE_FUNCTION_LAWS,
)
from structpred.testing.gradient_laws.case import Case
from structpred.testing.gradient_laws.subject import LayerSubject, ObjectiveSubject
from structpred.testing.law import Law, LawError, ViolationError
from structpred.testing.parametrize import parametrize_with_checks
from structpred.testing.report import Outcome, Report, Result
from structpred.testing.space_laws import SPACE_LAWS

__all__ = [
    "BATCH_LAWS",
    "DIFFERENCE_LAYER_LAWS",
    "DIRECT_LAWS",
    "GRADIENT_LAWS",
    "IDENTITY_LAYER_LAWS",
    "LAYER_LAWS",
    "MEAN_LAYER_LAWS",
    "OBJECTIVE_LAWS",
    "POTENTIAL_LAWS",
    "SCORE_FUNCTION_LAWS",
    "SPACE_LAWS",
    "AllExamples",
    "Case",
    "Law",
    "LawError",
    "LayerSubject",
    "ObjectiveSubject",
    "Outcome",
    "Report",
    "Result",
    "ViolationError",
    "check_layer",
    "check_objective",
    "check_space",
    "parametrize_with_checks",
    "strategies",
]
