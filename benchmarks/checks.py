"""How long the test kit takes for each shipped space, at its default effort, in seconds."""

from __future__ import annotations

import networkx
import torch
from scipy.optimize import LinearConstraint

import structpred as sp
from structpred.testing import check_layer, check_objective, check_space

SPACES = [
    sp.OneHot(4),
    sp.KSubset(5, 2),
    sp.KSubset(800, 5),
    sp.Knapsack([1, 2, 3, 3], 5),
    sp.Knapsack(range(1, 41), 200),
    sp.Matching(3),
    sp.Matching(10),
    sp.Chain(3, 2),
    sp.Chain(12, 5),
    sp.DagPath.grid(2, 3),
    sp.DagPath.grid(8, 8),
    sp.SpanningTree(networkx.complete_graph(4)),
    sp.SpanningTree(networkx.grid_graph((4, 5))),
    sp.IntegerProgram(4, LinearConstraint([1, 1, 1, 1], 2, 2)),
    sp.IntegerProgram(4, LinearConstraint([1, 1, 1, 1], 2, 2), integrality=0),
]
TOLERANCE = 1e-9  # of the programs' solvers; the others need none
POLYTOPE = {"no_mixture_is_a_member": "the LP relaxation is a polytope"}


def _polytope(space: sp.StructuredSpace) -> dict[str, str]:
    return POLYTOPE if isinstance(space, sp.IntegerProgram) and "LP relaxation" in repr(space) else {}


def results() -> list[dict[str, float | str]]:
    rows: list[dict[str, float | str]] = []
    for space in SPACES:
        tolerance = TOLERANCE if isinstance(space, sp.IntegerProgram) else 0.0
        reports = (
            check_space(space, tolerance=tolerance, expected_failures=_polytope(space), raises=False),
            check_objective(sp.PerturbedDirectLoss(space), raises=False),
            check_layer(sp.ImplicitMLE(space), raises=False),
        )
        seconds = [sum(result.seconds for result in report.results) for report in reports]
        rows.append(
            {
                "space": repr(space),
                "threads": torch.get_num_threads(),
                "failures": sum(len(report.failures) for report in reports),
                "check_space_s": seconds[0],
                "check_objective_s": seconds[1],
                "check_layer_s": seconds[2],
            }
        )
    return rows
