"""Whether every space, objective and layer answers on a device as it does on the CPU, with the same draws."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import networkx
import torch
from attrs import field, frozen
from scipy.optimize import LinearConstraint
from torch import Tensor

import structpred as sp

Case = Callable[[torch.device], list[Tensor]]
"""What is to be the same on every device; on the CPU."""

MakeSpace = Callable[[], sp.StructuredSpace]
MakeObjective = Callable[[sp.StructuredSpace, sp.Noise], sp.Objective]
MakeLayer = Callable[[sp.StructuredSpace, sp.Noise], sp.Layer]

_BATCH = 16

SPACES: dict[str, MakeSpace] = {
    "OneHot": lambda: sp.OneHot(7),
    "KSubset": lambda: sp.KSubset(800, 5),
    "Knapsack": lambda: sp.Knapsack(range(1, 13), 30),
    "Matching": lambda: sp.Matching(9),
    "Chain": lambda: sp.Chain(8, 4),
    "DagPath": lambda: sp.DagPath.grid(4, 5),
    "SpanningTree": lambda: sp.SpanningTree(networkx.grid_graph((3, 4))),
    "Arborescence": lambda: sp.Arborescence(5),
    "SpaceBatch": lambda: sp.SpaceBatch(
        [sp.DagPath.grid(3, 3)] * (_BATCH // 2) + [sp.DagPath.grid(4, 2)] * (_BATCH // 2)
    ),
    "IntegerProgram": lambda: sp.IntegerProgram(6, LinearConstraint([[1, 2, 3, 1, 2, 3]], ub=[5])),
}

OBJECTIVES: dict[str, MakeObjective] = {
    "PerturbedDirectLoss": lambda space, noise: sp.PerturbedDirectLoss(space, noise=noise, num_samples=3),
    "PerturbedFenchelYoungLoss": lambda space, noise: sp.PerturbedFenchelYoungLoss(space, noise=noise, num_samples=3),
    "ScoreFunctionLoss": lambda space, noise: sp.ScoreFunctionLoss(space, noise=noise),
    "SPOPlusLoss": lambda space, noise: sp.SPOPlusLoss(space, noise=noise),
    "StructuredHingeLoss": lambda space, noise: sp.StructuredHingeLoss(space, noise=noise),
    "StructuredPerceptronLoss": lambda space, noise: sp.StructuredPerceptronLoss(space, noise=noise),
    "blackbox_loss": lambda space, noise: sp.blackbox_loss(space),
    "perturbation_gradient_loss": lambda space, noise: sp.perturbation_gradient_loss(space),
}

LAYERS: dict[str, MakeLayer] = {
    "Blackbox": lambda space, noise: sp.Blackbox(space),
    "Identity": lambda space, noise: sp.Identity(space, projection=sp.Projection.STD),
    "ImplicitMLE": lambda space, noise: sp.ImplicitMLE(space, noise=noise, num_samples=3),
    "PerturbedArgmax": lambda space, noise: sp.PerturbedArgmax(space, noise=noise, num_samples=3),
}


@frozen(eq=False)
class DrawnOnCPU(sp.Noise):
    """Noise with the same draws on every device, from a seed."""

    noise: sp.Noise = field(factory=sp.Gumbel)

    def _fill(self, draws: Tensor, generator: torch.Generator | None) -> Tensor:
        drawn = self.noise.sample(draws.shape, dtype=draws.dtype, generator=torch.Generator().manual_seed(1))
        return draws.copy_(drawn)

    @property
    def variance(self) -> float:
        return self.noise.variance

    def log_prob(self, value: Tensor) -> Tensor:
        return self.noise.log_prob(value)


def cases() -> dict[str, Case]:
    """Each space by itself, and each objective and layer on each space that it takes."""
    found: dict[str, Case] = {}
    for name, space in SPACES.items():
        found[name] = partial(_argmax, space)
        for kind, objective in OBJECTIVES.items():
            found[f"{kind} on {name}"] = partial(_trained, space, objective)
        for kind, layer in LAYERS.items():
            found[f"{kind} on {name}"] = partial(_differentiated, space, layer)
    for kind in ("ScoreFunctionLoss", "PerturbedArgmax"):  # which want a noise variable of its own for every part
        del found[f"{kind} on Chain"]
    return found


def differences(case: Case, device: torch.device) -> dict[str, Any]:
    """Whether a case is the same there as on the CPU; raises if it is not."""
    there, here = case(device), case(torch.device("cpu"))
    for one, other in zip(there, here, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    return {"equal": True, "compared": len(here)}


def _scores(space: sp.StructuredSpace, device: torch.device) -> tuple[Tensor, Tensor]:
    """Scores, and a structure to learn, which others maximise."""
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randn(2, _BATCH, *space.shape, generator=generator)
    return drawn[0].to(device).requires_grad_(), space.argmax(drawn[1]).to(device)


def _argmax(make: MakeSpace, device: torch.device) -> list[Tensor]:
    space = make()
    scores, _ = _scores(space, device)
    y = space.argmax(scores)
    assert y.device == scores.device
    return [y.cpu()]


def _trained(make: MakeSpace, make_objective: MakeObjective, device: torch.device) -> list[Tensor]:
    """The loss, and its gradients for scores and, where there is noise, its scale."""
    space = make()
    scores, target = _scores(space, device)
    ones = (1,) * len(space.noise_shape)
    scale = torch.linspace(0.5, 1.5, _BATCH, device=device).reshape(_BATCH, *ones).requires_grad_()
    objective = make_objective(space, DrawnOnCPU()).to(device)
    spo = isinstance(objective, sp.SPOPlusLoss)
    supervision = space.regret(-target, target) if spo else space.hamming(target)
    loss = objective(scores, supervision, scale=scale if objective.noise is not None else None)
    loss.backward()
    return [it.detach().cpu() for it in (loss, scores.grad, scale.grad) if it is not None]


def _differentiated(make: MakeSpace, make_layer: MakeLayer, device: torch.device) -> list[Tensor]:
    """The structures, and the gradient of a loss of them."""
    space = make()
    scores, target = _scores(space, device)
    y = make_layer(space, DrawnOnCPU()).to(device)(scores)
    (y - target).square().sum().backward()
    assert scores.grad is not None
    return [y.detach().cpu(), scores.grad.cpu()]
