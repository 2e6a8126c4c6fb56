"""Two threads against one, on the same batch; and against what two can gain at all on this machine."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import networkx
import numpy as np
import torch

import structpred as sp
from benchmarks.row import Case, Group, Quality, Row
from benchmarks.rows.programs import flow, in_pywraplp, knapsack


def _space(make: Callable[[], sp.StructuredSpace], batch: int) -> Case:
    space = make()
    scores = torch.randn(batch, *space.shape)

    def argmax(threads: int) -> torch.Tensor:
        torch.set_num_threads(threads)
        return space.argmax(scores)

    def quality() -> Quality:
        return Quality.of_structures(scores, argmax(2), argmax(1))

    return Case(partial(argmax, 2), partial(argmax, 1), quality)


def _tree() -> sp.SpanningTree:
    return sp.SpanningTree(networkx.gnm_random_graph(100, 1000, seed=0))


def _in_pywraplp(batch: int) -> Case:
    """Half of the batch in each thread, each with a model of its own."""
    program = flow(25, 40)
    loops, scores, pool = [in_pywraplp(program), in_pywraplp(program)], program.scores(batch), ThreadPoolExecutor(2)

    def two() -> np.ndarray:
        return np.concatenate(list(pool.map(lambda loop, half: loop(half), loops, np.split(scores, 2))))

    return Case(two, partial(loops[0], scores), lambda: Quality.of_structures(scores, two(), loops[0](scores)))


def _in_numpy() -> Case:
    """Work that needs no lock: what two threads gain on this machine now."""
    numbers, pool = np.random.default_rng(0).random((2, 1_000_000)), ThreadPoolExecutor(2)
    return Case(lambda: list(pool.map(np.sort, numbers)), lambda: [np.sort(it) for it in numbers])


def _row(name: str, make: Callable[[], Case]) -> Row:
    return Row(Group.THREADS, f"{name}, two threads", "one thread", make, threads=2)


ROWS = [
    _row("two million numbers, numpy's sort", _in_numpy),
    _row("`Matching(100)` x 100", partial(_space, partial(sp.Matching, 100), 100)),
    _row("`SpanningTree`, 1,000 edges, x 256", partial(_space, _tree, 256)),
    _row("flow of 40 arcs x 256, GLOP", partial(_space, lambda: flow(25, 40).space(), 256)),
    _row("flow of 40 arcs x 2,048, GLOP", partial(_space, lambda: flow(25, 40).space(), 2048)),
    _row("the same x 256, bare loops in pywraplp", partial(_in_pywraplp, 256)),
    _row("knapsack of 30 items x 64, SCIP", partial(_space, lambda: knapsack().space(), 64)),
]
