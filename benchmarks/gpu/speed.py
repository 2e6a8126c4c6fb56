"""The nearest-neighbour experiment's step there: how much of it is the objective, and images a second; and an epoch of
sorting beside Gumbel-Sinkhorn's."""

from __future__ import annotations

import statistics
from typing import Any

import torch
from attrs import frozen

from benchmarks.rows.neighbours import K, Parts, seconds_on
from benchmarks.rows.rivals import sorting_epochs
from tasks.knn.config import Execution, Method, Training


@frozen
class Step:
    """A training step, and how it is computed."""

    training: Training
    execution: Execution
    k: int = K
    method: Method = Method.DIRECT


def measure(step: Step, rounds: int, count: int | None) -> dict[str, Any]:
    """Medians over ``rounds`` of the whole step, the networks alone and the objective alone, taken in turn.

    The images are noise, as many as in the set unless ``count`` says otherwise.
    """
    parts = Parts(step.training, step.execution, count, k=step.k, method=step.method)
    rows = []
    for warm in range(-3, rounds):
        objective = parts.objective()
        times = [parts.seconds(part) for part in (parts.trainer.step, parts.networks, objective)]
        if warm >= 0:
            rows.append(times)
    whole, networks, objective_alone = (statistics.median(times) for times in zip(*rows, strict=True))
    queries, candidates = step.training.queries, step.training.candidates
    return {
        "queries": queries,
        "candidates": candidates,
        "k": step.k,
        "step_ms": 1e3 * whole,
        "networks_ms": 1e3 * networks,
        "objective_ms": 1e3 * objective_alone,
        "objective_share": statistics.median(alone / all_of_it for all_of_it, _, alone in rows),
        "images_per_second": (queries + candidates) / whole,
    }


def measure_sorting(length: int, device: torch.device, rounds: int) -> dict[str, Any]:
    """Medians over ``rounds`` of an epoch of Table 2 by each of its two methods, taken in turn."""
    pair = sorting_epochs(length, device)
    rows = [[seconds_on(device, epoch) for epoch in pair] for _ in range(rounds + 3)][3:]
    direct, gumbel_sinkhorn = (1e3 * statistics.median(times) for times in zip(*rows, strict=True))
    return {"direct_ms": direct, "gumbel_sinkhorn_ms": gumbel_sinkhorn, "ratio": direct / gumbel_sinkhorn}
