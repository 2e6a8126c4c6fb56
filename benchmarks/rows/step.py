"""A training step of the sorting experiment against the bare solver calls on the very same matrices, and its parts.

The bare calls are given the transposed matrices too: ``Matching`` solves those where that is faster, and so part of
its speed is won there.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import nn

import structpred as sp
from benchmarks.row import Case, Group, Quality, Row
from benchmarks.rows.solved import columns_of, matchings, quality_of, solved_scores

SEQUENCES = 10
DRAWS = 5
_TWO_SOLVES = sp.RelativeToNoise(margin=0.0)


class SortingStep:
    """The paper's sorting networks and one step of their training, d numbers a sequence."""

    def __init__(self, length: int, epsilon: sp.Epsilon | None = None) -> None:
        torch.manual_seed(0)
        self.x = torch.rand(SEQUENCES, length)
        self.score_net = nn.Sequential(nn.Linear(1, 32), nn.ReLU(), nn.Linear(32, length))
        self.scale_net = nn.Sequential(nn.Linear(length, 1), nn.Softplus())
        space = sp.Matching(length)
        self.objective = sp.PerturbedDirectLoss(space, epsilon=epsilon, num_samples=DRAWS)
        self.generator = torch.Generator().manual_seed(0)
        positions = self.x.argsort(-1).argsort(-1)
        self.loss = sp.LinearLoss.hamming(nn.functional.one_hot(positions, length))
        self.optimizers = [
            torch.optim.Adam(self.score_net.parameters(), lr=0.1, fused=True),
            torch.optim.SGD(self.scale_net.parameters(), lr=1e-6),
        ]

    def solve(self) -> sp.DirectSolution:
        scores, scale = self.networks()
        return self.objective.solve(scores, self.loss, scale=scale, generator=self.generator)

    def networks(self) -> tuple[torch.Tensor, torch.Tensor]:
        return self.score_net(self.x[..., None]), self.scale_net(self.x)[..., None]

    def update(self, loss: torch.Tensor) -> None:
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        loss.backward()
        for optimizer in self.optimizers:
            optimizer.step()

    def run(self) -> None:
        self.update(self.solve().loss.mean())

    @torch.no_grad()
    def next(self) -> tuple[sp.DirectSolution, torch.Tensor]:
        """What the next ``run`` will come to, and the scores that it will solve."""
        state = self.generator.get_state()
        solution = self.solve()
        self.generator.set_state(state)
        return solution, solved_scores(self.objective, solution, *self.networks(), self.loss)


def _against_bare(length: int, transposed: bool, epsilon: sp.Epsilon | None) -> Case:
    step = SortingStep(length, epsilon)
    for _ in range(10):
        step.run()
    matrices: list[np.ndarray] = []

    def prepare() -> None:
        solved = step.next()[1].flatten(0, -3).double().numpy()
        matrices[:] = np.ascontiguousarray(solved.swapaxes(1, 2)) if transposed else solved

    def quality() -> Quality:
        return quality_of(*step.next(), matchings)

    return Case(step.run, lambda: columns_of(matrices), quality, prepare)


def _networks(length: int) -> Case:
    step, other = SortingStep(length), SortingStep(length)  # whose networks go elsewhere
    return Case(lambda: other.update(torch.stack([it.sum() for it in other.networks()]).sum()), step.run)


def _noise(length: int) -> Case:
    step = SortingStep(length)
    noise, shape = step.objective.noise, (DRAWS, SEQUENCES, length, length)
    assert noise is not None
    return Case(lambda: noise.sample(shape, generator=step.generator), step.run)


def _solver(length: int) -> Case:
    step = SortingStep(length)
    scores: list[torch.Tensor] = []

    def prepare() -> None:
        scores[:] = [step.next()[1]]

    return Case(lambda: step.objective.space.argmax(scores[0]), step.run, prepare=prepare)


def _step(length: int, transposed: bool, epsilon: sp.Epsilon | None = None) -> Row:
    solves = (2 if epsilon else 3) * DRAWS * SEQUENCES
    kind = " of two solves" if epsilon else ""
    reference = f"{solves} bare calls" + (", transposed" if transposed else "")
    return Row(
        Group.STEP,
        f"step{kind}, d = {length}",
        reference,
        partial(_against_bare, length, transposed, epsilon),
    )


ROWS = [
    *(_step(length, transposed) for length in (100, 40, 10) for transposed in (False, True)),
    *(_step(100, transposed, _TWO_SOLVES) for transposed in (False, True)),
    *(
        Row(Group.SHARES, f"{part}, d = {length}", "the step", partial(make, length))
        for length in (100, 10)
        for part, make in (
            ("argmax of the same scores", _solver),
            ("noise", _noise),
            ("networks and optimizers", _networks),
        )
    ),
]
