"""Trains a batch of repetitions ("runs") at once, each as if it were alone."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence

import torch
from attrs import define, field, frozen
from torch import Tensor, nn

import structpred as sp
from tasks.common.settings import Scale
from tasks.common.weights import AveragedFrom
from tasks.sorting.config import Estimator, Method, Training, Weights
from tasks.sorting.losses import linear_loss, reconstruction_error, sorting
from tasks.sorting.published import AddedUp, undivided
from tasks.sorting.repetitions import Randomness, ScaleNetworks, ScoreNetworks, draw_sequences, gumbel_of_runs

Observer = Callable[[int, sp.Solution], None]

_PATH_STEPS = 10


@frozen
class Outcome:
    """What one repetition came to."""

    seed: int
    wrong: float
    """The fraction of the test sequence's elements that were put in a wrong place."""
    epochs: int
    seconds: float
    """Its share of the time of the batch that it was trained in."""
    train_loss: float
    """The mean task loss of the last epoch."""
    scale_path: list[float]
    """Mean sigma of the training sequences: in the first epoch, after each tenth of the epochs that
    the run may take, and in the last; empty without noise."""

    @property
    def perfect(self) -> bool:
        return self.wrong == 0


def train(
    training: Training,
    scale: Scale,
    length: int,
    seeds: Sequence[int],
    observe: Observer | None = None,
    *,
    method: Method = Method.DIRECT,
) -> list[Outcome]:
    """Trains one repetition for each seed, and sorts each one's test sequence without noise.

    Args:
        training: how to train.
        scale: the noise setting.
        length: d, how many numbers a sequence has.
        seeds: one a repetition.
        observe: called every epoch with its number, from 1, and the solution, whose batch is
            (runs that still train, sequences).
        method: what the score networks are trained on.
    """
    started = time.perf_counter()
    random = [Randomness.of(seed) for seed in seeds]
    drawn = [draw_sequences(r.data, training.sequences, length) for r in random]
    train_x, test_x = (torch.stack(x) for x in zip(*drawn, strict=True))  # (runs, n, d), (runs, 1, d)
    score_nets = ScoreNetworks(length, [r.scores for r in random])
    scale_nets = ScaleNetworks(length, training.initial_scale, [r.scale for r in random])
    optimizers = [
        torch.optim.Adam(score_nets.parameters(), lr=training.score_rate, betas=(0.9, training.beta2), fused=True),
        training.scale_optimizer.create(scale_nets.parameters(), training.scale_rate),
    ]
    objective = training.objective(method, scale, length)
    variance = training.noise_variance if method is Method.DIRECT else None
    adaptive = sp.AdaptiveScale(torch.ones(len(seeds), 1, 1, 1)) if scale is Scale.ADAPTIVE else None
    objective.scale = adaptive or 1.0
    deployed = _Deployed(training, score_nets)
    logs = [_Log(training) for _ in seeds]
    wrong = torch.zeros(len(seeds))
    running, loss = torch.arange(len(seeds)), None  # which runs still train, and what they train on

    def learned() -> Tensor:
        sigma: Tensor = scale_nets(train_x)[running]  # (running, n, 1, 1)
        return sigma

    for epoch in range(1, training.epochs + 1):
        if loss is None:
            loss = _supervision(training, method, train_x[running])
            noise = gumbel_of_runs(variance, [random[run].noise for run in running.tolist()])
            objective.noise = None if scale is Scale.NONE else noise
        sigma = scale.sigma(learned)
        solution = objective.solve(score_nets(train_x)[running], loss, scale=sigma)
        if adaptive is not None:
            sigma = adaptive()
        run_losses = solution.loss.mean((0, 2))  # (running,)
        for optimizer in optimizers:
            optimizer.zero_grad()
        _as_estimated(training.estimator, solution).mean((0, 2)).sum().backward()
        if observe is not None:
            observe(epoch, solution)

        running_logs = [logs[run] for run in running.tolist()]
        for log, *now in zip(running_logs, run_losses.tolist(), _mean_sigma(sigma, len(running)), strict=True):
            log.add(epoch, *now)
        deployed.keep(running[[log.improved for log in running_logs]])
        for optimizer in optimizers:
            optimizer.step()

        stopped = torch.tensor([log.stopped for log in running_logs])
        if stopped.any():
            done = running[stopped]
            wrong[done] = _fraction_wrong(deployed.networks, test_x)[done]
            running, loss = running[~stopped], None
            if isinstance(objective, sp.PerturbedDirectLoss) and isinstance(objective.epsilon, AddedUp):
                objective.epsilon.keep(~stopped)
        if not len(running):
            break
    share = (time.perf_counter() - started) / len(seeds)
    return [
        log.outcome(seed, wrong[run].item(), share) for run, (seed, log) in enumerate(zip(seeds, logs, strict=True))
    ]


