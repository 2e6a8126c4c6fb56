"""Which arguments everything public takes, and that what they are held to is looked at."""

from __future__ import annotations

import enum
import inspect
from collections.abc import Callable
from typing import Any

import attrs
import networkx
import pytest

import structpred as sp

SIGNATURES = [
    "AdaptiveEpsilon(*, initial=1.0, target=1.0, rate=0.001, decay=0.9)",
    "AdaptiveScale(initial=1.0, *, rate=0.1)",
    "Arborescence(n, *, single_root=False)",
    "Blackbox(space, *, epsilon=RelativeToNoise(ratio=-8.0, margin=0.0, group_dims=0), "
    "noise=None, scale=1.0, num_samples=None)",
    "Chain(length, labels)",
    "DagPath(graph, source, target)",
    "FixedEpsilon(value, *, margin=0.0)",
    "GrowUntilNonzero(initial, *, factor=1.1, limit=10.0, group_dims=0)",
    "Gumbel()",
    "Identity(space, *, projection=Projection.NONE, noise=None, scale=1.0, num_samples=None)",
    "ImplicitMLE(space, *, epsilon=RelativeToNoise(ratio=-8.0, margin=0.0, group_dims=0), "
    "noise=Gumbel(), scale=1.0, num_samples=None)",
    "IntegerProgram(shape, constraints=(), *, bounds=None, integrality=1, solver=None, "
    "time_limit=None, gap=0.0, accept_incumbent=False)",
    "KSubset(n, k)",
    "Knapsack(weights, capacity)",
    "LinearLoss(coefficients, constant=0.0, *, event_dims=NOTHING, best=None)",
    "Logistic()",
    "Matching(rows, cols=NOTHING)",
    "Normal()",
    "OneHot(n)",
    "PerturbedArgmax(space, *, noise=Gumbel(), scale=1.0, num_samples=10)",
    "PerturbedDirectLoss(space, *, epsilon=None, noise=Gumbel(), scale=None, num_samples=1, reduction='mean')",
    "PerturbedFenchelYoungLoss(space, *, noise=Gumbel(), scale=1.0, num_samples=1, reduction='mean')",
    "RelativeToNoise(ratio=-256.0, *, margin=0.05, group_dims=0)",
    "RelativeToScores(ratio, *, margin=0.0, floor=0.001)",
    "SPOPlusLoss(space, *, noise=None, scale=1.0, num_samples=1, reduction='mean')",
    "ScoreFunctionLoss(space, *, noise=Gumbel(), scale=1.0, num_samples=10, reduction='mean')",
    "SpaceBatch(spaces)",
    "SpanningTree(graph)",
    "StructuredHingeLoss(space, *, noise=None, scale=1.0, num_samples=1, reduction='mean')",
    "StructuredPerceptronLoss(space, *, noise=None, scale=1.0, num_samples=1, reduction='mean')",
    "SumOfGamma(parts, *, terms=10)",
    "Uniform()",
    "blackbox_loss(space, *, step=10.0, reduction='mean')",
    "perturbation_gradient_loss(space, *, step=0.1, central=False, reduction='mean')",
    "StructuredSpace.argmax(scores)",
    "StructuredSpace.batch_shape(name, tensor)",
    "StructuredSpace.contains(y)",
    "StructuredSpace.enumerate()",
    "StructuredSpace.hamming(target)",
    "StructuredSpace.regret(costs, best=None, *, validate=True)",
    "StructuredSpace.score(scores, y)",
    "StructuredSpace.spread(noise)",
    "LinearLoss.hamming(target, weights=None, *, event_dims=None)",
    "LinearLoss.missed(target, *, event_dims=None)",
    "Noise.cdf(value)",
    "Noise.log_prob(value)",
    "Noise.sample(shape, *, dtype=None, device=None, generator=None)",
    "PerturbedDirectLoss.forward(scores, supervision, *, scale=None, generator=None)",
    "PerturbedDirectLoss.solve(scores, supervision, *, scale=None, generator=None)",
    "ScoreFunctionLoss.forward(scores, supervision, *, scale=None, generator=None)",
    "ScoreFunctionLoss.solve(scores, supervision, *, scale=None, generator=None)",
    "StructuredHingeLoss.forward(scores, supervision, *, scale=None, generator=None)",
    "StructuredHingeLoss.solve(scores, supervision, *, scale=None, generator=None)",
    "Blackbox.forward(scores, *, scale=None, generator=None)",
]
METHODS = {
    sp.StructuredSpace: ["argmax", "batch_shape", "contains", "enumerate", "hamming", "regret", "score", "spread"],
    sp.LinearLoss: ["hamming", "missed"],
    sp.Noise: ["cdf", "log_prob", "sample"],
    sp.PerturbedDirectLoss: ["forward", "solve"],
    sp.ScoreFunctionLoss: ["forward", "solve"],
    sp.StructuredHingeLoss: ["forward", "solve"],
    sp.Blackbox: ["forward"],
}
VALUES = [
    sp.FixedEpsilon(1.0),
    sp.GrowUntilNonzero(-1.0),
    sp.RelativeToNoise(),
    sp.RelativeToScores(1.0),
    sp.SumOfGamma(2),
    sp.OneHot(3),
    sp.KSubset(3, 2),
    sp.Knapsack([1, 2], 2),
    sp.Matching(2),
    sp.Chain(2, 2),
    sp.SpanningTree(networkx.Graph(["ab"])),
    sp.Arborescence(2),
    sp.SpaceBatch([sp.OneHot(3)]),
    sp.LinearLoss(sp.OneHot(2).enumerate()),
]


def signature(function: Callable[..., Any]) -> str:
    """Its parameters without annotations, with the representations of their defaults."""
    spelled, named = [], False
    for it in inspect.signature(function).parameters.values():
        if it.name == "self":
            continue
        if it.kind is it.KEYWORD_ONLY and not named:
            spelled.append("*")
            named = True
        spelled.append(it.name if it.default is it.empty else f"{it.name}={it.default!r}")
    return f"({', '.join(spelled)})"


def test_the_arguments_and_their_defaults_are_those_written_here() -> None:
    found = []
    for name in sorted(sp.__all__):
        public = getattr(sp, name)
        is_made = inspect.isfunction(public) or not (
            inspect.isabstract(public) or issubclass(public, BaseException | enum.Enum | sp.Solution)
        )
        if is_made:
            found.append(name + signature(public))
    found += [
        f"{owner.__name__}.{name}{signature(getattr(owner, name))}" for owner in METHODS for name in METHODS[owner]
    ]
    assert found == SIGNATURES


@pytest.mark.parametrize(
    ("value", "name"),
    [(value, field.name) for value in VALUES for field in attrs.fields(type(value)) if field.init],
    ids=lambda it: it if isinstance(it, str) else type(it).__name__,
)
def test_every_field_is_held_to_what_it_may_be(value: Any, name: str) -> None:
    with pytest.raises(sp.ArgumentError, match=f"^{name}"):
        attrs.evolve(value, **{name: object()})
