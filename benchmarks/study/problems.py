"""The problems: what each trains, under a setting, and the error that it ends with."""

from __future__ import annotations

import enum
import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs
import torch
from attrs import frozen
from torch import Tensor

import structpred as sp
from benchmarks.study.learner import Learner
from benchmarks.study.setting import Setting
from tasks.common.settings import Scale
from tasks.common.weights import AveragedFrom
from tasks.knn import data as knn_data
from tasks.knn.config import QUICK as KNN
from tasks.knn.config import DataSet, Execution
from tasks.knn.config import Run as KnnRun
from tasks.knn.train import Trainer
from tasks.matching import data as matching_data
from tasks.matching.board import Board
from tasks.matching.config import QUICK as MATCHING
from tasks.matching.config import Method as MatchingMethod
from tasks.matching.config import Run as MatchingRun
from tasks.matching.data import Truth
from tasks.matching.methods import hamming
from tasks.matching.train import measure
from tasks.matching.train import train as train_matching
from tasks.planning.data import Knapsacks, Problem, Rows, ShortestPaths
from tasks.planning.regret import normalised_regret
from tasks.planning.seeds import NoiseOfSeeds, Stream, generators
from tasks.planning.train import Training
from tasks.planning.train import train as train_planning
from tasks.sorting.config import BEST, Decomposition
from tasks.sorting.losses import linear_loss, sorting
from tasks.sorting.repetitions import NoiseOfRuns, Randomness, ScoreNetworks, draw_sequences


class Kind(enum.Enum):
    """Which problem."""

    PATHS = "paths"
    """Shortest paths, 5 x 5; the error is the normalised regret on unseen rows."""
    KNAPSACK = "knapsack"
    """Knapsacks of 32 items; the same."""
    SORTING = "sorting"
    """Sorting; the share of 50 unseen sequences that are not sorted."""
    MATCHING = "matching"
    """Perfect matchings of grids of MNIST digits, 4 x 4; the share of new grids without an optimal one."""
    NEIGHBOURS = "neighbours"
    """Five nearest neighbours on MNIST; the share of held-out training images that are named wrongly."""


@frozen
class Cell:
    """A problem and how hard it is; the fields that a problem has not are 0."""

    kind: Kind
    degree: int = 0
    rows: int = 0
    noise_width: float = 0.0
    length: int = 0

    def __str__(self) -> str:
        if self.kind is Kind.SORTING:
            return f"sorting {self.length}"
        if self.degree:
            return f"{self.kind.value} {self.degree}, {self.rows:,}, {self.noise_width:g}"
        name: str = self.kind.value
        return name


@frozen
class Run:
    """One training."""

    cell: Cell
    setting: Setting
    seed: int


@frozen
class Result:
    """What came of it."""

    run: Run
    error: float
    """From 0 up, in the unit of the problem; less is better."""
    sigma: float
    """At the end."""
    commit: str


# Of sorting: lists of the test, and draws where a setting does not say.
_UNSEEN, _DRAWS = 50, 5

Outcome = tuple[float, float]
"""Error, and sigma at the end."""


def train(cell: Cell, setting: Setting, seeds: Sequence[int], data_dir: Path) -> Iterator[Outcome]:
    """The outcomes of the trainings of some seeds, in their order."""
    match cell.kind:
        case Kind.PATHS | Kind.KNAPSACK:
            return _planning(cell, setting, seeds)
        case Kind.SORTING:
            return _sorting(cell, setting, seeds)
        case Kind.MATCHING:
            return (_matching(setting, seed, data_dir) for seed in seeds)
        case Kind.NEIGHBOURS:
            return (_neighbours(setting, seed, data_dir) for seed in seeds)