def _supervision(training: Training, method: Method, x: Tensor) -> sp.LinearLoss | Callable[[Tensor], Tensor]:
    return reconstruction_error(x) if method is Method.GUMBEL_SINKHORN else linear_loss(training.decomposition, x)


def _as_estimated(estimator: Estimator, solution: sp.Solution) -> Tensor:
    """Losses (samples, running, n), with the gradients that are trained on."""
    if estimator is Estimator.PUBLISHED and isinstance(solution, sp.DirectSolution):
        return undivided(solution)
    return solution.loss


def _mean_sigma(sigma: Tensor | float | None, runs: int) -> list[float]:
    if isinstance(sigma, Tensor):
        means: list[float] = sigma.detach().mean((1, 2, 3)).tolist()
        return means
    return [sigma or 0.0] * runs


@torch.no_grad()
def _fraction_wrong(networks: nn.Module, x: Tensor) -> Tensor:
    """The fraction of elements that each run misplaces without noise: (runs, n, d) -> (runs,)."""
    y = sp.Matching(x.shape[-1]).argmax(networks(x))
    return (y != sorting(x)).any(-1).float().mean((1, 2))


class _Deployed:
    """The score networks whose weights sort the test sequences."""

    def __init__(self, training: Training, networks: ScoreNetworks) -> None:
        self._trained = networks
        match training.weights:
            case Weights.LAST:
                self.networks: nn.Module = networks
            case Weights.BEST:
                self.networks = copy.deepcopy(networks)
            case Weights.AVERAGE:
                self.networks = AveragedFrom(networks, training.average_from)

    @torch.no_grad()
    def keep(self, improved: Tensor) -> None:
        """Takes note of the weights before the epoch's step; ``improved`` runs have their least loss now."""
        if isinstance(self.networks, AveragedFrom):
            self.networks.update_parameters(self._trained)
        elif self.networks is not self._trained:
            for kept, now in zip(self.networks.parameters(), self._trained.parameters(), strict=True):
                kept[improved] = now[improved]


@define
class _Log:
    """One run's losses and sigmas so far, and whether it stops."""

    training: Training
    epoch: int = 0
    loss: float = math.inf
    least: float = math.inf
    least_epoch: int = 0
    scale_path: list[float] = field(factory=list)

    def add(self, epoch: int, loss: float, sigma: float) -> None:
        self.epoch, self.loss = epoch, loss
        if loss < self.least:
            self.least, self.least_epoch = loss, epoch
        every = max(1, self.training.epochs // _PATH_STEPS)
        if sigma and (epoch == 1 or epoch % every == 0 or self.stopped):
            self.scale_path.append(sigma)

    @property
    def improved(self) -> bool:
        return self.epoch == self.least_epoch

    @property
    def stopped(self) -> bool:
        patience = self.training.patience
        return self.epoch >= self.training.epochs or (
            patience is not None and self.epoch - self.least_epoch >= patience
        )

    def outcome(self, seed: int, wrong: float, seconds: float) -> Outcome:
        return Outcome(seed, wrong, self.epoch, seconds, self.loss, self.scale_path)
