"""How good the networks of trainings are: what the results of both tasks have, and what is told of them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

import attrs
from attrs import field, frozen, validators
from rich.console import Console

from tasks.common.report import Column, count, mean, median, median_path, print_table
from tasks.common.treebank.significance import chance_of_worse
from tasks.common.treebank.trainer import Epoch


class Measures(attrs.AttrsInstance, Protocol):
    """How good a network is on some sentences."""

    def told(self) -> str:
        """In words."""


AnyMeasures = TypeVar("AnyMeasures", bound=Measures)


@frozen(kw_only=True)
class Result(Generic[AnyMeasures]):
    """What was trained, and what came of it. A task's own class says what ``run`` and the measures are."""

    run: Any
    dev: AnyMeasures
    test: AnyMeasures | None
    """None if not asked for."""
    epochs: list[Epoch] = field(validator=validators.min_len(1))
    machine: str
    """What it ran on."""
    commit: str

    @property
    def seconds(self) -> float:
        """The training steps."""
        return sum(epoch.seconds for epoch in self.epochs)


@frozen
class Measure(Generic[AnyMeasures]):
    """A column of the table, and what its systems are compared by."""

    heading: str
    fraction: Callable[[AnyMeasures], float]
    right: Callable[[AnyMeasures], list[int]]
    """Of each sentence."""


def print_result(result: Result[Any], console: Console) -> None:
    """One training in words."""
    for name, measures in [("dev", result.dev)] + ([("test", result.test)] if result.test is not None else []):
        console.print(
            f"{result.run.name}, {name} set: {measures.told()}; trained in {result.seconds / 60:.1f} min, with "
            f"gradients in {100 * result.epochs[-1].nonzero:.0f} % of the sentences in the last epoch.",
            highlight=False,
        )


def print_results(
    title: str,
    measures: Sequence[Measure[AnyMeasures]],
    results: Sequence[Result[AnyMeasures]],
    usual: object,
    console: Console,
    *,
    test: bool,
) -> None:
    """A row for each method.

    Args:
        title: what stands above.
        measures: in percent, each but for the usual method's with p, the fraction of resampled sets on which a method
            is not better than the usual one.
        results: of the trainings.
        usual: the method that the others are compared with.
        console: where to.
        test: whether the test set is told, or the dev set.
    """

    def of(result: Result[AnyMeasures]) -> AnyMeasures:
        return result.test if test and result.test is not None else result.dev

    def percent(measure: Measure[AnyMeasures]) -> Callable[[Sequence[Result[AnyMeasures]]], str]:
        return lambda own: mean([100 * measure.fraction(of(result)) for result in own], statistics.stdev)

    def against(measure: Measure[AnyMeasures]) -> Callable[[Sequence[Result[AnyMeasures]]], str]:
        def text(own: Sequence[Result[AnyMeasures]]) -> str:
            theirs = {result.run.seed: of(result) for result in results if result.run.method is usual}
            pairs = [(of(result), theirs[result.run.seed]) for result in own if result.run.seed in theirs]
            if own[0].run.method is usual or not pairs:
                return ""
            ours, others = (
                [sum(each) for each in zip(*map(measure.right, side), strict=True)] for side in zip(*pairs, strict=True)
            )
            return f"{chance_of_worse(ours, others):.4f}"

        return text

    columns = [Column[Result[AnyMeasures]]("method", lambda own: own[0].run.method.value), Column("runs", count)]
    for measure in measures:
        columns += [Column(measure.heading, percent(measure)), Column("p", against(measure))]
    columns += [
        Column("non-zero", lambda own: median_path([[100 * e.nonzero for e in r.epochs] for r in own], ".0f")),
        Column("min/run", lambda own: median([result.seconds / 60 for result in own], ".1f")),
    ]
    print_table(f"{title}, {'test' if test else 'dev'} set", columns, results, console, 60 + 24 * len(measures))
