"""What a user writes, for mypy to read strictly: a space, an objective, a layer and the test kit."""

from __future__ import annotations

from typing import assert_type

import attrs
import torch
from torch import Tensor, nn

import structpred as sp
from structpred.testing import LawError, Report, check_layer, check_objective, check_space


@attrs.frozen
class Switches(sp.StructuredSpace):
    """Each of n switches is on or off."""

    n: int

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.n,)

    def _argmax(self, scores: Tensor) -> Tensor:
        return scores > 0

    def contains(self, y: Tensor) -> Tensor:
        return ((y == 0) | (y == 1)).all(-1)


class Model(nn.Module):
    """A network, the layer behind it, and the objective that it is trained on."""

    def __init__(self, space: sp.StructuredSpace) -> None:
        super().__init__()
        self.net = nn.Linear(3, 4)
        self.layer = sp.ImplicitMLE(space, noise=sp.SumOfGamma(2), num_samples=2)
        self.objective = sp.PerturbedDirectLoss(
            space, noise=sp.Normal(), num_samples=2, epsilon=sp.RelativeToNoise(-8.0)
        )

    def forward(self, x: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        scores: Tensor = self.net(x)
        return self.objective(scores, self.objective.space.hamming(target), scale=1.0), self.layer(scores)


def spaces() -> list[sp.StructuredSpace]:
    return [
        Switches(4),
        sp.OneHot(4),
        sp.KSubset(4, 2),
        sp.Knapsack([1, 2, 2, 3], 4),
        sp.SpaceBatch([sp.OneHot(4), Switches(4)]),
    ]


def train(space: sp.StructuredSpace) -> float:
    model = Model(space)
    optimizer = torch.optim.Adam(model.parameters())
    x, target = torch.randn(2, 3), space.argmax(torch.randn(2, 4))
    assert_type(target, Tensor)
    assert_type(space.contains(target), Tensor)
    loss, structures = model(x, target)
    (loss + structures.square().mean()).backward()
    optimizer.step()
    return float(loss.detach())


def solve(space: sp.StructuredSpace, scores: Tensor) -> Tensor:
    direct = sp.PerturbedDirectLoss(space, scale=sp.AdaptiveScale())
    costs = sp.LinearLoss(torch.ones(scores.shape), constant=0.5)
    solution = direct.solve(scores, costs, generator=torch.Generator().manual_seed(0))
    assert_type(solution, sp.DirectSolution)
    assert_type(solution.nonzero_fraction, Tensor)
    assert_type(costs(solution.prediction), Tensor)
    assert_type(sp.Gumbel().sample((2, 3)), Tensor)
    assert_type(sp.PerturbedFenchelYoungLoss(space)(scores, space.argmax(scores)), Tensor)
    assert_type(sp.SPOPlusLoss(space)(scores, space.regret(-scores.detach())), Tensor)
    assert_type(sp.Blackbox(space)(scores), Tensor)
    return solution.loss


def check(space: Switches) -> list[Report]:
    reports = [
        check_space(space, max_examples=2, max_seconds=0.05),
        check_objective(sp.PerturbedDirectLoss(space), max_examples=2, max_seconds=0.05),
        check_layer(sp.Blackbox(space), max_examples=2, max_seconds=0.05),
    ]
    assert_type(reports[0].failures, tuple[LawError, ...])
    return reports


def mistakes(objective: sp.Objective, layer: sp.Layer, scores: Tensor) -> None:
    """Never called: what mypy is to refuse, as an ignored error that is none would be one."""
    sp.OneHot("four")  # type: ignore[arg-type]
    objective(scores)  # type: ignore[call-arg]
    layer(scores, sigma=1.0)  # type: ignore[call-arg]
    check_space(objective)  # type: ignore[arg-type]


def main() -> None:
    for space in spaces():
        train(space)
        try:
            solve(space, torch.zeros(2, 4))
        except sp.StructpredError as error:
            print(error)
