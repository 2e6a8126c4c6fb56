"""What a call in a circumstance is given: a module with its settings, scale and loss."""

from __future__ import annotations

from typing import Any

import torch
from attrs import Factory, frozen
from torch import Tensor

from structpred.loss import LinearLoss
from structpred.noise import Noise
from structpred.testing.gradient_laws.circumstances import Circumstance, Loss, Mode, Scale, Upstream
from structpred.testing.gradient_laws.definitions import Definition, mean_structures
from structpred.testing.gradient_laws.examples import Examples
from structpred.testing.gradient_laws.subject import LayerSubject, ObjectiveSubject, Subject
from structpred.testing.law import ViolationError

_BROADCAST = (Loss.BROADCAST, Loss.WITHOUT_BATCH, Loss.ALONG_THE_FIRST, Loss.ALONG_THE_SECOND)
_OF_A_STRUCTURE = (torch.float32, torch.uint8, torch.float64, torch.int64)  # as torch subtracts them, truth values not
_REDUCTIONS = {Upstream.MEAN: "mean", Upstream.SUM: "sum", Upstream.WEIGHTED: "none"}


@frozen(eq=False)
class Scripted(Noise):
    """Draws that were written beforehand, one after the other; the density is that of another noise."""

    noise: Noise
    script: list[Tensor]
    seeded: bool
    """Whether a generator is given."""
    taken: list[tuple[int, ...]] = Factory(list)
    """The shapes of the samples taken."""

    def _fill(self, draws: Tensor, generator: torch.Generator | None) -> Tensor:
        if generator is None and self.seeded:
            raise ViolationError("a generator is given, and noise is drawn without it")
        written = self.script[min(len(self.taken), len(self.script) - 1)]
        self.taken.append(tuple(draws.shape))
        if draws.shape != written.shape:
            message = "noise of another shape is drawn"
            raise ViolationError(message, got=tuple(draws.shape), expected=tuple(written.shape))
        return draws.copy_(written)

    @property
    def variance(self) -> float:
        return self.noise.variance

    def log_prob(self, value: Tensor) -> Tensor:
        return self.noise.log_prob(value)

    def cdf(self, value: Tensor) -> Tensor:
        return self.noise.cdf(value)


