"""Trains the network of one run, and says how good its matchings are."""

from __future__ import annotations

import enum
import math
import time
from collections.abc import Callable, Iterator

import torch
from attrs import frozen
from torch import Tensor

from tasks.common.seeds import seed_for
from tasks.matching.board import Board
from tasks.matching.config import Run
from tasks.matching.data import Data, Digits, Grids, Truth
from tasks.matching.methods import Learner, learner, rate_of
from tasks.matching.networks import WeightNetwork

JUDGED = 1000
"""New grids that a network is judged by, of each set of digits."""

_EMBEDDED_AT_ONCE = 100  # grids

Observer = Callable[[int, float], None]
"""Called after every step with its number, from 1, and the loss of its batch."""


class Stream(enum.IntEnum):
    """What random numbers are for: each has its own, so that none shifts the others."""

    TRAIN_GRIDS = 0
    WEIGHTS = 1
    ORDER = 2
    NOISE = 3
    NEW_GRIDS = 4


@frozen
class Measures:
    """How good matchings are, from 0 to 1."""

    optimal: float
    """The fraction of grids whose matching has the least true weight, whichever of those that have it."""
    edges: float
    """The fraction of the edges of the target that the matching has too; ties count as errors."""


def steps_of(run: Run) -> int:
    """How many a training takes."""
    return run.training.epochs * (run.training.grids // run.training.batch_size)


def train(
    run: Run, data: Data, observe: Observer | None = None, loss_of: Learner | None = None
) -> tuple[WeightNetwork, float]:
    """The trained network of a run, and the seconds that its steps took.

    Args:
        run: what to train.
        data: the images.
        observe: for a progress bar, say.
        loss_of: what to train on; the run's method unless given.
    """
    training, board = run.training, Board(run.k)
    grids = Grids.draw(board, data.pool(training.digits), training.grids, seed_for(run.seed, Stream.TRAIN_GRIDS))
    network = WeightNetwork(board, training.edge_weights, seed_for(run.seed, Stream.WEIGHTS))
    loss_of = loss_of or learner(run.method, board.space, training.num_samples)
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    steps = steps_of(run)
    rate = rate_of(run.method) if training.rate is None else training.rate
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps + 1, pct_start=0.25)
    noise = torch.Generator().manual_seed(seed_for(run.seed, Stream.NOISE))
    started = time.perf_counter()
    for step, batch in enumerate(_batches(run), start=1):
        some = grids[batch]
        loss = loss_of(scores_of(network, some), some.truth, noise)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if observe is not None:
            observe(step, loss.item())
    return network, time.perf_counter() - started


def _batches(run: Run) -> Iterator[Tensor]:
    """The grids of each step, ``(batch_size,)``: in every epoch all of them in a new order."""
    count, size = run.training.grids, run.training.batch_size
    for epoch in range(run.training.epochs):
        generator = torch.Generator().manual_seed(seed_for(run.seed, Stream.ORDER, epoch))
        yield from torch.randperm(count, generator=generator)[: count // size * size].split(size)


def scores_of(network: WeightNetwork, grids: Grids) -> Tensor:
    """``(grids, *shape)``: the predicted weights with their signs turned, and -inf where there is no edge."""
    return grids.board.parts(-network(grids), -math.inf)


def new_grids(run: Run, digits: Digits) -> Grids:
    """What a run's network is judged on: ``JUDGED`` grids of these digits."""
    return Grids.draw(Board(run.k), digits, JUDGED, seed_for(run.seed, Stream.NEW_GRIDS))


@torch.no_grad()
def predict(network: WeightNetwork, grids: Grids) -> Tensor:
    """The lightest matchings by predicted weight: ``(grids, *shape)``."""
    return grids.board.space.argmax(scores_of(network, grids))


def measure(run: Run, network: WeightNetwork, digits: Digits) -> Measures:
    """How good a run's matchings are on new grids of these digits."""
    grids = new_grids(run, digits)
    chunks = [grids[start : start + _EMBEDDED_AT_ONCE] for start in range(0, JUDGED, _EMBEDDED_AT_ONCE)]
    judged = [judge(predict(network, chunk), chunk.truth) for chunk in chunks]
    optimal, edges = (torch.cat(fractions).double().mean().item() for fractions in zip(*judged, strict=True))
    return Measures(optimal, edges)


def judge(y: Tensor, truth: Truth) -> tuple[Tensor, Tensor]:
    """Whether each matching is optimal, and which fraction of the target's edges it has: ``(grids,)`` each."""
    weight, least = ((truth.weights * matching).sum((-2, -1)) for matching in (y, truth.matching))
    right = (y * truth.matching).sum((-2, -1)) / y.shape[-1]
    return weight == least, right  # sums of integers are exact
