"""Holds one call in one circumstance against its definition."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from attrs import frozen
from torch import Tensor

from structpred.errors import ArgumentError, StructpredError
from structpred.layers.identity import Projection
from structpred.loss import LinearLoss
from structpred.testing.circumstances import default_dtype
from structpred.testing.gradient_laws.arguments import Arguments, Scripted
from structpred.testing.gradient_laws.circumstances import Before, Circumstance, Mode, Scale, Upstream
from structpred.testing.gradient_laws.definitions import Definition
from structpred.testing.gradient_laws.examples import HALF, Examples, examples
from structpred.testing.gradient_laws.expectation import Found, expected
from structpred.testing.gradient_laws.subject import LayerSubject, ObjectiveSubject, Subject
from structpred.testing.law import ViolationError, leaving_settings_alone

_TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-5, torch.float16: 1e-2, torch.bfloat16: 6e-2}
_SMALLEST = {torch.float64: 1e-12, torch.float32: 1e-12, torch.float16: 2.0**-22, torch.bfloat16: 1e-12}


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
        steps = {0.0, *subject.steps(it.epsilon)} if subject.has_a_step else {0.0}
        factor, margin = getattr(subject.module, "factor", 1.0), getattr(subject.module, "margin", False)
        augmented = [factor * perturbed + margin * coefficients] if margin or factor != 1 else []
        return [perturbed + step * coefficients for step in steps] + augmented

    given = examples(subject, it, seed, maxima, outlying=not estimate)
    if given is not None:
        _Call(Arguments(subject, it, given, definition, own_step), estimate or own_step).check()


@frozen(eq=False)
class _Call:
    arguments: Arguments
    plain_gradients: bool

    @property
    def subject(self) -> Subject:
        return self.arguments.subject

    @property
    def it(self) -> Circumstance:
        return self.arguments.it

    @property
    def given(self) -> Examples:
        return self.arguments.given

    @property
    def has_projection(self) -> bool:
        return getattr(self.subject.module, "projection", Projection.NONE) is not Projection.NONE

    def check(self) -> None:
        """Calls, and compares."""
        it = self.it
        before = torch.get_rng_state()
        with default_dtype(it.default):
            got, names = it.where.run(self.got, it.dtype)
        if it.seeded and not torch.equal(torch.get_rng_state(), before):
            raise ViolationError("the global generator moved, although one was given")
        wanted, bounds = expected(self.arguments, plain_gradients=self.plain_gradients)
        tolerance, smallest = _TOLERANCE[it.dtype], _SMALLEST[it.dtype] * min(1.0, self.given.unit)
        if self.plain_gradients and it.dtype in HALF:
            tolerance *= 5  # of a density that may be computed in half precision
        if self.has_projection:  # of scores that are near one another
            finite = self.given.scores.masked_fill(self.given.scores.isinf(), 0)
            tolerance *= 1 + float(finite.abs().max())
            arrived = float(self.arguments.arriving().abs().sum(0).max())  # over the samples
            bounds = {name: bound.clamp(min=arrived) for name, bound in bounds.items()}
        pairs = [("value", got.value, wanted.value, bounds["value"])]
        pairs += [
            (f"the gradient for {name}", got.gradients[name], wanted.gradients[name], bounds[name]) for name in names
        ]
        for what, one, other, bound in pairs:
            if one.shape != other.shape:
                message = f"{what} has another shape, where num_samples was set to {self.it.samples}"
                raise ViolationError(message, got=tuple(one.shape), expected=tuple(other.shape))
            if not ((one - other).abs() <= tolerance * bound + smallest).all():
                raise ViolationError(f"{what} is not that of the definition", got=one, expected=other)

    def got(self) -> tuple[Found, list[str]]:
        """What the call returned, and the names of the gradients that were wanted."""
        it, given, subject = self.it, self.given, self.subject
        shape = (*it.batch, *subject.space.shape)
        noise = given.noise.reshape(it.samples, *it.batch, *subject.space.noise_shape)
        scripts = [noise]
        if it.before in (Before.THE_SAME, Before.OTHER_SCORES, Before.OTHER_NUMBERS_THERE):
            scripts = [noise.flip(0).roll(1, -1), noise]
        elif it.before is Before.ANOTHER_BATCH:
            scripts = [noise.reshape(it.samples, -1, *subject.space.noise_shape)[:, :1], noise]
        elif it.before is Before.IN_BETWEEN:
            scripts = [noise, noise.flip(0).roll(1, -1)]
        module = self.arguments.module(*scripts)
        scores = it.layout.lay(given.scores.reshape(shape).to(it.dtype))
        scale = self.arguments.scale(module)
        loss = self.arguments.loss()
        own = module.scale if self.arguments.has_own_scale and self.it.scale is Scale.OWN_PARAMETER else None
        leaves = self.arguments.leaves(scores, scale if own is None else own, loss)
        with leaving_settings_alone(), self.mode():
            if it.before is Before.REFUSED:
                self.refused(module, given)
            elif it.before is Before.THE_SAME:
                self.gradients(self.call(module, scores, scale, loss)[0], leaves)
            elif it.before is Before.OTHER_SCORES:
                self.call(module, torch.zeros_like(scores), scale, loss)
            elif it.before is Before.OTHER_NUMBERS_THERE:
                with torch.no_grad(), self.other_numbers(scores, scale, loss):
                    self.call(module, scores, scale, loss)
            elif it.before is Before.ANOTHER_BATCH:
                self.another(module, given.scores.roll(1, 0)[:1], given.coefficients.roll(1, 0)[:1])
            value, result = self.call(module, scores, scale, loss)
            if it.before is Before.IN_BETWEEN:
                others = (each.roll(1, 0).reshape(shape) for each in (given.scores, given.coefficients))
                self.another(module, *others)
                if hasattr(module, "eval"):  # where what was trained is validated before its backward pass
                    module.eval()
            gradients = self.gradients(value, leaves, twice=True)
        self.expect_as_before(scores, given.scores.reshape(shape).to(it.dtype), loss)
        if subject.noise is not None and isinstance(module.noise, Scripted):
            shapes = [] if self.arguments.is_quiet else [tuple(script.shape) for script in scripts]
            if module.noise.taken != shapes:
                message = "other samples of noise are drawn; their shapes"
                raise ViolationError(message, got=module.noise.taken, expected=shapes)
        found = {
            name: torch.zeros_like(leaf).double() if gradient is None else self.laid_out(name, gradient, leaf)
            for (name, leaf), gradient in zip(leaves.items(), gradients, strict=True)
        }
        promoted = it.scale is Scale.DOUBLE and result.dtype is torch.float64  # as torch promotes scale * noise
        if isinstance(subject, LayerSubject) and result.dtype is not scores.dtype and not promoted:
            raise ViolationError("the structures have another dtype", got=result.dtype, expected=scores.dtype)
        return Found(result.detach().double(), found), list(found)

    @contextlib.contextmanager
    def mode(self) -> Iterator[None]:
        context = {Mode.NO_GRAD: torch.no_grad, Mode.INFERENCE: torch.inference_mode}
        with context.get(self.it.mode, contextlib.nullcontext)():
            yield

    def call(
        self, module: Any, scores: Tensor, scale: Tensor | float | None, loss: LinearLoss
    ) -> tuple[Tensor, Tensor]:
        """A number to differentiate, and what the module returned."""
        keywords: dict[str, Any] = {"generator": self.arguments.generator(0)}
        if scale is not None:
            keywords["scale"] = scale
        if isinstance(self.subject, ObjectiveSubject):
            result = module(scores, loss, **keywords)
            if self.it.upstream is not Upstream.WEIGHTED or not result.ndim:
                return result, result
            return (result * self.like(result, self.arguments.weights())).sum(), result
        result = module(scores, **keywords)
        arriving = self.like(result, self.arguments.arriving())
        if self.it.upstream is Upstream.WEIGHTED and self.arguments.is_shared:  # what arrives is expanded
            shape = self.subject.space.shape
            return (result.reshape(-1, *shape).sum(0) * arriving.reshape(-1, *shape)[0]).sum(), result
        if self.it.upstream is Upstream.SUM:  # what arrives is not contiguous
            return (result.movedim(-1, 0) * arriving.movedim(-1, 0).contiguous()).sum(), result
        return (result * arriving).sum(), result

    def like(self, result: Tensor, numbers: Tensor) -> Tensor:
        """The numbers in the result's shape and dtype."""
        if result.numel() != numbers.numel():
            message = f"in mode {self.it.mode.name}, another shape is returned"
            raise ViolationError(message, got=tuple(result.shape), expected=f"{numbers.numel()} entries")
        return numbers.reshape(result.shape).to(result.dtype)

    @contextlib.contextmanager
    def other_numbers(self, scores: Tensor, scale: Tensor | float | None, loss: LinearLoss) -> Iterator[None]:
        """Inside, these have other numbers in the same memory; the same parts are forbidden."""
        kept = [(scores, scores.clone(), -1), (loss.coefficients, loss.coefficients.clone(), -1)]
        if isinstance(scale, Tensor):
            kept.append((scale, scale.clone(), 2))
        for tensor, own, factor in kept:
            tensor.copy_(own.where(own.isneginf(), factor * own))
        yield
        for tensor, own, _ in kept:
            tensor.copy_(own)

    def another(self, module: Any, others: Tensor, coefficients: Tensor) -> None:
        """A call for other examples, with the sign of their loss turned."""
        scores = others.to(self.it.dtype)
        keywords: dict[str, Any] = {"generator": self.arguments.generator(1)}
        if self.subject.noise is not None:  # where the module has a scale of its own, one for this call alone
            keywords["scale"] = 3.0 if self.arguments.has_own_scale else torch.ones((), dtype=self.it.dtype)
        if isinstance(self.subject, ObjectiveSubject):
            module(scores, LinearLoss(-coefficients, event_dims=len(self.subject.space.shape)), **keywords)
        else:
            module(scores, **keywords)

    def refused(self, module: Any, given: Examples) -> None:
        """A call in which every part is forbidden, where the space has no structure without parts."""
        batch = (*self.it.batch, *self.subject.space.shape)
        with contextlib.suppress(StructpredError):
            self.another(module, torch.full(batch, -torch.inf), given.coefficients.reshape(batch))
        if isinstance(getattr(module, "noise", None), Scripted):
            module.noise.taken.clear()

    def gradients(self, value: Tensor, leaves: dict[str, Tensor], *, twice: bool = False) -> list[Tensor | None]:
        """One for each leaf. With ``twice``, a further backward pass has the same: only where nothing is tied.

        That one is to be differentiated again, as far as it can be. Before both, another number arrives.
        """
        if not leaves:
            return []
        if not value.requires_grad:
            raise ViolationError("no gradient reaches", got="a constant", expected=" or ".join(leaves))
        again = twice and not self.subject.keeps_a_state  # else its policy may take another step
        earlier: list[tuple[Tensor, Tensor]] = []
        if again:
            others = torch.autograd.grad(
                value, list(leaves.values()), value.new_tensor(-2), allow_unused=True, retain_graph=True
            )
            earlier = [(it, it.clone()) for it in others if it is not None]
        found = torch.autograd.grad(value, list(leaves.values()), allow_unused=True, retain_graph=again)
        for name, it in zip(leaves, found, strict=True):
            if it is not None and it.isnan().any():
                raise ViolationError(f"the gradient for {name} has NaN", got=it, expected="numbers")
        if not again:
            return list(found)
        once_more = torch.autograd.grad(value, list(leaves.values()), allow_unused=True, create_graph=True)
        for gradient, as_it_was in earlier:
            if not torch.equal(gradient, as_it_was):
                message = "a later backward pass wrote into an earlier gradient"
                raise ViolationError(message, got=gradient, expected=as_it_was)
        for name, one, other in zip(leaves, found, once_more, strict=True):
            if one is not None and other is not None and not torch.equal(one, other):
                raise ViolationError(f"a second backward pass has another gradient for {name}", got=other, expected=one)
        return list(found)

    def laid_out(self, name: str, gradient: Tensor, leaf: Tensor) -> Tensor:
        if gradient.dtype != leaf.dtype:
            raise ViolationError(f"the gradient for {name} has another dtype", got=gradient.dtype, expected=leaf.dtype)
        return gradient.double()

    def expect_as_before(self, scores: Tensor, before: Tensor, loss: LinearLoss) -> None:
        if not torch.equal(scores.detach(), before):
            raise ViolationError("the scores were changed", got=scores.detach(), expected=before)
        if not torch.equal(loss.coefficients.detach().double(), self.arguments.loss().coefficients.double()):
            raise ViolationError("the coefficients of the loss were changed", got=loss.coefficients.detach())
