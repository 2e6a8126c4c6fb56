"""The laws as pytest cases."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Literal

from structpred.errors import MissingExtraError
from structpred.spaces.base import StructuredSpace
from structpred.testing.batch_laws import BATCH_LAWS
from structpred.testing.check import laws_of_space, raise_if_bad, validate_names, validate_reasons
from structpred.testing.law import Law
from structpred.testing.report import Outcome
from structpred.testing.run import Effort, run
from structpred.testing.space_laws import SPACE_LAWS


def parametrize_with_checks(
    spaces: Iterable[StructuredSpace],
    *,
    effort: Literal["default", "thorough"] = "default",
    max_examples: int | None = None,
    max_seconds: float | None = None,
    seed: int = 0,
    tolerance: float = 0.0,
    only: Collection[str] | None = None,
    expected_failures: Mapping[str, str] | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """One pytest case for each law and space, named so that ``-k`` finds both.

    The decorated test takes ``space`` and ``law`` and calls ``law(space)``. A law out of a space's reach is
    skipped; one in ``expected_failures`` is a strict xfail. The other arguments are those of ``check_space``.

    Raises:
        ArgumentError: for the name of no law, as soon as the test is defined.
        MissingExtraError: without pytest.

    >>> import structpred as sp
    >>> @parametrize_with_checks([sp.OneHot(3), sp.Matching(2)])
    ... def test_my_spaces(space, law):
    ...     law(space)
    >>> @parametrize_with_checks([sp.Matching(30)], only=["no_exchange_scores_higher", "pickles"])
    ... def test_a_large_one(space, law):
    ...     law(space)
    """
    try:
        import pytest
    except ImportError as error:
        message = "parametrize_with_checks needs pytest; write pip install 'structpred[testing]', or use check_space"
        raise MissingExtraError(message) from error

    subjects = [laws_of_space(space) for space in spaces]
    every = [*SPACE_LAWS, *BATCH_LAWS]
    expected = validate_reasons(expected_failures, every)
    names = validate_names("only", only, every) if only is not None else [law.name for law in every]
    chosen = Effort.of(effort, max_examples, max_seconds, seed=seed, tolerance=tolerance)

    def case(space: StructuredSpace, law: Law) -> Any:
        reason = expected.get(law.name)
        marks = [pytest.mark.xfail(reason=reason, strict=True)] if reason else []
        return pytest.param(space, _call(law, chosen), id=f"{space!r}-{law.name}", marks=marks)

    cases = [case(space, law) for space, laws in subjects for law in laws if law.name in names]
    return pytest.mark.parametrize(("space", "law"), cases)


def _call(law: Law, effort: Effort) -> Callable[[StructuredSpace], None]:
    def call(space: StructuredSpace) -> None:
        import pytest

        result = run(law, space, effort)
        if result.outcome is Outcome.SKIPPED:
            pytest.skip(result.note)
        raise_if_bad(result)

    return call
