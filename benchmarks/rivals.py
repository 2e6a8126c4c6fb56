"""The paper's Tables 2 and 4: training steps against those of the relaxations that it compares with, in turn.

Sorting: an epoch of ten lists, with five draws for the direct loss, and ten draws and twenty iterations for
Gumbel-Sinkhorn, as the paper took them. Neighbours: a step of 100 queries and 800 candidates of MNIST's size, k = 3,
one draw, against stochastic NeuralSort, without the networks: distances, noise, neighbours, loss, and the way back to
the embeddings. NeuralSort is taken as it stands in ``tasks.baselines``, which sorts, and by its definition, which takes
the differences of all pairs of candidates, here too with no more than the first k rows of its matrix.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

import structpred as sp
from benchmarks.knn import Parts
from tasks.baselines import GumbelSinkhorn, NeuralSort
from tasks.knn.config import QUICK, Method
from tasks.sorting.config import Decomposition
from tasks.sorting.losses import linear_loss, reconstruction_error

K = 3


class SortingEpoch:
    """One batch of the sorting experiment: its networks, an objective, and their optimizers."""

    def __init__(self, length: int, objective: sp.Objective, *, learned_scale: bool) -> None:
        torch.manual_seed(0)
        self.x = torch.rand(10, length)
        self.score_net = nn.Sequential(nn.Linear(1, 32), nn.ReLU(), nn.Linear(32, length))
        self.scale_net = nn.Sequential(nn.Linear(length, 1), nn.Softplus()) if learned_scale else None
        self.objective = objective
        relaxed = isinstance(objective, GumbelSinkhorn)
        self.loss = reconstruction_error(self.x) if relaxed else linear_loss(Decomposition.HAMMING, self.x)
        adam = torch.optim.Adam(self.score_net.parameters(), lr=0.1, fused=True)
        self.optimizers: list[torch.optim.Optimizer] = [adam]
        if self.scale_net is not None:
            self.optimizers.append(torch.optim.SGD(self.scale_net.parameters(), lr=1e-6))

    def __call__(self) -> None:
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        scale = None if self.scale_net is None else self.scale_net(self.x)[..., None]
        self.objective(self.score_net(self.x[..., None]), self.loss, scale=scale).backward()
        for optimizer in self.optimizers:
            optimizer.step()


def sorting(length: int, rounds: int) -> dict[str, float | str]:
    """Seconds an epoch, and their ratio: medians over the rounds."""
    space = sp.Matching(length)
    ours = SortingEpoch(length, sp.PerturbedDirectLoss(space, epsilon=-12.0, num_samples=5), learned_scale=True)
    theirs = SortingEpoch(length, GumbelSinkhorn(space), learned_scale=False)
    rows = in_turn([ours, theirs], rounds)
    return {
        "table": "2",
        "d": length,
        "threads": torch.get_num_threads(),
        "direct_ms": 1e3 * statistics.median(row[0] for row in rows),
        "gumbel_sinkhorn_ms": 1e3 * statistics.median(row[1] for row in rows),
        "ratio": statistics.median(row[0] / row[1] for row in rows),
    }


class AllPairs(NeuralSort):
    """NeuralSort by its definition, with the differences of all pairs."""

    def relax(self, scores: Tensor) -> Tensor:
        scores = scores.clamp(min=-1e6)  # a candidate that is the query itself: no infinity, but far away
        count = scores.shape[-1]
        distances = (scores[..., :, None] - scores[..., None, :]).abs().sum(-1)  # (*batch, n)
        factors = count - 1 - 2 * torch.arange(K, device=scores.device)[:, None]
        exponents = factors * scores[..., None, :] - distances[..., None, :]  # (*batch, k, n)
        return (exponents / self.temperature).softmax(-1).sum(-2)


def neighbours(rounds: int) -> list[dict[str, float | str]]:
    """Milliseconds a step without its networks, and their ratio; medians over the rounds."""
    direct, by_sort, by_pairs = (
        Parts(QUICK, k=K, method=method)
        for method in (Method.DIRECT, Method.STOCHASTIC_NEURAL_SORT, Method.STOCHASTIC_NEURAL_SORT)
    )
    published = by_pairs.trainer.objective
    assert isinstance(published, NeuralSort)
    by_pairs.trainer.objective = AllPairs(published.space, temperature=published.temperature)
    all_parts = [direct, by_sort, by_pairs]
    rows = []
    for _ in range(rounds + 1):
        without = [parts.objective() for parts in all_parts]
        rows.append(
            [
                *(parts.seconds(objective) for parts, objective in zip(all_parts, without, strict=True)),
                *(parts.seconds(parts.trainer.step) for parts in all_parts),
                *(parts.seconds(parts.networks) for parts in all_parts),
            ]
        )
    medians = [1e3 * statistics.median(times) for times in zip(*rows[1:], strict=True)]
    return [
        {
            "table": "4",
            "neural_sort": name,
            "k": K,
            "candidates": QUICK.candidates,
            "threads": torch.get_num_threads(),
            "direct_ms": medians[0],
            "neural_sort_ms": medians[rival],
            "ratio": statistics.median(row[0] / row[rival] for row in rows[1:]),
            "direct_step_ms": medians[3],
            "neural_sort_step_ms": medians[3 + rival],
            "direct_networks_ms": medians[6],
            "neural_sort_networks_ms": medians[6 + rival],
        }
        for rival, name in ((1, "sorted"), (2, "all pairs"))
    ]


def in_turn(calls: Sequence[Callable[[], None]], rounds: int) -> list[list[float]]:
    """Seconds of each call in each round, after one that does not count."""
    return [[_seconds(call) for call in calls] for _ in range(rounds + 1)][1:]


def _seconds(call: Callable[[], None]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def results() -> list[dict[str, float | str]]:
    return [sorting(10, rounds=200), sorting(40, rounds=40), sorting(100, rounds=10), *neighbours(rounds=9)]