@frozen(eq=False)
class Arguments:
    """Of one call, and what follows it."""

    subject: Subject
    it: Circumstance
    given: Examples
    definition: Definition
    own_step: bool
    """Whether the step is the subject's own, and not that of the circumstance."""

    def module(self, *scripts: Tensor) -> Any:
        """The subject with the settings of the circumstance, and with noise that was written beforehand."""
        subject, settings = self.subject, dict[str, Any]()
        if subject.noise is not None:
            settings["noise"] = Scripted(subject.noise, list(scripts), self.it.seeded)
        if subject.has_a_step and not self.own_step:
            settings["epsilon"] = self.it.epsilon
        if hasattr(subject.module, "reduction"):
            settings["reduction"] = _REDUCTIONS[self.it.upstream]
        module = subject.variant(num_samples=None if self.is_single else self.it.samples, **settings)
        return module.eval() if self.it.evaluates(module) else module

    @property
    def is_quiet(self) -> bool:
        """Whether no noise is drawn."""
        return self.subject.noise is None or self.it.evaluates(self.subject.module)

    def generator(self, seed: int) -> torch.Generator | None:
        """That of a call; None is torch's own."""
        return torch.Generator().manual_seed(seed) if self.it.seeded else None

    @property
    def is_single(self) -> bool:
        """Whether a layer returns one draw, without a dimension of samples."""
        return isinstance(self.subject, LayerSubject) and not self.returns_mean and self.it.samples == 1

    @property
    def has_own_scale(self) -> bool:
        own = getattr(self.subject.module, "scale", None)
        if self.it.scale is Scale.OWN_NUMBER:  # which torch's modules refuse where they have a parameter
            return own is not None and not isinstance(own, torch.nn.Parameter)
        return self.it.scale is Scale.OWN_PARAMETER and own is not None

    def scale(self, module: Any) -> Tensor | float | None:
        """The argument, of the circumstance's shape; None where the module has it, or there is no noise."""
        it, noise_shape = self.it, self.subject.space.noise_shape
        if self.subject.noise is None:
            return None
        one: float = self.given.scale.reshape(-1)[0].item()
        one = int(one) if one.is_integer() and it.seeded else one  # either is a number
        if self.has_own_scale:
            tensor = torch.tensor(one, dtype=it.dtype)
            module.scale = one if it.scale is Scale.OWN_NUMBER else torch.nn.Parameter(tensor)
            return None
        if it.scale in (Scale.NUMBER, Scale.OWN_NUMBER):
            return one
        if it.scale is Scale.PER_VARIABLE:
            return self.given.scale.reshape(*it.batch, *noise_shape).to(it.dtype)
        if it.scale is Scale.SHARED:
            return self.given.scale[0].reshape(*(1,) * len(it.batch), *noise_shape).to(it.dtype).clone()
        if it.scale in (Scale.PER_EXAMPLE, Scale.DOUBLE) or it.scale_is_along_one:
            first = self.given.scale.flatten(1)[:, 0]
            each = first.reshape(*it.batch, *(1,) * len(noise_shape))
            each = each if it.scale is Scale.DOUBLE else each.to(it.dtype)
            return each[tuple(slice(size) for size in self.scale_shape)].clone()
        return torch.tensor([one] if it.scale is Scale.ONE_ELEMENT else one, dtype=it.dtype)

    @property
    def scale_shape(self) -> tuple[int, ...]:
        """Of a scale with one entry an example, or one along one batch dimension."""
        batch, ones = self.it.batch, (1,) * len(self.subject.space.noise_shape)
        if self.it.scale is Scale.ALONG_THE_SECOND and len(batch) > 1:
            batch = (1, batch[1], *(1,) * (len(batch) - 2))
        elif self.it.scale is Scale.ALONG_THE_FIRST and batch:
            batch = (batch[0], *(1,) * (len(batch) - 1))
        return (*batch, *ones)

    def loss(self) -> LinearLoss:
        """As the circumstance gives it."""
        it, given, shape = self.it, self.given, self.subject.space.shape
        dtype = torch.float64 if it.loss is Loss.DOUBLE else it.dtype
        if dtype in (torch.float16, torch.bfloat16):
            dtype = torch.float32  # as those of hamming are
        coefficients, best = given.coefficients.reshape(*it.batch, *shape), None
        constant: Any = self.constant().reshape(it.batch).to(dtype)
        if it.loss is Loss.KNOWN_BEST:
            best = given.best.reshape(*it.batch, *shape).to(_OF_A_STRUCTURE[it.rows % len(_OF_A_STRUCTURE)])
        elif it.loss is Loss.NUMBER:
            constant = 3.5 * given.unit
        elif it.loss is Loss.BROADCAST:
            coefficients = given.coefficients[0].reshape(*(1,) * len(it.batch), *shape)
        elif it.loss is Loss.WITHOUT_BATCH:
            coefficients = given.coefficients[0]
        elif it.loss is Loss.ALONG_THE_FIRST and len(it.batch) > 1:
            first = (slice(None), *(slice(1) for _ in it.batch[1:]))
            coefficients, constant = coefficients[first], constant[first]
        elif it.loss is Loss.ALONG_THE_SECOND and it.batch:
            coefficients = coefficients[0]
            coefficients = coefficients[:, :1] if len(it.batch) == 3 else coefficients
            constant = constant[:1] if len(it.batch) == 2 else constant
        coefficients = coefficients.to(dtype).clone()
        return LinearLoss(coefficients, constant, event_dims=len(shape), best=best)

    def constant(self) -> Tensor:
        """Of each example, float64."""
        count = self.it.examples
        constant = torch.full((count,), 3.5) if self.it.loss is Loss.NUMBER else torch.arange(count) % 7
        if self.it.loss is Loss.ALONG_THE_SECOND and len(self.it.batch) == 2:
            constant = torch.arange(count) % self.it.batch[1]
        if self.it.loss is Loss.ALONG_THE_FIRST and self.it.batch:
            constant = torch.arange(count) // (count // self.it.batch[0]) % 7
        return constant.double() * self.given.unit

    def leaves(self, scores: Tensor, scale: Tensor | float | None, loss: LinearLoss) -> dict[str, Tensor]:
        """What the gradients are taken for, by name."""
        it, found = self.it, dict[str, Tensor]()
        if it.mode.has_gradients:
            if it.mode is not Mode.ONLY_SCALE or not isinstance(scale, Tensor):
                found["the scores"] = scores.requires_grad_()
            if it.mode is not Mode.ONLY_SCORES and isinstance(scale, Tensor):
                found["the scale"] = scale.requires_grad_()
        if self.loss_has_gradients:
            if it.loss is not Loss.ONLY_CONSTANT_REQUIRES_GRAD:
                found["the coefficients"] = loss.coefficients.requires_grad_()
            if not self.is_potential and isinstance(loss.constant, Tensor):
                found["the constant"] = loss.constant.requires_grad_()
        return found

    @property
    def loss_has_gradients(self) -> bool:
        """Whether gradients for the coefficients, and the constant, are taken."""
        it = self.it
        if not isinstance(self.subject, ObjectiveSubject):
            return False
        if not it.mode.has_gradients and self.is_potential and not self.subject.module.margin:
            return False  # it hangs on the target alone
        if it.mode is Mode.ALL and it.loss in _BROADCAST:
            return True
        asked = it.loss in (Loss.REQUIRES_GRAD, Loss.ONLY_CONSTANT_REQUIRES_GRAD)
        required = asked and (it.mode.has_gradients or it.mode is Mode.EVAL)
        return required or it.mode is Mode.ONLY_LOSS

    @property
    def is_potential(self) -> bool:
        return hasattr(self.subject.module, "margin")

    def weights(self) -> Tensor:
        """Of each example's loss."""
        return torch.arange(self.it.examples).double() % 5 - 1.5

    def arriving(self) -> Tensor:
        """What reaches a layer's structures: ``(samples, n, *shape)``, or ``(n, *shape)`` of their mean."""
        weights = self.given.coefficients
        if self.returns_mean:
            return weights
        drawn = weights.expand(self.samples, *weights.shape)
        if self.samples == 1 or self.is_shared:
            return drawn
        drawn = drawn.clone()
        drawn[0, 1::2] = 0  # nothing arrives there at the first draw
        return drawn

    @property
    def is_shared(self) -> bool:
        """Whether the same loss follows all examples."""
        return self.it.loss in (Loss.BROADCAST, Loss.WITHOUT_BATCH)

    @property
    def samples(self) -> int:
        return 1 if self.is_quiet else self.it.samples

    @property
    def returns_mean(self) -> bool:
        return self.definition is mean_structures
