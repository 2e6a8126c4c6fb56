"""Holds one call in one circumstance against its definition."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from attrs import Factory, frozen
from torch import Tensor

from structpred.errors import ArgumentError
from structpred.loss import LinearLoss
from structpred.noise import Noise
from structpred.testing.circumstances import default_dtype
from structpred.testing.gradient_laws.circumstances import Before, Circumstance, Loss, Mode, Scale, Upstream
from structpred.testing.gradient_laws.definitions import Definition, mean_structures
from structpred.testing.gradient_laws.examples import Examples, examples
from structpred.testing.gradient_laws.subject import LayerSubject, ObjectiveSubject, Subject
from structpred.testing.law import ViolationError

_TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-5, torch.float16: 1e-2, torch.bfloat16: 6e-2}
_SMALLEST = {torch.float64: 1e-12, torch.float32: 1e-12, torch.float16: 2.0**-22, torch.bfloat16: 1e-12}


@frozen(eq=False)
class Scripted(Noise):
    """Draws that were written beforehand, one after the other; the density is that of another noise."""

    noise: Noise
    script: list[Tensor]
    taken: list[tuple[int, ...]] = Factory(list)
    """The shapes of the samples taken."""

    def _fill(self, draws: Tensor, generator: torch.Generator | None) -> Tensor:
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
class Found:
    """What a call returned, and the gradients by name, in float64."""

    value: Tensor
    gradients: dict[str, Tensor]


def follow(
    subject: Subject,
    it: Circumstance,
    seed: int,
    definition: Definition,
    *,
    estimate: bool = False,
    own_step: bool = False,
) -> None:
    """Raises ``ViolationError`` unless the call has the value and gradients of its definition.

    Args:
        subject: the objective or layer.
        it: how it is called.
        seed: of the scores, noise and loss.
        definition: of its losses or structures, for given noise.
        estimate: whether the gradients for scores and scale are estimates: those of a plain call are expected then,
            in float64, for one dimension of examples and one scale a variable.
        own_step: whether the step is the subject's own, and not that of the circumstance.
    """
    try:
        subject.variant(num_samples=it.samples)
    except ArgumentError:
        return  # of an objective that needs several, say

    def maxima(perturbed: Tensor, coefficients: Tensor, scores: Tensor) -> list[Tensor]:
        if getattr(subject.module, "projection", None) is not None:
            return [perturbed]
        factor = getattr(subject.module, "factor", 1.0)
        margin = coefficients if getattr(subject.module, "margin", False) else 0.0
        steps = subject.steps(it.epsilon) if subject.has_a_step else ()
        return [factor * perturbed + margin, perturbed, *(perturbed + step * coefficients for step in steps)]

    given = examples(subject, it, seed, maxima)
    if given is not None:
        _Call(subject, it, given, definition, estimate or own_step, own_step).check()


@frozen(eq=False)
class _Call:
    subject: Subject
    it: Circumstance
    given: Examples
    definition: Definition
    plain_gradients: bool
    own_step: bool

    def check(self) -> None:
        it = self.it
        with default_dtype(it.default):
            got, names = self.got()
        expected, bounds = self.expected()
        tolerance, smallest = _TOLERANCE[it.dtype], _SMALLEST[it.dtype]
        pairs = [("value", got.value, expected.value, bounds["value"])]
        pairs += [
            (f"the gradient for {name}", got.gradients[name], expected.gradients[name], bounds[name]) for name in names
        ]
        for what, one, other, bound in pairs:
            if one.shape != other.shape:
                raise ViolationError(f"{what} has another shape", got=tuple(one.shape), expected=tuple(other.shape))
            if not ((one - other).abs() <= tolerance * bound + smallest).all():
                raise ViolationError(f"{what} is not that of the definition", got=one, expected=other)

    # --- the call

    def got(self) -> tuple[Found, list[str]]:
        it, given, subject = self.it, self.given, self.subject
        shape = (*it.batch, *subject.space.shape)
        noise = given.noise.reshape(it.samples, *it.batch, *subject.space.noise_shape)
        others = given.scores.roll(1, 0)
        scripts = [noise]
        if it.before in (Before.THE_SAME, Before.OTHER_NUMBERS_THERE):
            scripts = [noise.flip(0).roll(1, -1), noise]
        elif it.before is Before.ANOTHER_BATCH:
            scripts = [noise.reshape(it.samples, -1, *subject.space.noise_shape)[:, :1], noise]
        elif it.before is Before.IN_BETWEEN:
            scripts = [noise, noise.reshape(it.samples, -1, *subject.space.noise_shape)[:, :1]]
        module = self.module(scripts)
        scores = it.layout.lay(given.scores.reshape(shape).to(it.dtype))
        scale = self.scale(module)
        loss = self.loss()
        own = module.scale if self.has_own_scale and self.it.scale is Scale.OWN_PARAMETER else None
        leaves = self.leaves(scores, scale if own is None else own, loss)
        with self.mode():
            if it.before is Before.THE_SAME:
                self.backward(self.call(module, scores, scale, loss)[0], leaves)
            elif it.before is Before.OTHER_NUMBERS_THERE:
                with torch.no_grad():
                    scores.copy_(others.reshape(shape))
                    self.call(module, scores, scale, loss)
                    scores.copy_(given.scores.reshape(shape))
            elif it.before is Before.ANOTHER_BATCH:
                self.another(module, others)
            value, result = self.call(module, scores, scale, loss)
            if it.before is Before.IN_BETWEEN:
                self.another(module, others)
            gradients = self.backward(value, leaves)
        self.expect_as_before(scores, given.scores.reshape(shape).to(it.dtype), loss)
        if subject.noise is not None and isinstance(module.noise, Scripted):
            expected = [tuple(script.shape) for script in scripts]
            if module.noise.taken != expected:
                message = "other samples of noise are drawn; their shapes"
                raise ViolationError(message, got=module.noise.taken, expected=expected)
        found = {
            name: torch.zeros_like(leaf).double() if gradient is None else self.laid_out(name, gradient, leaf)
            for (name, leaf), gradient in zip(leaves.items(), gradients, strict=True)
        }
        if isinstance(subject, LayerSubject) and (result.dtype, result.device) != (scores.dtype, scores.device):
            raise ViolationError("the structures have another dtype", got=result.dtype, expected=scores.dtype)
        return Found(result.detach().double(), found), list(found)

    def module(self, scripts: list[Tensor]) -> Any:
        subject, settings = self.subject, dict[str, Any]()
        if subject.noise is not None:
            settings["noise"] = Scripted(subject.noise, scripts)
        if subject.has_a_step and not self.own_step:
            settings["epsilon"] = self.it.epsilon
        if hasattr(subject.module, "reduction"):
            settings["reduction"] = {Upstream.MEAN: "mean", Upstream.SUM: "sum", Upstream.WEIGHTED: "none"}[
                self.it.upstream
            ]
        return subject.variant(num_samples=self.it.samples, **settings)

    @property
    def has_own_scale(self) -> bool:
        return self.it.scale in (Scale.OWN_NUMBER, Scale.OWN_PARAMETER) and hasattr(self.subject.module, "scale")

    def scale(self, module: Any) -> Tensor | float | None:
        """The argument, of the circumstance's shape; None where the module has it, or there is no noise."""
        it, noise_shape = self.it, self.subject.space.noise_shape
        if self.subject.noise is None:
            return None
        one = float(self.given.scale.reshape(-1)[0])
        if self.has_own_scale:
            tensor = torch.tensor(one, dtype=it.dtype)
            module.scale = one if it.scale is Scale.OWN_NUMBER else torch.nn.Parameter(tensor)
            return None
        if it.scale in (Scale.NUMBER, Scale.OWN_NUMBER):
            return one
        if it.scale is Scale.PER_VARIABLE:
            return self.given.scale.reshape(*it.batch, *noise_shape).to(it.dtype)
        if it.scale is Scale.PER_EXAMPLE:
            first = self.given.scale.flatten(1)[:, 0]
            return first.reshape(*it.batch, *(1,) * len(noise_shape)).to(it.dtype)
        return torch.tensor([one] if it.scale is Scale.ONE_ELEMENT else one, dtype=it.dtype)

    def loss(self) -> LinearLoss:
        it, given, shape = self.it, self.given, self.subject.space.shape
        dtype = torch.float64 if it.loss is Loss.DOUBLE else it.dtype
        if dtype in (torch.float16, torch.bfloat16):
            dtype = torch.float32  # as those of hamming are
        coefficients, best = given.coefficients.reshape(*it.batch, *shape), None
        constant: Tensor | float = self.constant().reshape(it.batch).to(dtype)
        if it.loss is Loss.KNOWN_BEST:
            best = given.best.reshape(*it.batch, *shape).to(dtype)
        elif it.loss is Loss.NUMBER:
            constant = 3.5
        elif it.loss is Loss.BROADCAST:
            coefficients = given.coefficients[0].reshape(*(1,) * len(it.batch), *shape)
        elif it.loss is Loss.WITHOUT_BATCH:
            coefficients = given.coefficients[0]
        coefficients = coefficients.to(dtype).clone()
        return LinearLoss(coefficients, constant, event_dims=len(shape), best=best)

    def constant(self) -> Tensor:
        """Of each example, float64."""
        count = self.it.examples
        return torch.full((count,), 3.5).double() if self.it.loss is Loss.NUMBER else torch.arange(count).double() % 7

    def leaves(self, scores: Tensor, scale: Tensor | float | None, loss: LinearLoss) -> dict[str, Tensor]:
        """What the gradients are taken for, by name."""
        it, found = self.it, dict[str, Tensor]()
        if it.mode in (Mode.NO_GRAD, Mode.INFERENCE):
            return found
        if it.mode is not Mode.ONLY_SCALE or not isinstance(scale, Tensor):
            found["the scores"] = scores.requires_grad_()
        if it.mode is not Mode.ONLY_SCORES and isinstance(scale, Tensor):
            found["the scale"] = scale.requires_grad_()
        if it.loss is Loss.REQUIRES_GRAD and isinstance(self.subject, ObjectiveSubject):
            found["the coefficients"] = loss.coefficients.requires_grad_()
            if not self.is_potential:
                assert isinstance(loss.constant, Tensor)
                found["the constant"] = loss.constant.requires_grad_()
        return found

    @property
    def is_potential(self) -> bool:
        return hasattr(self.subject.module, "margin")

    @contextlib.contextmanager
    def mode(self) -> Iterator[None]:
        context = {Mode.NO_GRAD: torch.no_grad, Mode.INFERENCE: torch.inference_mode}
        with context.get(self.it.mode, contextlib.nullcontext)():
            yield

    def call(
        self, module: Any, scores: Tensor, scale: Tensor | float | None, loss: LinearLoss
    ) -> tuple[Tensor, Tensor]:
        """A number to differentiate, and what the module returned."""
        keywords: dict[str, Any] = {"generator": torch.Generator().manual_seed(0)}
        if scale is not None:
            keywords["scale"] = scale
        if isinstance(self.subject, ObjectiveSubject):
            result = module(scores, loss, **keywords)
            weighted = self.it.upstream is Upstream.WEIGHTED and result.ndim
            return (
                result * self.weights().reshape(result.shape).to(result.dtype)
            ).sum() if weighted else result, result
        result = module(scores, **keywords)
        return (result * self.arriving().reshape(result.shape).to(result.dtype)).sum(), result

    def another(self, module: Any, others: Tensor) -> None:
        """A call for the first of other examples alone."""
        scores = others[:1].to(self.it.dtype)
        keywords: dict[str, Any] = {"generator": torch.Generator().manual_seed(1)}
        if self.subject.noise is not None and not self.has_own_scale:
            keywords["scale"] = torch.ones((), dtype=self.it.dtype)
        if isinstance(self.subject, ObjectiveSubject):
            costs = -self.given.coefficients.roll(1, 0)[:1]
            module(scores, LinearLoss(costs, event_dims=len(self.subject.space.shape)), **keywords)
        else:
            module(scores, **keywords)

    def backward(self, value: Tensor, leaves: dict[str, Tensor]) -> list[Tensor | None]:
        if not leaves:
            return []
        if not value.requires_grad:
            raise ViolationError("no gradient reaches", got="a constant", expected=" or ".join(leaves))
        found = torch.autograd.grad(value, list(leaves.values()), allow_unused=True, retain_graph=True)
        again = torch.autograd.grad(value, list(leaves.values()), allow_unused=True)
        for name, one, other in zip(leaves, found, again, strict=True):
            if one is not None and other is not None and not torch.equal(one, other):
                raise ViolationError(f"a second backward pass has another gradient for {name}", got=other, expected=one)
        return list(found)

    def laid_out(self, name: str, gradient: Tensor, leaf: Tensor) -> Tensor:
        if gradient.dtype != leaf.dtype:
            raise ViolationError(f"the gradient for {name} has another dtype", got=gradient.dtype, expected=leaf.dtype)
        return gradient.double()

    def expect_as_before(self, scores: Tensor, expected: Tensor, loss: LinearLoss) -> None:
        if not torch.equal(scores.detach(), expected):
            raise ViolationError("the scores were changed", got=scores.detach(), expected=expected)
        if not torch.equal(loss.coefficients.detach().double(), self.loss().coefficients.double()):
            raise ViolationError("the coefficients of the loss were changed", got=loss.coefficients.detach())

    # --- the definition

    def weights(self) -> Tensor:
        """Of each example's loss."""
        return torch.arange(self.it.examples).double() % 5 - 1.5

    def arriving(self) -> Tensor:
        """What reaches a layer's structures: ``(samples, n, *shape)``, or ``(n, *shape)`` where it returns their mean."""
        weights = self.given.coefficients
        return weights if self.returns_mean else weights.expand(self.samples, *weights.shape)

    @property
    def samples(self) -> int:
        return 1 if self.subject.noise is None else self.it.samples

    @property
    def returns_mean(self) -> bool:
        return self.definition is mean_structures

    def expected(self) -> tuple[Found, dict[str, Tensor]]:
        """By the definition, and the sizes to which differences are compared."""
        it, given, subject = self.it, self.given, self.subject
        scores = given.scores.clone().requires_grad_()
        scale = given.scale.clone().requires_grad_()
        loss = LinearLoss(
            given.coefficients.clone().requires_grad_(),
            self.constant().requires_grad_(),
            event_dims=len(subject.space.shape),
            best=given.best,
        )
        noise = given.noise[: self.samples]
        found = self.definition(subject, scores, scale * noise, loss, it.epsilon)
        if isinstance(subject, ObjectiveSubject):
            value, number = self.reduced(found)
            bound = found.detach().abs().max()
        else:
            value = found.mean(0) if self.returns_mean else found
            number, bound = (value * self.arriving()).sum(), torch.tensor(1.0)
            value = value.reshape(
                *value.shape[: value.ndim - 1 - len(subject.space.shape)], *it.batch, *subject.space.shape
            )
        leaves = [scores, scale, loss.coefficients, loss.constant]
        if self.plain_gradients:
            gradients = [*self.of_the_plain_call(), *_gradients(number, leaves[2:])]
        else:
            gradients = _gradients(number, leaves)
        names = ("the scores", "the scale", "the coefficients", "the constant")
        shaped, bounds = dict[str, Tensor](), {"value": bound.expand(value.shape).clone()}
        if (
            it.upstream is Upstream.SUM
            and isinstance(subject, ObjectiveSubject)
            and hasattr(subject.module, "reduction")
        ):
            bounds["value"] = bounds["value"] * it.examples
        for name, gradient in zip(names, gradients, strict=True):
            shaped[name], bounds[name] = self.shaped(name, gradient)
        return Found(value.detach(), shaped), bounds

    def reduced(self, losses: Tensor) -> tuple[Tensor, Tensor]:
        """Of losses ``(samples, n)``, what the objective returns, and what is differentiated."""
        each, it = losses.mean(0), self.it
        if not hasattr(self.subject.module, "reduction") or it.upstream is Upstream.MEAN:
            return each.mean(), each.mean()
        if it.upstream is Upstream.SUM:
            return each.sum(), each.sum()
        number = (each * self.weights()).sum() if it.batch else each.sum()
        return each.reshape(it.batch), number

    def shaped(self, name: str, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """A gradient as the argument is shaped, and what rounding is measured by."""
        it, space = self.it, self.subject.space
        sizes = gradient.abs()
        largest = sizes.max()

        def summed(tensor: Tensor) -> Tensor:
            if name == "the scores":
                return tensor.reshape(*it.batch, *space.shape)
            if name == "the constant":
                return tensor.reshape(it.batch)
            if name == "the coefficients":
                return tensor.reshape(*it.batch, *space.shape)
            if it.scale is Scale.PER_VARIABLE:
                return tensor.reshape(*it.batch, *space.noise_shape)
            if it.scale is Scale.PER_EXAMPLE:
                return tensor.flatten(1).sum(1).reshape(*it.batch, *(1,) * len(space.noise_shape))
            return tensor.sum().reshape((1,) if it.scale is Scale.ONE_ELEMENT else ())

        return summed(gradient), summed(sizes).clamp(min=float(largest))

    def of_the_plain_call(self) -> list[Tensor]:
        """The gradients for scores and scale of a call in float64, for one dimension of examples."""
        subject, given = self.subject, self.given
        module = self.module([given.noise])
        scores, scale = given.scores.clone().requires_grad_(), given.scale.clone().requires_grad_()
        keywords: dict[str, Any] = {"generator": torch.Generator().manual_seed(0), "scale": scale}
        if isinstance(subject, ObjectiveSubject):
            if hasattr(module, "reduction"):
                module.reduction = "none"
            loss = LinearLoss(given.coefficients, self.constant(), event_dims=len(subject.space.shape))
            each = module(scores, loss, **keywords)
            number = self.reduced(each[None])[1] if each.ndim else each
        else:
            number = (module(scores, **keywords) * self.arriving()).sum()
        return _gradients(number, [scores, scale])


def _gradients(number: Tensor, leaves: list[Any]) -> list[Tensor]:
    found = torch.autograd.grad(number, leaves, allow_unused=True) if number.requires_grad else [None] * len(leaves)
    return [torch.zeros_like(leaf) if it is None else it for it, leaf in zip(found, leaves, strict=True)]
