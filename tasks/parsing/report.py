"""What came out: attachment scores, whole trees, and whether a method is better than cross-entropy."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from rich.console import Console

from tasks.common.report import Column, count, mean, median, median_path, print_table
from tasks.common.treebank.significance import chance_of_worse
from tasks.parsing.config import Method
from tasks.parsing.measures import Measures
from tasks.parsing.results import Result


def print_results(results: Sequence[Result], console: Console, *, test: bool) -> None:
    """A row for each method; p is the fraction of resampled sets on which it is not better than cross-entropy."""
    which = "test" if test else "dev"

    def of(result: Result) -> Measures:
        return result.test if test and result.test is not None else result.dev

    def percent(value: Callable[[Measures], float]) -> Callable[[Sequence[Result]], str]:
        return lambda own: mean([100 * value(of(result)) for result in own], statistics.stdev)

    def against(value: Callable[[Measures], list[int]]) -> Callable[[Sequence[Result]], str]:
        def text(own: Sequence[Result]) -> str:
            usual = {r.run.seed: of(r) for r in results if r.run.method is Method.CROSS_ENTROPY}
            pairs = [(of(result), usual[result.run.seed]) for result in own if result.run.seed in usual]
            if own[0].run.method is Method.CROSS_ENTROPY or not pairs:
                return ""
            ours, theirs = (
                [sum(each) for each in zip(*map(value, side), strict=True)] for side in zip(*pairs, strict=True)
            )
            return f"{chance_of_worse(ours, theirs):.4f}"

        return text

    columns = (
        Column[Result]("method", lambda own: own[0].run.method.value),
        Column[Result]("runs", count),
        Column[Result]("UAS", percent(lambda measures: measures.uas)),
        Column[Result]("p", against(lambda measures: measures.heads)),
        Column[Result]("LAS", percent(lambda measures: measures.las)),
        Column[Result]("p", against(lambda measures: measures.labelled)),
        Column[Result]("whole\ntrees", percent(lambda measures: measures.trees)),
        Column[Result]("p", against(lambda measures: measures.whole)),
        Column[Result]("non-zero", lambda own: median_path([[100 * e.nonzero for e in r.epochs] for r in own], ".0f")),
        Column[Result]("min/run", lambda own: median([result.seconds / 60 for result in own], ".1f")),
    )
    print_table(f"Percent of words with the right head, {which} set", columns, results, console)


def print_result(result: Result, console: Console) -> None:
    """One training in words."""
    told = [("dev", result.dev)] + ([("test", result.test)] if result.test is not None else [])
    for name, measures in told:
        console.print(
            f"{result.run.name}, {name} set: UAS {100 * measures.uas:.2f} %, "
            f"LAS {100 * measures.las:.2f} %, whole trees {100 * measures.trees:.2f} %; trained in "
            f"{result.seconds / 60:.1f} min, with gradients in {100 * result.epochs[-1].nonzero:.0f} % of the "
            "sentences in the last epoch.",
            highlight=False,
        )
