"""What is checked: an objective over a space, with one noise and one or both sides."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from attrs import Factory, field, frozen
from torch import Tensor

from structpred.errors import argument_error
from structpred.loss import LinearLoss
from structpred.noise import Gumbel, Noise
from structpred.objectives.direct import PerturbedDirectLoss
from structpred.spaces.base import StructuredSpace


@frozen(eq=False)
class Recorded(Noise):
    """Another noise, and every draw that was taken from it."""

    noise: Noise
    draws: list[Tensor] = Factory(list)

    def _fill(self, draws: Tensor, generator: torch.Generator | None) -> Tensor:
        drawn = self.noise._fill(draws, generator)
        self.draws.append(drawn.clone())
        return drawn

    @property
    def variance(self) -> float:
        return self.noise.variance


def _is_noise(instance: object, attribute: Any, value: object) -> None:
    if not isinstance(value, Noise):
        raise argument_error(attribute.name, "a Noise", value, "write for example Gumbel()")


def _is_callable(instance: object, attribute: Any, value: object) -> None:
    if not callable(value):
        raise argument_error(attribute.name, "a class or function that makes objectives", value)


@frozen
class DirectGradient:
    """An objective's gradient as the subject of laws; the arguments are those of ``check_direct_gradient``."""

    space: StructuredSpace
    noise: Noise = field(default=Gumbel(), validator=_is_noise)
    central: bool = False
    objective: Callable[..., Any] = field(
        default=PerturbedDirectLoss, validator=_is_callable, repr=lambda it: getattr(it, "__name__", repr(it))
    )

    def make(self, epsilon: float | None, num_samples: int, noise: Noise | None) -> Any:
        """An objective, to be called with scores, loss, ``scale=`` and ``generator=``; ``None`` is its own step."""
        step = {} if epsilon is None else {"epsilon": epsilon}
        return self.objective(self.space, noise=noise, num_samples=num_samples, central=self.central, **step)

    @property
    def has_a_step_of_its_own(self) -> bool:
        """Whether objectives can be made without ``epsilon``."""
        epsilon = inspect.signature(self.objective).parameters.get("epsilon")
        return epsilon is None or epsilon.default is not inspect.Parameter.empty

    def steps(self, epsilon: float) -> tuple[float, float]:
        """Where the loss is added: the two multiples of it between which the difference is taken."""
        return (-epsilon if self.central else 0.0), epsilon

    def perturbed_maximum(self, scores: Tensor, scale: Tensor, noise: Tensor, step: float, loss: LinearLoss) -> Tensor:
        """``max_y <scores + spread(scale * noise) + step * coefficients, y>``, of each draw and example.

        ``(*batch, *shape), ..., (draws, *batch, *noise_shape) -> (draws, *batch)``; differentiable.
        """
        augmented = scores + self.space.spread(scale * noise) + step * loss.coefficients
        y = self.space.argmax(augmented)
        return torch.where(y != 0, augmented * y, 0.0).flatten(-len(self.space.shape)).sum(-1)


@frozen(eq=False)
class Call:
    """One call of a subject's objective: what it was given, what noise it drew, what it returned."""

    subject: DirectGradient
    scores: Tensor
    scale: Tensor
    loss: LinearLoss
    epsilon: float | None
    noise: Tensor
    value: Tensor
    for_scores: Tensor
    for_scale: Tensor


def call(
    subject: DirectGradient,
    scores: Tensor,
    scale: Tensor,
    loss: LinearLoss,
    epsilon: float | None,
    num_samples: int,
    seed: int,
) -> Call:
    """Calls the subject's objective, with gradients for scores and scale and with its noise recorded."""
    noise = Recorded(subject.noise)
    objective = subject.make(epsilon, num_samples, noise)
    scores, scale = scores.clone().requires_grad_(), scale.clone().requires_grad_()
    value = objective(scores, loss, scale=scale, generator=torch.Generator().manual_seed(seed))
    gradients = torch.autograd.grad(value, [scores, scale], allow_unused=True)
    for_scores, for_scale = (
        torch.zeros_like(leaf) if gradient is None else gradient
        for gradient, leaf in zip(gradients, (scores, scale), strict=True)
    )
    shape = (num_samples, *scores.shape[:1], *subject.space.noise_shape)
    drawn = noise.draws[0].expand(shape) if noise.draws else torch.zeros(shape)
    return Call(subject, scores.detach(), scale.detach(), loss, epsilon, drawn, value.detach(), for_scores, for_scale)
