"""A training of predict-then-optimise against PyEPO's, on the same instances, batches, networks and initial weights.

Needs PyEPO (``pip install '.[pyepo]'``). Its plans come from OR-Tools, and from Gurobi too where that is installed.
"""

from __future__ import annotations

import importlib
import importlib.util
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

import structpred as sp
from tasks.planning.data import Instances, ShortestPaths
from tasks.planning.regret import normalised_regret

SEEDS = range(200_000, 200_003)
EPOCHS, RATE = 5, 0.01
BATCHES = (32, 256)
SOLVERS = {
    "OR-Tools": ("ortools", "pyepo.model.ort.shortestpath"),
    "Gurobi": ("gurobipy", "pyepo.model.grb.shortestpath"),
}
PROBLEM = ShortestPaths(degree=4, noise_width=0.5)


def results() -> list[dict[str, Any]]:
    """For each solver of PyEPO, size of a batch and pair of equal methods: medians over the data seeds."""
    return [
        {"solver": solver, "batch": batch, "method": method} | _compare(module, batch, method)
        for solver, (package, module) in SOLVERS.items()
        if importlib.util.find_spec(package)
        for batch in BATCHES
        for method in ("SPO+", "Fenchel-Young, 10 draws", "direct, against SPO+")
    ]


def _compare(module: str, batch: int, method: str) -> dict[str, float]:
    rows = []
    for seed in SEEDS:
        (instances,) = PROBLEM.draw([seed])
        seconds, regrets = [], []
        for loss in _methods(module, seed)[method]:  # one after the other, so that both see the machine in one state
            started = time.perf_counter()
            network = _train(seed, instances, batch, loss)
            seconds.append(time.perf_counter() - started)
            regrets.append(_regret(instances, network))
        rows.append((*seconds, *regrets))
    return {
        "ours_s": statistics.median(row[0] for row in rows),
        "pyepo_s": statistics.median(row[1] for row in rows),
        "times faster": statistics.median(row[1] / row[0] for row in rows),
        "our regret, %": statistics.fmean(row[2] for row in rows),
        "PyEPO's regret, %": statistics.fmean(row[3] for row in rows),
    }


def _methods(module: str, seed: int) -> dict[str, tuple[Callable[[Tensor, Tensor, Tensor], Tensor], ...]]:
    """Losses of predicted costs, true costs and best paths, ours and PyEPO's, by the name of the method."""
    from pyepo.func import SPOPlus, perturbedFenchelYoung  # not of the project's extras

    space = sp.DagPath.grid(PROBLEM.height, PROBLEM.width)
    spo_plus = sp.SPOPlusLoss(space)
    fenchel_young = sp.PerturbedFenchelYoungLoss(space, noise=sp.Normal(), num_samples=10)
    direct = sp.PerturbedDirectLoss(space)
    generator = torch.Generator().manual_seed(seed)
    model = importlib.import_module(module).shortestPathModel((PROBLEM.height, PROBLEM.width))
    theirs_spo, theirs_fy = SPOPlus(model), perturbedFenchelYoung(model, n_samples=10, sigma=1.0)
    order = _their_edges(space)

    def regret(c: Tensor, y: Tensor) -> sp.LinearLoss:
        return sp.LinearLoss(c, -(c * y).sum(-1), best=y)

    def their_spo(p: Tensor, c: Tensor, y: Tensor) -> Tensor:
        p, c, y = p[:, order], c[:, order], y[:, order]
        value: Tensor = theirs_spo(p, c, y, (c * y).sum(-1, keepdim=True))
        return value

    def their_fy(p: Tensor, c: Tensor, y: Tensor) -> Tensor:
        value: Tensor = theirs_fy(p[:, order], y[:, order])
        return value

    return {
        "SPO+": (lambda p, c, y: spo_plus(-p, regret(c, y)), their_spo),
        "Fenchel-Young, 10 draws": (lambda p, c, y: fenchel_young(-p, y, generator=generator), their_fy),
        "direct, against SPO+": (lambda p, c, y: direct(-p, regret(c, y), generator=generator), their_spo),
    }


def _their_edges(space: sp.DagPath) -> Tensor:
    """For each edge in PyEPO's order its place in ours: of each row those to the right, then those down."""
    place = {edge: index for index, edge in enumerate(space.graph.edges)}
    theirs = []
    for row in range(PROBLEM.height):
        theirs += [((row, col), (row, col + 1)) for col in range(PROBLEM.width - 1)]
        if row + 1 < PROBLEM.height:
            theirs += [((row, col), (row + 1, col)) for col in range(PROBLEM.width)]
    return torch.tensor([place[edge] for edge in theirs])


def _train(seed: int, instances: Instances, batch: int, loss: Callable[[Tensor, Tensor, Tensor], Tensor]) -> nn.Module:
    rows = instances.train
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = nn.Linear(rows.features.shape[-1], rows.costs.shape[-1])
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    for _ in range(EPOCHS):
        for index in torch.randperm(PROBLEM.train_rows, generator=generator).split(batch):
            value = loss(network(rows.features[0, index]), rows.costs[0, index], rows.solutions[0, index])
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
    return network


def _regret(instances: Instances, network: nn.Module) -> float:
    return 100 * float(normalised_regret(instances.space, network(instances.test.features), instances.test))
