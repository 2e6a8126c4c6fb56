"""The nearest-neighbour experiment's step there: how much of it is the objective, and images a second."""

from __future__ import annotations

import statistics

from benchmarks.rows.neighbours import Parts
from tasks.knn.config import Execution, Training


def measure(
    name: str, training: Training, rounds: int, execution: Execution, count: int | None
) -> dict[str, float | str]:
    """Medians over ``rounds`` of the whole step, the networks alone and the objective alone, taken in turn.

    The images are as many as in the set unless ``count`` says otherwise.
    """
    parts = Parts(training, execution, count)
    parts.trainer.step()
    rows = []
    for _ in range(rounds):
        objective = parts.objective()
        rows.append([parts.seconds(part) for part in (parts.trainer.step, parts.networks, objective)])
    step, networks, objective_alone = (statistics.median(times) for times in zip(*rows, strict=True))
    return {
        "training": name,
        "queries": training.queries,
        "candidates": training.candidates,
        "step_ms": 1e3 * step,
        "networks_ms": 1e3 * networks,
        "objective_ms": 1e3 * objective_alone,
        "objective_share": statistics.median(objective / step for step, _, objective in rows),
        "images_per_second": (training.queries + training.candidates) / step,
    }
