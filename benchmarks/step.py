"""A training step against the bare solver calls on the very same matrices, with as many threads."""

from __future__ import annotations

import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

import structpred as sp

SEQUENCES = 10
DRAWS = 5


class SortingStep:
    """The paper's sorting networks and one step of their training, d numbers a sequence."""

    def __init__(self, length: int) -> None:
        torch.manual_seed(0)
        self.x = torch.rand(SEQUENCES, length)
        self.score_net = nn.Sequential(nn.Linear(1, 32), nn.ReLU(), nn.Linear(32, length))
        self.scale_net = nn.Sequential(nn.Linear(length, 1), nn.Softplus())
        self.objective = sp.PerturbedDirectLoss(sp.Matching(length), num_samples=DRAWS)
        self.generator = torch.Generator().manual_seed(0)
        positions = self.x.argsort(-1).argsort(-1)
        self.loss = sp.LinearLoss.hamming(nn.functional.one_hot(positions, length))
        self.optimizers = [
            torch.optim.Adam(self.score_net.parameters(), lr=0.1, fused=True),
            torch.optim.SGD(self.scale_net.parameters(), lr=1e-6),
        ]

    def solve(self) -> sp.DirectSolution:
        scores, scale = self.score_net(self.x[..., None]), self.scale_net(self.x)[..., None]
        return self.objective.solve(scores, self.loss, scale=scale, generator=self.generator)

    def run(self) -> None:
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        self.solve().loss.mean().backward()
        for optimizer in self.optimizers:
            optimizer.step()

    @torch.no_grad()
    def next_matrices(self) -> np.ndarray:
        """The 3 x draws x sequences matrices that the next ``run`` will solve, in float64."""
        state = self.generator.get_state()
        solution = self.solve()
        self.generator.set_state(state)
        assert solution.noise is not None
        scores, scale = self.score_net(self.x[..., None]), self.scale_net(self.x)[..., None]
        plain = scores + scale * solution.noise
        step = solution.epsilon[:, None, None] * self.loss.coefficients
        all_three: Tensor = torch.stack([plain, plain + step, plain - self.objective.epsilon.margin * step])
        return all_three.flatten(0, -3).double().numpy()


def measure(length: int, rounds: int) -> dict[str, float]:
    """Medians over ``rounds`` training steps from the start; the bare calls and the step in turn.

    The matrices are also solved transposed: ``Matching`` does that, and so part of its speed is won there.
    """
    step, threads = SortingStep(length), torch.get_num_threads()
    for _ in range(10):
        step.run()
    rows = []
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(rounds):
            matrices = step.next_matrices()
            chunks = np.array_split(matrices, 4 * threads)
            transposed = np.array_split(np.ascontiguousarray(matrices.swapaxes(1, 2)), 4 * threads)
            started = time.perf_counter()
            list(pool.map(_bare, chunks))
            bare_done = time.perf_counter()
            list(pool.map(_bare, transposed))
            transposed_done = time.perf_counter()
            step.run()
            step_done = time.perf_counter()
            rows.append((bare_done - started, transposed_done - bare_done, step_done - transposed_done))
    return {
        "d": length,
        "threads": threads,
        "matchings": 3 * DRAWS * SEQUENCES,
        "bare_ms": 1e3 * statistics.median(bare for bare, _, _ in rows),
        "bare_transposed_ms": 1e3 * statistics.median(transposed for _, transposed, _ in rows),
        "step_ms": 1e3 * statistics.median(ours for _, _, ours in rows),
        "ratio": statistics.median(ours / bare for bare, _, ours in rows),
        "ratio_to_transposed": statistics.median(ours / transposed for _, transposed, ours in rows),
    }


def _bare(matrices: np.ndarray) -> None:
    for matrix in matrices:
        linear_sum_assignment(matrix, maximize=True)


def results() -> list[dict[str, float]]:
    return [measure(100, rounds=100), measure(40, rounds=200), measure(10, rounds=400)]
