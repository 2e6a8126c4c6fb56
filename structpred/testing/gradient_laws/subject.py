"""What is checked: an objective or a layer, whose settings can be read and assigned, and how it is called."""

from __future__ import annotations

import abc
import copy
from typing import Any, ClassVar

import torch
from attrs import Factory, field, frozen
from torch import Tensor

from structpred.epsilon import Epsilon, FixedEpsilon, as_policy
from structpred.errors import ArgumentError, argument_error
from structpred.loss import LinearLoss
from structpred.noise import Noise
from structpred.spaces.base import StructuredSpace
from structpred.testing.gradient_laws.case import Call, Case


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

    def log_prob(self, value: Tensor) -> Tensor:
        return self.noise.log_prob(value)

    def cdf(self, value: Tensor) -> Tensor:
        return self.noise.cdf(value)


def _has_a_space(subject: Subject, attribute: Any, module: object) -> None:
    has_a_space = isinstance(getattr(module, "space", None), StructuredSpace)
    if isinstance(module, type) or not callable(module) or not has_a_space:
        name = subject.kind.split()[-1]
        raise argument_error(name, f"{subject.kind}, which is called and has a space", module, subject.example)


@frozen
class Subject(abc.ABC):
    """An objective or a layer as the subject of laws.

    A law never calls the module itself, but copies of it to which other noise, numbers of samples or steps were
    assigned.
    """

    kind: ClassVar[str]
    example: ClassVar[str]
    few_samples: ClassVar[tuple[int | None, ...]]

    module: Any = field(validator=_has_a_space)

    @property
    def space(self) -> StructuredSpace:
        found: StructuredSpace = self.module.space
        return found

    @property
    def noise(self) -> Noise | None:
        return getattr(self.module, "noise", None)

    @property
    def margin(self) -> float:
        """Of the module's step, which those that laws assign have too."""
        return as_policy(self.module.epsilon).margin if self.has_a_step else 0.0

    @property
    def has_a_step(self) -> bool:
        return hasattr(self.module, "epsilon")

    @property
    def keeps_a_state(self) -> bool:
        """Whether the step may be another one at each call."""
        return isinstance(getattr(self.module, "epsilon", None), torch.nn.Module)

    @property
    def sample_counts(self) -> list[int | None]:
        """The numbers of samples that laws try: those of a few that the module does not refuse."""
        return [count for count in self.few_samples if self._takes(count)]

    def _takes(self, count: int | None) -> bool:
        try:
            self.variant(num_samples=count)
        except ArgumentError:
            return False
        return True

    def variant(self, **settings: Any) -> Any:
        """A copy of the module, over the same space, to which these settings were assigned."""
        module = copy.deepcopy(self.module, {id(self.space): self.space})
        for name, value in settings.items():
            setattr(module, name, self._with_margin(value) if name == "epsilon" else value)
        return module

    def _with_margin(self, epsilon: Epsilon | float) -> Epsilon | float:
        if isinstance(epsilon, Epsilon) or not self.margin:
            return epsilon
        return FixedEpsilon(epsilon, margin=self.margin)

    def recording(self, case: Case, **settings: Any) -> tuple[Any, Recorded | None]:
        """A variant for the case's number of samples, and its noise, which records what is drawn."""
        noise = None if self.noise is None else Recorded(self.noise)
        if self.noise is not None:
            settings = {"noise": noise} | settings
        return self.variant(num_samples=case.num_samples, **settings), noise

    def with_own_noise(self, case: Case) -> Any:
        """A variant for the case's number of samples, whose noise records nothing."""
        return self.recording(case, **({} if self.noise is None else {"noise": self.noise}))[0]

    def call(self, case: Case, supervision: Any = None, **settings: Any) -> Call:
        """Calls a variant, with gradients for scores and scale and with its noise recorded.

        Args:
            case: what it is given.
            supervision: of an objective; the loss of the case unless given.
            settings: what is assigned to it.
        """
        module, noise = self.recording(case, **settings)
        scores, scale = case.scores.clone().requires_grad_(), case.scale.clone().requires_grad_()
        value, y = self.value(module, case, scores, scale, supervision)
        inputs = [scores, scale] if y is None else [scores, scale, y]
        gradients = torch.autograd.grad(value, inputs, allow_unused=True)
        found = [torch.zeros_like(i) if g is None else g for g, i in zip(gradients, inputs, strict=True)]
        samples = 1 if noise is None else case.num_samples or 1
        shape = (samples, *scores.shape[:1], *self.space.noise_shape)
        drawn = noise.draws[0].expand(shape) if noise is not None and noise.draws else torch.zeros(shape).double()
        return Call(
            noise=drawn,
            value=value.detach(),
            for_scores=found[0],
            for_scale=found[1],
            y=None if y is None else y.detach(),
            arrived=None if y is None else found[2],
        )

    def keywords(self, seed: int, scale: Tensor) -> dict[str, Any]:
        """How a module is called beside its positional arguments."""
        generator = torch.Generator().manual_seed(seed)
        return {"generator": generator} if self.noise is None else {"generator": generator, "scale": scale}

    @abc.abstractmethod
    def value(
        self, module: Any, case: Case, scores: Tensor, scale: Tensor, supervision: Any = None, keywords: Any = None
    ) -> tuple[Tensor, Tensor | None]:
        """A number with gradients, and the structures if it is a layer's."""

    @abc.abstractmethod
    def mean_loss(self, module: Any, loss: LinearLoss, scores: Tensor, keywords: dict[str, Any]) -> Tensor:
        """The mean over examples and draws of a linear loss, as the module differentiates it."""

    def steps(self, epsilon: float) -> tuple[float, float]:
        """Where the loss is added: the two multiples of it between which the difference is taken."""
        return -self.margin * epsilon, epsilon

    def perturbed(self, scores: Tensor, scale: Tensor, noise: Tensor) -> Tensor:
        """The scores under noise: ``(samples, *batch, *shape)``."""
        return scores + self.space.spread(scale * noise)

    def perturbed_maximum(self, scores: Tensor, scale: Tensor, noise: Tensor, step: float, loss: LinearLoss) -> Tensor:
        """``max_y <scores + spread(scale * noise) + step * coefficients, y>``, of each draw and example.

        ``(*batch, *shape), ..., (draws, *batch, *noise_shape) -> (draws, *batch)``; differentiable.
        """
        augmented = self.perturbed(scores, scale, noise) + step * loss.coefficients
        y = self.space.argmax(augmented)
        return torch.where(y != 0, augmented * y, 0.0).flatten(-len(self.space.shape)).sum(-1)


