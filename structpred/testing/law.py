"""What a law is: one plain function that raises ``ViolationError``, and what Hypothesis is to feed it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from attrs import field, frozen
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from structpred.testing._examples import Listed, PerExample, in_turns, runs
from structpred.testing.settings import torch_settings

Input = Callable[[Any], SearchStrategy[Any]] | PerExample | Listed
Inputs = Mapping[str, Input]


class ViolationError(AssertionError):
    """What a law raises: a sentence, and values to show beside it, the one got and the better one.

    Args:
        message: what is wrong, in a sentence.
        shown: values by name, in the order to show them; tensors are shown as code.
    """

    def __init__(self, message: str, **shown: object) -> None:
        self.message = message
        self.shown = shown
        lines = [message, *(f"{name}: {value}" for name, value in shown.items())]
        super().__init__("\n".join(lines))


@contextmanager
def leaving_settings_alone() -> Iterator[None]:
    """Raises ``ViolationError`` where torch's settings are others at the end."""
    before = torch_settings()
    yield
    after = torch_settings()
    for name, expected in before.items():
        if after[name] != expected:
            raise ViolationError(f"the call changed torch's {name}", got=after[name], expected=expected)


class LawError(AssertionError):
    """A subject breaks a law. The text has the law, the smallest input found, and code that shows it again."""

    def __init__(self, message: str, law: Law, subject: object, inputs: Mapping[str, object]) -> None:
        super().__init__(message)
        self.law = law
        self.subject = subject
        self.inputs = inputs

    def __reduce__(self) -> tuple[Any, ...]:  # so that it crosses processes, in parallel test runs
        return type(self), (self.args[0], self.law, self.subject, self.inputs)


@frozen(repr=False, eq=False)
class Law:
    """One law. Call it with a subject and inputs by name to see whether it holds there.

    Args:
        check: raises ``ViolationError``, or whatever the subject raises, where the law is broken.
        inputs: for each of the check's inputs, the strategy that a subject has for it; or a list of one input's values.
        needs: why a subject is out of the law's reach, or None.
        examples: the largest batch of the inputs that are ``per_example``.
        share: how many times the seconds that a law has this one needs.
    """

    check: Callable[..., None]
    inputs: Inputs
    needs: Callable[[Any], str | None] = field(default=lambda subject: None)
    examples: int = 3
    share: float = 1.0

    @property
    def name(self) -> str:
        """The name of the check."""
        return self.check.__name__

    @property
    def statement(self) -> str:
        """The law in a sentence or two: the first paragraph of its docstring."""
        paragraph = (inspect.getdoc(self.check) or "").partition("\n\n")[0]
        return " ".join(paragraph.split())

    def strategy(self, subject: Any) -> SearchStrategy[dict[str, Any]]:
        """All inputs by name, as a failure needs them: with the fewest examples, and simple values."""
        rows: dict[str, SearchStrategy[Any]] = {}
        rest: dict[str, SearchStrategy[Any]] = {}
        for name, make in self.inputs.items():
            if isinstance(make, PerExample):
                rows[name] = make(subject, self.examples)
            elif not isinstance(make, Listed):
                rest[name] = make(subject)
        if not rows:
            return st.fixed_dictionaries(rest)
        drawn = st.tuples(st.fixed_dictionaries(rows), st.fixed_dictionaries(rest), runs(self.examples))
        return drawn.map(lambda it: {name: value[it[2]] for name, value in it[0].items()} | it[1])

    def listed(self, subject: Any) -> Sequence[dict[str, Any]] | None:
        """Every input that is to be tried, in order; None where Hypothesis makes them."""
        for name, make in self.inputs.items():
            if isinstance(make, Listed):
                return [{name: it} for it in in_turns(make.values(subject))]
        return None

    @property
    def options(self) -> frozenset[str]:
        """The settings that the check takes beyond its inputs: of ``tolerance``, ``draws`` and ``seed``."""
        return frozenset(inspect.signature(self.check).parameters) & {"tolerance", "draws", "seed"} - set(self.inputs)

    @property
    def is_statistical(self) -> bool:
        """Whether it holds in the mean: a test of draws, that fails by chance once in a million times at most."""
        return "draws" in self.options

    def __repr__(self) -> str:
        return f"<law {self.name}>"

    def __call__(self, subject: Any, **inputs: Any) -> None:
        with leaving_settings_alone():
            self.check(subject, **inputs)

    def __reduce__(self) -> tuple[Any, ...]:
        return _law_of, (self.check.__module__, self.name)


def _law_of(module: str, name: str) -> Law:
    found: Law = getattr(__import__(module, fromlist=[name]), name)
    return found


def law(
    *,
    needs: Callable[[Any], str | None] = lambda subject: None,
    examples: int = 3,
    share: float = 1.0,
    **inputs: Input,
) -> Callable[[Callable[..., None]], Law]:
    """Makes a law of a check. Keywords other than ``needs``, ``examples`` and ``share`` are the check's inputs."""
    return lambda check: Law(check, inputs, needs, examples, share)
