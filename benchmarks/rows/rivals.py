"""The paper's Tables 2 and 4: training steps against those of the relaxations that it compares with.

Sorting: an epoch of ten lists, with five draws for the direct loss, and ten draws and twenty iterations for
Gumbel-Sinkhorn, as the paper took them. Neighbours: a step of 100 queries and 800 candidates of MNIST's size, k = 3,
one draw, against stochastic NeuralSort, whole and without the networks: distances, noise, neighbours, loss, and the way
back to the embeddings. NeuralSort is taken as it stands in ``tasks.baselines``, which sorts, and by its definition,
which takes the differences of all pairs of candidates, here too with no more than the first k rows of its matrix.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

import structpred as sp
from benchmarks.row import Case, Group, Quality, Row
from benchmarks.rows.neighbours import Parts
from tasks.baselines import GumbelSinkhorn, NeuralSort
from tasks.knn.config import QUICK, Method
from tasks.sorting.config import Decomposition
from tasks.sorting.losses import linear_loss, reconstruction_error

K = 3
LENGTHS = (10, 40, 100)
_EPOCHS = 100  # of the training that tells how good both are
_STEPS = 20


class SortingEpoch:
    """One batch of the sorting experiment: its networks, an objective, and their optimizers."""

    def __init__(self, length: int, objective: sp.Objective, device: torch.device) -> None:
        torch.manual_seed(0)
        self.x = torch.rand(10, length).to(device)
        self.score_net = nn.Sequential(nn.Linear(1, 32), nn.ReLU(), nn.Linear(32, length)).to(device)
        self.scale_net = nn.Sequential(nn.Linear(length, 1), nn.Softplus()).to(device)
        self.objective = objective
        self._relaxed = isinstance(objective, GumbelSinkhorn)
        self.loss = reconstruction_error(self.x) if self._relaxed else linear_loss(Decomposition.HAMMING, self.x)
        self.optimizers: list[torch.optim.Optimizer] = [
            torch.optim.Adam(self.score_net.parameters(), lr=0.1, fused=True)
        ]
        if not self._relaxed:
            self.optimizers.append(torch.optim.SGD(self.scale_net.parameters(), lr=1e-6))

    def __call__(self) -> None:
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        scale = None if self._relaxed else self.scale_net(self.x)[..., None]
        self.objective(self.score_net(self.x[..., None]), self.loss, scale=scale).backward()
        for optimizer in self.optimizers:
            optimizer.step()

    @torch.no_grad()
    def percent_placed(self, lists: int = 200) -> float:
        """Of the numbers of lists that were not seen, how many it puts in their place."""
        x = torch.rand(lists, self.x.shape[-1], generator=torch.Generator().manual_seed(1))
        target = nn.functional.one_hot(x.argsort(-1).argsort(-1))
        y = self.objective.space.argmax(self.score_net(x[..., None]))
        return 100 * float((y * target).sum(-1).mean())


def sorting_epochs(length: int, device: torch.device = torch.device("cpu")) -> tuple[SortingEpoch, SortingEpoch]:
    space = sp.Matching(length)
    direct = sp.PerturbedDirectLoss(space, epsilon=-12.0, num_samples=5)
    return SortingEpoch(length, direct, device), SortingEpoch(length, GumbelSinkhorn(space), device)


def _sorting(length: int) -> Case:
    def quality() -> Quality:
        trained = sorting_epochs(length)
        for epoch in trained:
            for _ in range(_EPOCHS):
                epoch()
        ours, theirs = (epoch.percent_placed() for epoch in trained)
        return Quality(f"% of numbers placed after {_EPOCHS} epochs", ours, theirs, ours == theirs)

    return Case(*sorting_epochs(length), quality)


class AllPairs(NeuralSort):
    """NeuralSort by its definition, with the differences of all pairs."""

    def relax(self, scores: Tensor) -> Tensor:
        scores = scores.clamp(min=-1e6)  # a candidate that is the query itself: no infinity, but far away
        count = scores.shape[-1]
        distances = (scores[..., :, None] - scores[..., None, :]).abs().sum(-1)  # (*batch, n)
        factors = count - 1 - 2 * torch.arange(K, device=scores.device)[:, None]
        exponents = factors * scores[..., None, :] - distances[..., None, :]  # (*batch, k, n)
        return (exponents / self.temperature).softmax(-1).sum(-2)


def _neighbours(all_pairs: bool) -> tuple[Parts, Parts]:
    direct, theirs = (Parts(QUICK, k=K, method=it) for it in (Method.DIRECT, Method.STOCHASTIC_NEURAL_SORT))
    if all_pairs:
        published = theirs.trainer.objective
        assert isinstance(published, NeuralSort)
        theirs.trainer.objective = AllPairs(published.space, temperature=published.temperature)
    return direct, theirs


def _without_networks(all_pairs: bool) -> Case:
    ours, theirs = (parts.objective() for parts in _neighbours(all_pairs))
    return Case(ours, theirs, partial(_neighbours_quality, all_pairs))


def _whole(all_pairs: bool) -> Case:
    ours, theirs = _neighbours(all_pairs)
    return Case(ours.trainer.step, theirs.trainer.step, partial(_neighbours_quality, all_pairs))


def _neighbours_quality(all_pairs: bool) -> Quality:
    """Both move the embeddings themselves, on images of noise: what is learned is which of them share a class."""
    ours, theirs = (parts.percent_right(_STEPS) for parts in _neighbours(all_pairs))
    return Quality(f"% of neighbours right after {_STEPS} steps of the embeddings", ours, theirs, ours == theirs)


ROWS = [
    *(Row(Group.RIVALS, f"sorting, d = {length}", "Gumbel-Sinkhorn", partial(_sorting, length)) for length in LENGTHS),
    *(
        Row(Group.RIVALS, name, f"NeuralSort by {way}", partial(make, way == "all pairs"), rounds=5)
        for way in ("a sort", "all pairs")
        for name, make in (("neighbours, without networks", _without_networks), ("neighbours, whole", _whole))
    ),
]