@frozen
class ObjectiveSubject(Subject):
    """An objective: called with scores and supervision, it returns a number."""

    kind = "an objective"
    example = "write for example PerturbedDirectLoss(Matching(3))"
    few_samples = (1, 2, 3)

    def recording(self, case: Case, **settings: Any) -> tuple[Any, Recorded | None]:
        if hasattr(self.module, "reduction"):
            settings = {"reduction": "mean"} | settings
        return super().recording(case, **settings)

    def value(
        self, module: Any, case: Case, scores: Tensor, scale: Tensor, supervision: Any = None, keywords: Any = None
    ) -> tuple[Tensor, Tensor | None]:
        supervision = case.loss if supervision is None else supervision
        return module(scores, supervision, **(keywords or self.keywords(case.seed, scale))), None

    def mean_loss(self, module: Any, loss: LinearLoss, scores: Tensor, keywords: dict[str, Any]) -> Tensor:
        value: Tensor = module(scores, loss, **keywords)
        return value


@frozen
class LayerSubject(Subject):
    """A layer: called with scores, it returns structures, which a loss follows."""

    kind = "a layer"
    example = "write for example Blackbox(Matching(3))"
    few_samples = (None, 1, 2, 3)

    def value(
        self, module: Any, case: Case, scores: Tensor, scale: Tensor, supervision: Any = None, keywords: Any = None
    ) -> tuple[Tensor, Tensor | None]:
        y = module(scores, **(keywords or self.keywords(case.seed, scale)))
        return case.downstream(y).sum(), y

    def mean_loss(self, module: Any, loss: LinearLoss, scores: Tensor, keywords: dict[str, Any]) -> Tensor:
        return loss(module(scores, **keywords)).mean()
