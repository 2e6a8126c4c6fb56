"""Runs one law on one subject: tries inputs, finds the smallest that breaks it, and says so."""

from __future__ import annotations

import copy
import sysconfig
import textwrap
import time
import traceback
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import hypothesis
from attrs import field, frozen
from hypothesis.errors import HypothesisDeprecationWarning, UnsatisfiedAssumption

from structpred._validation import validate_finite_number, validate_positive_int
from structpred.errors import argument_error
from structpred.testing.clock import Clock
from structpred.testing.code import expression, reproduction
from structpred.testing.law import Law, LawError, ViolationError, leaving_settings_alone
from structpred.testing.report import Outcome, Result
from structpred.testing.settings import restoring_torch

_NOT_THE_SUBJECTS = (Path(__file__).parents[1], sysconfig.get_path("stdlib"))
PHASES = (hypothesis.Phase.generate, hypothesis.Phase.shrink)


@frozen
class _Limits:
    max_examples: int
    max_seconds: float


DEFAULT = _Limits(max_examples=30, max_seconds=2.0)
LIMITS = {"default": DEFAULT, "thorough": _Limits(max_examples=500, max_seconds=60.0)}


def _at_least_zero(instance: object, attribute: Any, value: object) -> None:
    if validate_finite_number(attribute.name, value) < 0:
        raise argument_error(attribute.name, "a number of at least 0", value)


def _at_least_a_thousand(instance: object, attribute: Any, value: object) -> None:
    if validate_positive_int(attribute.name, value) < 1000:
        raise argument_error(attribute.name, "at least 1000, so that means are nearly normal", value)


