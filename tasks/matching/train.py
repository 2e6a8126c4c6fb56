"""Trains the network of one run, and says how good its matchings are."""

from __future__ import annotations

import enum
import math
import time
from collections.abc import Callable

import torch
from attrs import frozen
from torch import Tensor

from tasks.common.seeds import seed_for
from tasks.matching.board import Board
from tasks.matching.config import Run
from tasks.matching.data import Data, Grids
from tasks.matching.methods import learner
from tasks.matching.networks import WeightNetwork

JUDGED = 1000
"""Grids of the held-out digits, and of the test digits."""

_EMBEDDED_AT_ONCE = 100  # grids

Observer = Callable[[int, float], None]
"""Called after every step with its number, from 1, and the loss of its batch."""


class Stream(enum.IntEnum):
    """What random numbers are for: each has its own, so that none shifts the others."""

    TRAIN_GRIDS = 0
    HELD_OUT_GRIDS = 1
    TEST_GRIDS = 2
    WEIGHTS = 3
    ORDER = 4
    NOISE = 5


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


def train(run: Run, data: Data, observe: Observer | None = None) -> tuple[WeightNetwork, float]:
    """The trained network of a run, and the seconds that its steps took."""
    training, board = run.training, Board(run.k)
    grids = Grids.draw(board, data.train, training.grids, seed_for(run.seed, Stream.TRAIN_GRIDS))
    network = WeightNetwork(board, training.edge_weights, seed_for(run.seed, Stream.WEIGHTS))
    loss_of = learner(run.method, board.space, training.num_samples)
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    steps = steps_of(run)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, training.rate, total_steps=steps + 1, pct_start=0.25)
    noise = torch.Generator().manual_seed(seed_for(run.seed, Stream.NOISE))
    started = time.perf_counter()
    for epoch in range(training.epochs):
        order = torch.randperm(
            len(grids), generator=torch.Generator().manual_seed(seed_for(run.seed, Stream.ORDER, epoch))
        )
        whole = len(grids) // training.batch_size * training.batch_size
        for batch in order[:whole].split(training.batch_size):
            some = grids[batch]
            loss = loss_of(scores_of(network, some), some.truth, noise)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            if observe is not None:
                observe(schedule.last_epoch, loss.item())
    return network, time.perf_counter() - started


def scores_of(network: WeightNetwork, grids: Grids) -> Tensor:
    """``(grids, *shape)``: the predicted weights with their signs turned, and -inf where there is no edge."""
    return grids.board.parts(-network(grids), -math.inf)


def measure(run: Run, network: WeightNetwork, data: Data, *, test: bool) -> Measures:
    """How good a run's matchings are, on grids of test digits, or else of held-out training digits."""
    digits, stream = (data.test, Stream.TEST_GRIDS) if test else (data.held_out, Stream.HELD_OUT_GRIDS)
    grids = Grids.draw(Board(run.k), digits, JUDGED, seed_for(run.seed, stream))
    return judge(predict(network, grids), grids)


@torch.no_grad()
def predict(network: WeightNetwork, grids: Grids) -> Tensor:
    """The lightest matchings by predicted weight: ``(grids, cells // 2)``, the white cell of each black one."""
    chunks = [grids[start : start + _EMBEDDED_AT_ONCE] for start in range(0, len(grids), _EMBEDDED_AT_ONCE)]
    return torch.cat([grids.board.space.argmax(scores_of(network, chunk)).argmax(-1) for chunk in chunks])


def judge(white: Tensor, grids: Grids) -> Measures:
    """How good matchings are, given as ``predict`` returns them."""
    weights = grids.board.parts(grids.board.two_digit_numbers(grids.digits.labels[grids.index]), 0)
    weight, least = (weights.gather(-1, chosen[..., None]).sum((-2, -1)) for chosen in (white, grids.white))
    return Measures((weight == least).double().mean().item(), (white == grids.white).double().mean().item())
