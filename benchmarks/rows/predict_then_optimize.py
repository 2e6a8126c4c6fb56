"""A training of predict-then-optimise against PyEPO's, on the same instances, batches, networks and initial weights.

Needs PyEPO (``pip install '.[pyepo]'``). Its plans come from OR-Tools, and from Gurobi too where that is installed.
Each round has the next of three data seeds.
"""

from __future__ import annotations

import functools
import importlib
import itertools
import math
import statistics
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

import structpred as sp
from benchmarks.row import Case, Group, Quality, Row
from tasks.planning.data import Instances, ShortestPaths
from tasks.planning.regret import normalised_regret

SEEDS = range(200_000, 200_003)
EPOCHS, RATE = 5, 0.01
BATCHES = (32, 256)
METHODS = ("SPO+", "Fenchel-Young, 10 draws", "direct, against SPO+")
SOLVERS = {
    "OR-Tools": ("ortools", "pyepo.model.ort.shortestpath"),
    "Gurobi": ("gurobipy", "pyepo.model.grb.shortestpath"),
}
PROBLEM = ShortestPaths(degree=4, noise_width=0.5)


class _Trainings:
    """One training of each kind in a round, on the instances of the next data seed."""

    def __init__(self, module: str, batch: int, method: str) -> None:
        self._module, self._batch, self._method = module, batch, method
        self._seeds = itertools.cycle(SEEDS)
        self._networks: dict[int, list[nn.Module]] = {}

    def prepare(self) -> None:
        self._seed = next(self._seeds)
        self._networks[self._seed] = [nn.Identity(), nn.Identity()]
        self._instances = _instances(self._seed)
        self._losses = _methods(self._module, self._seed)[self._method]

    def train(self, which: int) -> None:
        network = _train(self._seed, self._instances, self._batch, self._losses[which])
        self._networks[self._seed][which] = network

    def quality(self) -> Quality:
        """The mean test regret over the data seeds."""
        pairs = [[_regret(_instances(seed), network) for network in both] for seed, both in self._networks.items()]
        ours, theirs = (statistics.fmean(regrets) for regrets in zip(*pairs, strict=True))
        same = all(math.isclose(one, other, rel_tol=1e-5) for one, other in pairs)
        return Quality("test regret, %", ours, theirs, same)


def _case(module: str, batch: int, method: str) -> Case:
    trainings = _Trainings(module, batch, method)
    return Case(partial(trainings.train, 0), partial(trainings.train, 1), trainings.quality, trainings.prepare)


@functools.cache
def _instances(seed: int) -> Instances:
    return PROBLEM.draw([seed])[0]


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


ROWS = [
    Row(
        Group.PYEPO,
        f"{method}, batch {batch}",
        f"PyEPO, {solver}",
        partial(_case, module, batch, method),
        rounds=len(SEEDS),
        needs=("pyepo", package),
    )
    for batch in BATCHES
    for method in METHODS
    for solver, (package, module) in SOLVERS.items()
]