def _integer(instance: object, attribute: Any, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise argument_error(attribute.name, "an integer", value)


def _positive(instance: object, attribute: Any, value: object) -> None:
    validate_positive_int(attribute.name, value)


@frozen(kw_only=True)
class Effort:
    """How hard to try, and how exact a value has to be."""

    max_examples: int = field(default=DEFAULT.max_examples, validator=_positive)
    max_seconds: float = field(default=DEFAULT.max_seconds, validator=_at_least_zero)
    seed: int = field(default=0, validator=_integer)
    tolerance: float = field(default=0.0, validator=_at_least_zero)
    draws: int = field(default=40_000, validator=_at_least_a_thousand)

    @classmethod
    def of(
        cls, name: object, max_examples: int | None = None, max_seconds: float | None = None, **others: Any
    ) -> Effort:
        """The effort of this name, but for what is given.

        Raises:
            ArgumentError: for other names, and for bad settings.
        """
        if not isinstance(name, str) or name not in LIMITS:
            raise argument_error("effort", " or ".join(f'"{it}"' for it in LIMITS), name)
        limits = LIMITS[name]
        return cls(
            max_examples=limits.max_examples if max_examples is None else max_examples,
            max_seconds=limits.max_seconds if max_seconds is None else max_seconds,
            **others,
        )

    def options_of(self, law: Law) -> dict[str, Any]:
        """Those of the settings that the law takes."""
        return {name: getattr(self, name) for name in ("tolerance", "draws", "seed") if name in law.options}


@frozen
class _Broken:
    inputs: Mapping[str, Any]
    error: Exception


class _Search:
    """The test function that Hypothesis calls; remembers the last inputs that failed, which it makes the smallest."""

    def __init__(self, law: Law, subject: Any, effort: Effort) -> None:
        self.law, self.subject, self.effort = law, subject, effort
        self.options = effort.options_of(law)
        self.spent = Clock()
        self.examples = 0
        self.untried = 0
        self.broken: _Broken | None = None

    def __call__(self, inputs: Mapping[str, Any]) -> None:
        out_of_time = self.spent() > self.effort.max_seconds
        if out_of_time and self.examples and not self.broken:
            return  # a slow solver; what is broken is made smaller all the same
        self.attempt(inputs)

    def attempt(self, inputs: Mapping[str, Any]) -> None:
        """Tries these inputs; raises where they break the law."""
        self.examples += 1
        before = copy.deepcopy(inputs)  # a broken subject may write into its arguments
        try:
            with restoring_torch():
                self.law(self.subject, **inputs, **self.options)
        except UnsatisfiedAssumption:
            raise
        except Exception as error:
            self.broken = _Broken(before, error)
            raise

    def run(self) -> _Broken | None:
        """The smallest inputs found that break the law, if any do."""
        try:
            with restoring_torch(), leaving_settings_alone():  # inputs come from calls of the subject, too
                listed = self.law.listed(self.subject)
                if listed is not None:
                    self._try_each(listed)
                elif self.law.inputs:
                    self._search()
                else:
                    self.attempt({})
        except Exception as error:
            # Without broken, the inputs could not even be made: the subject failed while it gave a structure.
            # With another error, the failure did not come again on the same input: what broke counts all the same.
            return self.broken or _Broken({}, error)
        return None

    def _try_each(self, listed: Sequence[Mapping[str, Any]]) -> None:
        """Tries what there is time for, judged by how fast rows went before."""
        seconds_a_row, started = 0.0, self.spent()
        for inputs in listed:
            rows = max(1, *(getattr(it, "rows", 1) for it in inputs.values()))
            left = self.law.share * self.effort.max_seconds - started
            if self.examples and rows * seconds_a_row > left:
                self.untried += 1
                continue
            self.attempt(inputs)
            ended = self.spent()
            taken, started = (ended - started) / rows, ended
            seconds_a_row = min(seconds_a_row, taken) if seconds_a_row else taken

    def _search(self) -> None:
        def test(inputs: Mapping[str, Any]) -> None:
            self(inputs)

        given = hypothesis.given(inputs=self.law.strategy(self.subject))(test)
        settings = hypothesis.settings(
            max_examples=self.effort.max_examples,
            database=None,
            deadline=None,
            derandomize=False,
            print_blob=False,
            report_multiple_bugs=False,
            verbosity=hypothesis.Verbosity.quiet,
            suppress_health_check=list(hypothesis.HealthCheck),
            phases=PHASES,
        )
        with warnings.catch_warnings():
            # Structures may come from the space's solver, which may break ties at random.
            warnings.filterwarnings("ignore", "Do not use the `random` module", HypothesisDeprecationWarning)
            hypothesis.seed(self.effort.seed)(settings(given))()


def run(law: Law, subject: Any, effort: Effort, expected_failure: str | None = None) -> Result:
    """One law on one subject. Does not raise for a law that is broken: the result says it."""
    started = time.perf_counter()
    search = _Search(law, subject, effort)
    broken: _Broken | None = None
    try:
        with restoring_torch(), leaving_settings_alone():
            out_of_reach = law.needs(subject)
    except Exception as error:
        out_of_reach, broken = None, _Broken({}, error)
    if not (broken or out_of_reach):
        broken = search.run()
    seconds = time.perf_counter() - started
    if broken:
        with restoring_torch():  # which a repr may change
            failure = _failure(law, subject, broken, effort)
        outcome = Outcome.FAILED_AS_EXPECTED if expected_failure else Outcome.FAILED
        note = expected_failure or str(broken.error).partition("\n")[0]
        return Result(law, outcome, search.examples, seconds, note, failure)
    if out_of_reach:
        return Result(law, Outcome.SKIPPED, 0, seconds, out_of_reach)
    if expected_failure:
        note = f"expected to fail ({expected_failure}); take it off expected_failures"
        return Result(law, Outcome.PASSED_UNEXPECTEDLY, search.examples, seconds, note)
    note = f"no time for {search.untried} of {search.examples + search.untried} circumstances" if search.untried else ""
    return Result(law, Outcome.PASSED, search.examples, seconds, note)


def title(subject: object) -> str:
    """What a subject is called in reports: the space, the objective or the layer."""
    with restoring_torch():
        return repr(getattr(subject, "module", subject))


def _where(error: BaseException) -> str:
    """Which method of the subject raised it, and in which line; nothing where only libraries' code did."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        others = "site-packages" in path.parts or any(path.is_relative_to(place) for place in _NOT_THE_SUBJECTS)
        if path.is_file() and not others:
            return f" in {frame.name} ({path.name}, line {frame.lineno})"
    return ""


def _failure(law: Law, subject: Any, broken: _Broken, effort: Effort) -> LawError:
    error, inputs = broken.error, broken.inputs
    if isinstance(error, ViolationError):
        message = error.message
        shown = [
            f"{name.replace('_', ' '):10} {value if isinstance(value, str) else expression(value)}"
            for name, value in error.shown.items()
        ]
    else:
        message, shown = f"{type(error).__name__}{_where(error)}: {error}", []
    options = {
        name: value for name, value in effort.options_of(law).items() if name != "tolerance" or value
    }  # as long as the solver is exact there is nothing to say
    text = [
        f"{title(subject)} breaks the law {law.name}:",
        textwrap.indent(textwrap.fill(law.statement, 100), "    "),
        message,
        *(textwrap.indent(line, "    ") for line in shown),
        f"{'The smallest input found' if inputs else 'Seen'} with seed {effort.seed}; to see it again:",
        "",
        textwrap.indent(reproduction(law, subject, inputs, options), "    "),
    ]
    failure = LawError("\n".join(text), law, subject, inputs)
    failure.__cause__ = error
    error.__notes__ = []  # Hypothesis has said the input there, but not as code
    return failure
