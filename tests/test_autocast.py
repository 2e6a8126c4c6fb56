"""Within torch.autocast, solvers and spread compute as without it."""

from __future__ import annotations

import attrs
import pytest
import torch
from torch import Tensor

import structpred as sp


@attrs.frozen
class ByProducts(sp.StructuredSpace):
    """One of two parts, by a product of matrices; so is its spread."""

    placement: sp.SolverPlacement
    shape = (2,)

    def _argmax(self, scores: Tensor) -> Tensor:
        assert not torch.is_autocast_enabled("cpu")
        return torch.nn.functional.one_hot((scores @ torch.eye(2).to(scores)).argmax(-1), 2)

    def contains(self, y: Tensor) -> Tensor:
        return ((y == 0) | (y == 1)).all(-1) & (y.sum(-1) == 1)

    def spread(self, noise: Tensor) -> Tensor:
        return noise @ torch.eye(2).to(noise)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("placement", sp.SolverPlacement)
def test_what_half_precision_does_not_resolve_is_solved(placement: sp.SolverPlacement, threads: int) -> None:
    space, scores = ByProducts(placement), torch.tensor([[1.0, 1.001], [1.001, 1.0], [1.0, 1.001]])
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y = space.argmax(scores)
            assert torch.is_autocast_enabled("cpu")
    finally:
        torch.set_num_threads(before)
    assert y.tolist() == [[0, 1], [1, 0], [0, 1]]


def test_the_noise_is_spread_in_its_own_dtype() -> None:
    objective = sp.PerturbedDirectLoss(ByProducts(sp.SolverPlacement.ON_CPU), epsilon=-1.0)
    scores, target = torch.zeros(3, 2), torch.eye(2)[[0, 1, 0]]
    found = []
    for enabled in (False, True):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            loss = objective.space.hamming(target)
            found.append(objective.solve(scores, loss, generator=torch.Generator().manual_seed(0)))
    one, other = found
    assert torch.equal(one.prediction, other.prediction)
    assert torch.equal(one.loss, other.loss)
