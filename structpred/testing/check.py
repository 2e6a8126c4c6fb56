"""The three checks: every law of a space, of an objective, and of a layer."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal, TypeVar

from structpred.errors import argument_error
from structpred.layers._direct import DirectLayer
from structpred.layers.identity import Identity
from structpred.layers.perturbed_argmax import PerturbedArgmax
from structpred.objectives._potential import Potential
from structpred.objectives.direct import PerturbedDirectLoss
from structpred.objectives.score_function import ScoreFunctionLoss
from structpred.spaces.base import StructuredSpace
from structpred.testing import gradient_laws
from structpred.testing.all_examples import AllExamples
from structpred.testing.batch_laws import BATCH_LAWS
from structpred.testing.gradient_laws.subject import LayerSubject, ObjectiveSubject, Subject
from structpred.testing.law import Law, LawError
from structpred.testing.progress import progress
from structpred.testing.report import Outcome, Report, Result
from structpred.testing.run import Effort, run, title
from structpred.testing.space_laws import SPACE_LAWS

_Names = TypeVar("_Names", bound=Collection[str])


def check_space(
    space: StructuredSpace,
    *,
    effort: Literal["default", "thorough"] = "default",
    max_examples: int | None = None,
    max_seconds: float | None = None,
    seed: int = 0,
    tolerance: float = 0.0,
    only: Collection[str] | None = None,
    expected_failures: Mapping[str, str] | None = None,
    raises: bool = True,
) -> Report:
    """Holds a space against every law that applies to it.

    Check small sizes, whose structures can be listed by ``enumerate``, and one that is too large for that. A
    ``SpaceBatch`` is also held against the loop over its spaces, with NaN in all padding.

    Args:
        space: the space; its laws are those of docs/laws.md.
        effort: ``"thorough"`` is for continuous integration: minutes instead of seconds.
        max_examples: inputs tried for each law that Hypothesis makes them for; 30, or 500 if thorough.
        max_seconds: after which no more inputs are tried for a law, some of which take two or three times as
            many; the table says how many were. 2, or 60 if thorough. Seconds are the processor's.
        seed: of the inputs; the same program tries the same ones with the same seed.
        tolerance: how far a value may stay below the best, relative to the largest score. 0 is for exact
            solvers (the rounding of the scores' dtype is always granted); an integer program's solver has its own.
        only: the names of the laws to run; all unless given.
        expected_failures: the names of laws that the space is known to break, each with the reason.
        raises: whether to raise at the first failure; otherwise look at the report.

    Returns:
        The results law by law; ``print`` shows a table. ``passed`` says nothing about the laws in ``skipped``.

    Raises:
        LawError: names the law, and has the smallest input found and code that shows it again.
        ArgumentError: for what is no space, or the name of no law.

    >>> import structpred as sp
    >>> report = check_space(sp.Matching(2))
    >>> report.passed, len(report.results), report.skipped
    (True, 54, {})
    >>> large = check_space(sp.Matching(10), only=["enumerate_is_complete", "no_exchange_scores_higher", "pickles"])
    >>> list(large.skipped)  # it needs the list of all structures
    ['enumerate_is_complete']
    """
    chosen = Effort.of(effort, max_examples, max_seconds, seed=seed, tolerance=tolerance)
    subject, laws = laws_of_space(_as_space(space))
    return _check(subject, laws, chosen, only, expected_failures, raises)


def check_objective(
    objective: Callable[..., Any],
    *,
    laws: Sequence[Law] | None = None,
    effort: Literal["default", "thorough"] = "default",
    max_examples: int | None = None,
    max_seconds: float | None = None,
    draws: int = 40_000,
    seed: int = 0,
    only: Collection[str] | None = None,
    expected_failures: Mapping[str, str] | None = None,
    raises: bool = True,
) -> Report:
    """Holds an objective against every law that applies: its value, and its gradients for scores and scale.

    A statistical law raises a false alarm with probability 1e-6 at most for each seed.

    Args:
        objective: an ``Objective``, or what is called as one is, with ``space``, ``noise`` and ``num_samples`` as
            attributes. Laws assign other values of these, and of ``epsilon`` and ``reduction`` where it has them, to
            copies of it. Its noise is one call ``noise.sample((num_samples, *batch, *noise_shape), ...)``. Its space
            passes ``check_space``: the laws trust the solver.
        laws: those of its kind unless given. An objective of a class of your own needs them: ``DIRECT_LAWS``,
            ``POTENTIAL_LAWS``, ``SCORE_FUNCTION_LAWS``, or ``OBJECTIVE_LAWS``, which all objectives share.
        effort: as for ``check_space``.
        max_examples: inputs tried for each law that holds draw by draw; 30, or 500 if thorough.
        max_seconds: after which no more inputs are tried for such a law; 2, or 60 if thorough.
        draws: the size of the sample for each law that holds in the mean, at least 1,000. Large
            spaces and slow solvers get fewer, down to 1,000: the tests stay true, and see less.
        seed: of the inputs and draws; the same program tries the same ones with the same seed.
        only: the names of the laws to run; all unless given.
        expected_failures: the names of laws that are known to be broken, each with the reason.
        raises: whether to raise at the first failure; otherwise look at the report.

    Returns:
        The results law by law; ``print`` shows a table. ``passed`` says nothing about the laws in ``skipped``.

    Raises:
        LawError: names the law, and has the smallest input found and code that shows it again.
        ArgumentError: for what is no objective, one whose kind is not known, or the name of no law.

    >>> import structpred as sp
    >>> check_objective(sp.StructuredHingeLoss(sp.OneHot(3)), max_examples=5, max_seconds=0.1).passed
    True
    """
    subject = ObjectiveSubject(objective)
    chosen = Effort.of(effort, max_examples, max_seconds, seed=seed, draws=draws)
    return _check(
        subject, _laws_of(subject, laws, _OBJECTIVES, "OBJECTIVE_LAWS"), chosen, only, expected_failures, raises
    )


def check_layer(
    layer: Callable[..., Any],
    *,
    laws: Sequence[Law] | None = None,
    effort: Literal["default", "thorough"] = "default",
    max_examples: int | None = None,
    max_seconds: float | None = None,
    draws: int = 40_000,
    seed: int = 0,
    only: Collection[str] | None = None,
    expected_failures: Mapping[str, str] | None = None,
    raises: bool = True,
) -> Report:
    """Holds a layer against every law that applies: its structures, and its gradients for scores and scale.

    A statistical law raises a false alarm with probability 1e-6 at most for each seed.

    Args:
        layer: a ``Layer``, or what is called as one is, with ``space``, ``noise`` and ``num_samples`` as attributes.
            Laws assign other values of these, and of ``epsilon`` where it has one, to copies of it. One that returns
            structures, not their mean, takes ``num_samples=None`` too: one an example, without a dimension of samples.
        laws: those of its kind unless given. A layer of a class of your own needs them: ``DIFFERENCE_LAYER_LAWS``,
            ``IDENTITY_LAYER_LAWS``, ``MEAN_LAYER_LAWS``, or ``LAYER_LAWS``, which all layers share.
        effort, max_examples, max_seconds, draws, seed, only, expected_failures, raises: as for ``check_objective``.

    Returns:
        The results law by law; ``print`` shows a table. ``passed`` says nothing about the laws in ``skipped``.

    Raises:
        LawError: names the law, and has the smallest input found and code that shows it again.
        ArgumentError: for what is no layer, one whose kind is not known, or the name of no law.

    >>> import structpred as sp
    >>> check_layer(sp.Blackbox(sp.OneHot(3)), max_examples=5, max_seconds=0.1).passed
    True
    """
    subject = LayerSubject(layer)
    chosen = Effort.of(effort, max_examples, max_seconds, seed=seed, draws=draws)
    laws = _laws_of(subject, laws, _LAYERS, "LAYER_LAWS")
    return _check(subject, laws, chosen, only, expected_failures, raises)


_OBJECTIVES: dict[type, str] = {
    PerturbedDirectLoss: "DIRECT_LAWS",
    Potential: "POTENTIAL_LAWS",
    ScoreFunctionLoss: "SCORE_FUNCTION_LAWS",
}
_LAYERS: dict[type, str] = {
    DirectLayer: "DIFFERENCE_LAYER_LAWS",
    Identity: "IDENTITY_LAYER_LAWS",
    PerturbedArgmax: "MEAN_LAYER_LAWS",
}


def _laws_of(subject: Subject, laws: Sequence[Law] | None, kinds: Mapping[type, str], shared: str) -> Sequence[Law]:
    """The laws given, or those of the kind of a shipped class."""
    if laws is None:
        for kind, name in kinds.items():
            if isinstance(subject.module, kind):
                found: tuple[Law, ...] = getattr(gradient_laws, name)
                return found
        wanted = f"the laws for {subject.kind} of a class of your own"
        raise argument_error("laws", wanted, laws, f"write {', '.join(kinds.values())} or {shared}")
    if isinstance(laws, Law) or not all(isinstance(law, Law) for law in laws):
        raise argument_error("laws", "a sequence of laws", laws, f"write for example {shared}")
    return laws


def _as_space(space: object) -> StructuredSpace:
    if not isinstance(space, StructuredSpace):
        raise argument_error("space", "a StructuredSpace", space, "write for example Matching(3)")
    return space


def _check(
    subject: Any,
    laws: Sequence[Law],
    effort: Effort,
    only: Collection[str] | None,
    expected_failures: Mapping[str, str] | None,
    raises: bool,
) -> Report:
    expected = validate_reasons(expected_failures, laws)
    chosen = validate_names("only", only, laws) if only is not None else [law.name for law in laws]
    results = []
    with progress(len(chosen)) as show:
        for law in laws:
            if law.name in chosen:
                show(law.name)
                results.append(run(law, subject, effort, expected.get(law.name)))
                if raises:
                    raise_if_bad(results[-1])
    return Report(title(subject), tuple(results))


def laws_of_space(space: StructuredSpace) -> tuple[StructuredSpace, tuple[Law, ...]]:
    """What is held against which laws: of a batch of different spaces, all the examples together."""
    if space.examples is None:
        return space, SPACE_LAWS
    return AllExamples(space), (*SPACE_LAWS, *BATCH_LAWS)


def raise_if_bad(result: Result) -> None:
    """Raises the failure of a law that was expected to hold, or says that it was not expected to."""
    if result.outcome is Outcome.PASSED_UNEXPECTEDLY:
        raise LawError(f"the law {result.law.name} holds, but was {result.note}", result.law, None, {})
    if result.is_bad and result.failure:
        raise result.failure


def validate_reasons(expected_failures: Mapping[str, str] | None, laws: Sequence[Law]) -> Mapping[str, str]:
    """The reasons by the names of laws; ``ArgumentError`` for what is no mapping, or names no law."""
    if expected_failures is not None and not isinstance(expected_failures, Mapping):
        instead = 'write {"name_of_the_law": "the reason"}'
        raise argument_error("expected_failures", "reasons by the names of laws", expected_failures, instead)
    return validate_names("expected_failures", expected_failures or {}, laws)


def validate_names(argument: str, names: _Names, laws: Sequence[Law]) -> _Names:
    """Returns the names; raises ``ArgumentError`` unless each is that of a law."""
    known = [law.name for law in laws]
    if isinstance(names, str):
        raise argument_error(argument, "a list of names of laws", names, f"write [{names!r}]")
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(str(name), known, n=1)
            raise argument_error(argument, "names of laws", name, f"did you mean {close[0]!r}?" if close else "")
    return names