def _planning(cell: Cell, setting: Setting, seeds: Sequence[int]) -> Iterator[Outcome]:
    kind = ShortestPaths if cell.kind is Kind.PATHS else Knapsacks
    problem: Problem = kind(degree=cell.degree, noise_width=cell.noise_width, train_rows=cell.rows)
    rate = 0.03 * setting.rate
    how = Training(epochs=max(20, 10_000 // cell.rows), learning_rate=rate, averaged=setting.averaged)
    for instances in problem.draw(seeds):
        noise = NoiseOfSeeds(sp.Gumbel(), generators(instances.seeds, Stream.NOISE))
        count = len(instances.seeds)
        learner = Learner(setting, instances.space, noise=noise, draws=1, rate=rate, runs=count)
        networks = train_planning(how, instances, functools.partial(_regret, learner))
        for error in normalised_regret(instances.space, networks(instances.test.features), instances.test).tolist():
            yield error, learner.sigma


def _regret(learner: Learner, scores: Tensor, rows: Rows) -> Tensor:
    loss: Tensor = learner(scores, sp.LinearLoss(rows.costs, -rows.optima, event_dims=1, best=rows.solutions))
    return loss


def _sorting(cell: Cell, setting: Setting, seeds: Sequence[int]) -> Iterator[Outcome]:
    random = [Randomness.of(seed) for seed in seeds]
    train_x = torch.stack([draw_sequences(own.data, BEST.sequences, cell.length)[0] for own in random])  # (runs, n, d)
    unseen_x = torch.stack([torch.rand(_UNSEEN, cell.length, generator=own.data) for own in random])
    networks = ScoreNetworks(cell.length, [own.scores for own in random])
    rate = BEST.score_rate * setting.rate
    optimizer = torch.optim.Adam(networks.parameters(), lr=rate, fused=True)
    streams: Any = [own.noise for own in random]
    noise = NoiseOfRuns(sp.Gumbel(), streams)
    space = sp.Matching(cell.length)
    learner = Learner(setting, space, noise=noise, draws=_DRAWS, rate=rate, runs=len(seeds))
    loss = linear_loss(Decomposition.HAMMING, train_x)
    mean = AveragedFrom(networks, BEST.average_from)
    for _ in range(BEST.epochs):
        value = learner(networks(train_x), loss).mean(1).sum()
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        mean.update_parameters(networks)
    with torch.no_grad():
        y = space.argmax((mean if setting.averaged else networks)(unseen_x))
    wrong = (y != sorting(unseen_x)).any(-1).any(-1).double().mean(1)
    yield from ((error, learner.sigma) for error in wrong.tolist())


@functools.cache
def _digits(root: Path) -> matching_data.Data:
    return matching_data.load(root)


def _matching(setting: Setting, seed: int, root: Path) -> Outcome:
    rate = 0.01 * setting.rate
    training = attrs.evolve(MATCHING, rate=rate, epochs=2)
    run = MatchingRun(training, 4, MatchingMethod.DIRECT_HAMMING, seed)
    space = Board(run.k).space
    learner = Learner(setting, space, noise=sp.Gumbel(), draws=training.num_samples, rate=rate)
    data = _digits(root)
    network, _ = train_matching(run, data, loss_of=lambda *given: _of_truth(learner, space, *given))
    return 1 - measure(run, network, data.pool(training.digits)).optimal, learner.sigma


def _of_truth(learner: Learner, space: sp.Matching, scores: Tensor, truth: Truth, generator: torch.Generator) -> Tensor:
    loss: Tensor = learner(scores, hamming(space, truth), generator).mean()
    return loss


@functools.cache
def _images(root: Path) -> knn_data.Data:
    return knn_data.load(DataSet.MNIST, root, download=False)


def _neighbours(setting: Setting, seed: int, root: Path) -> Outcome:
    training = attrs.evolve(KNN, rate=KNN.rate * setting.rate)
    run = KnnRun(training, 5, Scale.NONE, seed)
    trainer = Trainer(run, *_images(root).hold_out(training.held_out), Execution(device="cpu"))
    space = trainer.objective.space
    learner = Learner(setting, space, noise=sp.Gumbel(), draws=training.num_samples, rate=training.rate)
    assert isinstance(learner.module, sp.PerturbedDirectLoss)  # its solutions say more than others'
    trainer.objective = learner.module
    while not trainer.finished:
        trainer.step()
    (right,) = (epoch.held_out for epoch in trainer.epochs if epoch.held_out is not None)
    return 1 - right, learner.sigma
