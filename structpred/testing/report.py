"""What a check found: one result a law, and a table of them."""

from __future__ import annotations

import enum

from attrs import field, frozen

from structpred.testing.law import Law, LawError


class Outcome(enum.Enum):
    """How a law came out."""

    PASSED = "passed"
    FAILED = "FAILED"
    SKIPPED = "skipped"
    """The law is out of reach for this subject; the note says why."""
    FAILED_AS_EXPECTED = "failed as expected"
    PASSED_UNEXPECTEDLY = "PASSED UNEXPECTEDLY"
    """Listed in ``expected_failures``, but it holds: take it off the list."""


@frozen
class Result:
    """How one law came out for one subject."""

    law: Law
    outcome: Outcome
    examples: int
    """How many inputs were tried."""
    seconds: float
    note: str = ""
    failure: LawError | None = field(default=None, repr=False)

    @property
    def is_bad(self) -> bool:
        """Whether the law failed, or held where it was expected to fail."""
        return self.outcome in (Outcome.FAILED, Outcome.PASSED_UNEXPECTEDLY)


@frozen
class Report:
    """Every law's result for one subject; ``print`` shows a table."""

    subject: str
    results: tuple[Result, ...]

    @property
    def passed(self) -> bool:
        """Whether every law came out as expected, as far as it could be tried.

        A law that was ``skipped`` says nothing: check a smaller space, of the same class, where it is not. A law
        out of ``expected_failures`` must fail.
        """
        return not any(result.is_bad for result in self.results)

    @property
    def skipped(self) -> dict[str, str]:
        """Why each law that could not be tried was skipped, by its name."""
        return {result.law.name: result.note for result in self.results if result.outcome is Outcome.SKIPPED}

    @property
    def tried_in_part(self) -> dict[str, str]:
        """What there was no time for, by the names of the laws that passed nonetheless."""
        passed = (result for result in self.results if result.outcome is Outcome.PASSED)
        return {result.law.name: result.note for result in passed if result.note}

    @property
    def failures(self) -> tuple[LawError, ...]:
        """The failures of laws that were expected to hold."""
        return tuple(result.failure for result in self.results if result.failure and result.is_bad)

    def __getitem__(self, name: str) -> Result:
        """The result of the law of this name; ``KeyError`` if it was not run."""
        for result in self.results:
            if result.law.name == name:
                return result
        raise KeyError(name)

    def __str__(self) -> str:
        wide = max((len(result.law.name) for result in self.results), default=3)
        lines = [f"{'law':{wide}}  examples  seconds  outcome"]
        for result in self.results:
            outcome = f"{result.outcome.value}: {result.note}" if result.note else result.outcome.value
            lines.append(f"{result.law.name:{wide}}  {result.examples:8d}  {result.seconds:7.2f}  {outcome}")
        counts = [
            f"{sum(result.outcome is outcome for result in self.results)} {outcome.value}"
            for outcome in Outcome
            if any(result.outcome is outcome for result in self.results)
        ]
        unknown = [f"not known to hold: {name} ({why})" for name, why in self.skipped.items()]
        unknown += [f"tried in part: {name} ({what})" for name, what in self.tried_in_part.items()]
        return "\n".join([self.subject, *lines, ", ".join(counts), *unknown])
