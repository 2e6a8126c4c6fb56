"""Trains runs of one cell, all seeds and knobs of a method as one batch."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import attrs

from tasks.common.results import commit
from tasks.planning.config import Result, Run
from tasks.planning.objectives import objective
from tasks.planning.regret import normalised_regret
from tasks.planning.train import Observer, train, untrained


def results_of(runs: Sequence[Run], knobs: Sequence[float], observe: Observer | None = None) -> Iterator[Result]:
    """Trains runs that differ in their seed alone, and gives their results as they come.

    Args:
        runs: of one cell.
        knobs: each is a training of every seed.
        observe: called after every epoch.
    """
    first, now, many = runs[0], commit(), list(knobs)
    for instances in first.problem.draw([run.seed for run in runs]):
        started = time.perf_counter()
        members = instances.repeated(len(many))
        loss = objective(first.method, members, many * len(instances.seeds))
        before, after = (
            normalised_regret(those.space, networks(those.test.features), those.test).tolist()
            for those, networks in (
                (instances, untrained(first.training, instances)),
                (members, train(first.training, members, loss, observe)),
            )
        )
        seconds = (time.perf_counter() - started) / len(instances.seeds)
        for place, seed in enumerate(instances.seeds):
            own = slice(place * len(many), (place + 1) * len(many))
            run = attrs.evolve(first, seed=seed)
            yield Result(run, many, after[own], before[place], seconds, now)
