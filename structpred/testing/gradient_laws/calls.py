"""How objectives and layers alike may be called: their noise, their place in a larger graph, types, forbidden parts."""

from __future__ import annotations

import copy
import gc
import itertools
import pickle
import time
import warnings
from typing import Any

import attrs
import torch
from torch import Tensor

from structpred.errors import ZeroGradientWarning
from structpred.loss import LinearLoss
from structpred.noise import Noise
from structpred.testing.clock import Clock
from structpred.testing.gradient_laws.case import Case, cases
from structpred.testing.gradient_laws.subject import Subject
from structpred.testing.law import ViolationError, law
from structpred.testing.memory import forgetting_what_there_is, live_tensors
from structpred.testing.oracles import first
from structpred.testing.strategies import SMALLEST

_MANY, _FEW = 64, 16
_CALLS = 120
_CALLS_BEFORE = 150  # a cache of as many as 128 answers is no leak
_WINDOWS, _CALLS_OF_A_WINDOW = 3, 10
_MOST_SECONDS = 2.0
_OWN_SCALE = 0.7  # which no coarser dtype holds


@attrs.frozen
class _Zero(Noise):
    """Draws of 0 from a density that is known and positive everywhere, as some objectives ask for."""

    @property
    def variance(self) -> float:
        return 1.0

    def _fill(self, draws: Tensor, generator: torch.Generator | None) -> Tensor:
        return draws.zero_()

    def log_prob(self, value: Tensor) -> Tensor:
        return torch.zeros_like(value)


def _noisy(subject: Subject) -> str | None:
    return "only with noise" if subject.noise is None else None


def _has_modes(subject: Subject) -> str | None:
    return None if hasattr(subject.module, "eval") else "only for what has a method eval, as a torch module does"


@law(needs=_noisy, case=cases)
def noise_is_drawn_once(subject: Subject, case: Case) -> None:
    """A call and its backward pass see the same noise: one sample of shape (num_samples, *batch, *noise_shape)."""
    module, noise = subject.recording(case)
    assert noise is not None
    value, _ = subject.value(module, case, case.scores.clone().requires_grad_(), case.scale)
    value.backward()
    got, expected = (
        [tuple(draw.shape) for draw in noise.draws],
        [(case.num_samples or 1, *case.scores.shape[:1], *subject.space.noise_shape)],
    )
    if got != expected:
        raise ViolationError("other noise is drawn; the shapes of the samples", got=got, expected=expected)


@law(case=cases)
def a_generator_repeats_the_call(subject: Subject, case: Case) -> None:
    """Generators of equal state give equal values and gradients, and the global generator is left alone."""
    before = torch.get_rng_state()
    one, other = subject.call(case), subject.call(case)
    if not torch.equal(torch.get_rng_state(), before):
        raise ViolationError("the global generator moved, although one was given")
    for name in ("value", "for_scores", "for_scale"):
        got, expected = getattr(other, name), getattr(one, name)
        if not torch.equal(got, expected):
            raise ViolationError(f"another call with an equal generator: {name} differs", got=got, expected=expected)
    if subject.noise is not None:
        own = subject.call(case, noise=subject.noise)
        if not torch.equal(own.value, one.value):
            message = "with noise that records its draws, the value is another than with the noise itself"
            raise ViolationError(message, got=own.value.item(), expected=one.value.item())


@law(needs=_noisy, case=cases)
def noise_is_new_at_every_call(subject: Subject, case: Case) -> None:
    """Two calls draw other noise, with a generator that both are given as with torch's own, which a seed repeats."""
    with torch.random.fork_rng(devices=[]):
        for what, given in (("one generator", torch.Generator().manual_seed(case.seed)), ("torch's generator", None)):
            module, noise = subject.recording(case)
            assert noise is not None
            keywords = subject.keywords(case.seed, case.scale) | {"generator": given}
            for _ in range(2):
                subject.value(module, case, case.scores, case.scale, keywords=keywords)
            one, other = (*noise.draws, None, None)[:2]
            if one is None or other is None or torch.equal(one, other):
                raise ViolationError(f"two calls with {what} see the same noise", got=other, expected="other draws")
            for dim in range(1 + case.scores.ndim - len(subject.space.shape)):
                if one.shape[dim] > 1 and torch.equal(one.select(dim, 0), one.select(dim, 1)):
                    raise ViolationError("two samples or examples have the same noise", got=one)
        repeated = []
        for _ in range(2):
            module, noise = subject.recording(case)
            torch.manual_seed(case.seed)
            keywords = subject.keywords(case.seed, case.scale) | {"generator": None}
            repeated.append(subject.value(module, case, case.scores, case.scale, keywords=keywords)[0])
    if not torch.equal(*repeated):
        message = "after equal torch.manual_seed, two calls differ"
        raise ViolationError(message, got=repeated[1], expected=repeated[0])


@law()
def later_calls_keep_nothing(subject: Subject, *, seed: int = 0) -> None:
    """After some calls and backward passes of one module, further ones keep no more tensors, of the graph or not.

    In eval mode and training mode by turns.
    """
    case = _plain_case(subject, seed)
    module = subject.with_own_noise(case)
    has_modes = hasattr(module, "eval")

    def call() -> None:
        if has_modes:
            with torch.no_grad():
                subject.value(module.eval(), case, case.scores, case.scale)
            module.train()
        leaves = case.scores.clone().requires_grad_(), case.scale.clone().requires_grad_()
        torch.autograd.grad(subject.value(module, case, *leaves)[0], leaves, allow_unused=True)

    live, spent = list[int](), Clock()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ZeroGradientWarning)
        for _ in range(_CALLS_BEFORE):
            call()
            if spent() > _MOST_SECONDS:  # of a slow solver
                return
        with forgetting_what_there_is():
            for _ in range(1 + _WINDOWS):
                for _ in range(_CALLS_OF_A_WINDOW):
                    call()
                gc.collect()
                live.append(live_tensors())
    kept = min(later - sooner for sooner, later in itertools.pairwise(live)) / _CALLS_OF_A_WINDOW
    if kept > 0.5:
        raise ViolationError("tensors are kept, for each call", got=f"{kept:g}", expected="none")


@law(case=cases)
def stored_modules_answer_alike(subject: Subject, case: Case) -> None:
    """A module that was pickled, where it can be, has the values and gradients of the one that it was made from."""
    module = subject.with_own_noise(case)
    try:
        again = pickle.loads(pickle.dumps(module))
        stored = pickle.loads(pickle.dumps(copy.deepcopy(module).eval())) if hasattr(module, "eval") else None
    except Exception:  # a lambda within it, say
        return
    if getattr(stored, "training", False):
        raise ViolationError("a module that was pickled after .eval() is in training mode", got=stored)
    for reduction in ("sum", "none") if hasattr(module, "reduction") else ():
        got = pickle.loads(pickle.dumps(subject.variant(reduction=reduction))).reduction
        if got != reduction:
            raise ViolationError("a module that was pickled has another reduction", got=got, expected=reduction)
    if subject.noise is not None and isinstance(getattr(module, "scale", None), float):
        own = subject.variant(scale=_OWN_SCALE, num_samples=case.num_samples)
        values = [
            subject.value(it, case, case.scores, case.scale, keywords={"generator": _seeded(case)})[0]
            for it in (own, pickle.loads(pickle.dumps(own)))
        ]
        expect_close(values[1], values[0], "of a pickled module with a scale of its own, the value is another")
    found = []
    for it in (module, again):
        scores, scale = case.scores.clone().requires_grad_(), case.scale.clone().requires_grad_()
        value, _ = subject.value(it, case, scores, scale)
        gradients = torch.autograd.grad(value, [scores, scale], allow_unused=True)
        found.append([value.detach(), *(torch.zeros(()) if it is None else it for it in gradients)])
    names = "the value", "the gradient for the scores", "the gradient for the scale"
    for what, expected, got in zip(names, *found, strict=True):
        expect_close(got, expected, f"of a pickled module, {what} is another")


def _seeded(case: Case) -> torch.Generator:
    return torch.Generator().manual_seed(case.seed)


def _plain_case(subject: Subject, seed: int) -> Case:
    generator, shape = torch.Generator().manual_seed(seed), (_FEW, *subject.space.shape)
    scores, coefficients = (torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(2))
    loss = LinearLoss(coefficients, event_dims=len(subject.space.shape), best=subject.space.argmax(-coefficients))
    scale = torch.tensor(0.5, dtype=torch.float64)
    return Case(scores, scale, loss, num_samples=subject.sample_counts[-1], epsilon=-1.0, seed=seed)


@law()
def later_calls_are_as_the_first(subject: Subject, *, seed: int = 0) -> None:
    """After a hundred calls and backward passes of one module, equal arguments have equal values and gradients.

    Between them it is validated, now and then: called in eval mode, without gradients, and set back.
    """
    case = _plain_case(subject, seed)
    # A policy with a state may take another step at each call.
    module, _ = subject.recording(case, **({"epsilon": case.epsilon} if subject.has_a_step else {}))

    def call() -> tuple[Tensor, ...]:
        leaves = case.scores.clone().requires_grad_(), case.scale.clone().requires_grad_()
        value, _ = subject.value(module, case, *leaves)
        found = torch.autograd.grad(value, leaves, allow_unused=True)
        return value.detach(), *(torch.zeros(()) if it is None else it for it in found)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ZeroGradientWarning)
        first, started = call(), time.process_time()
        for count in range(2, _CALLS + 2):
            if count % 2 and hasattr(module, "eval"):
                with torch.no_grad():
                    subject.value(module.eval(), case, case.scores, case.scale)
                module.train()
            names = "the value", "the gradient for the scores", "the gradient for the scale"
            for what, got, expected in zip(names, call(), first, strict=True):
                if not torch.equal(got, expected):
                    raise ViolationError(f"in call {count}, {what} is another", got=got, expected=expected)
            if time.process_time() - started > _MOST_SECONDS:
                return


@law(needs=_has_modes, case=cases)
def eval_mode_is_without_noise(subject: Subject, case: Case) -> None:
    """After ``.eval()`` no noise is drawn, and the result is that of training mode under noise of 0.

    Of scores from near 0 to large, so that no noise is so small or large that it changes nothing, and of others that
    only float64 tells apart; for a new module and after a call in training mode. Back in training mode, there is noise
    again. Either mode may be set twice.
    """
    shape = (_MANY, *subject.space.shape)
    sizes = 2.0 ** torch.linspace(-12, 4, _MANY, dtype=torch.float64)
    random = case.direction(torch.zeros(shape, dtype=torch.float64), 5)
    fine = 1 + SMALLEST * random.flatten(1).argsort(1).argsort(1).reshape(shape).double()
    scores = torch.cat([random * sizes.reshape(-1, *(1,) * (len(shape) - 1)), fine])[::2]
    coefficients = case.direction(scores, 6)
    loss = LinearLoss(coefficients, event_dims=len(subject.space.shape), best=subject.space.argmax(-coefficients))
    scale = case.scale.flatten()[0]
    case = attrs.evolve(case, scores=scores, loss=loss, scale=scale)
    quiet = {} if subject.noise is None else {"noise": _Zero()}
    expected, plain = subject.value(subject.recording(case, **quiet)[0].train(), case, scores, scale)
    for sets, was_trained in ((_as_its_parent_does, False), (lambda module: module.eval().eval(), True)):
        module, noise = subject.recording(case)
        if was_trained:
            subject.value(module, case, scores, scale)
        draws = [] if noise is None else noise.draws
        draws.clear()
        sets(module)
        got, y = subject.value(module, case, scores, scale)
        if draws:
            drawn = [tuple(it.shape) for it in draws]
            raise ViolationError("noise is drawn; the shapes of the samples", got=drawn)
        if y is not None and plain is not None:
            got, expected = y, plain if plain.ndim == scores.ndim else plain[:1]  # equal without noise
        expect_close(got, expected, "the result differs from that under noise of 0")
    subject.value(module.train().train(), case, scores, scale)
    if noise is not None and not draws:
        raise ViolationError("back in training mode, no noise is drawn", got=[], expected="one sample")


def _as_its_parent_does(module: Any) -> None:
    """Sets eval mode by the method that a module around it calls; by its own where it is no torch module."""
    if isinstance(module, torch.nn.Module):
        module.train(False)
    else:
        module.eval()


@law(case=cases)
def what_comes_before_receives_the_gradients(subject: Subject, case: Case) -> None:
    """Scores that are twice a tensor, and a scale that is the exponential of one, hand their gradients on to it."""
    plain = subject.call(case)
    before, log_scale = (case.scores / 2).requires_grad_(), case.scale.log().requires_grad_()
    module, _ = subject.recording(case)
    value, _ = subject.value(module, case, 2 * before, log_scale.exp())
    for_before, for_log = torch.autograd.grad(value, [before, log_scale], allow_unused=True)
    expect_close(for_before, 2 * plain.for_scores, "the gradient for scores / 2 differs")
    for_log = torch.zeros_like(log_scale) if for_log is None else for_log
    expect_close(for_log, case.scale * plain.for_scale, "the gradient for log(scale) differs")


@law(case=cases)
def forbidden_parts_have_no_gradient(subject: Subject, case: Case) -> None:
    """A part whose score is -inf has gradient 0, and every gradient is finite."""
    kept = subject.space.argmax(case.scores) != 0
    if case.loss.best is not None:
        kept = kept | (case.loss.best != 0)
    masked = case.scores.masked_fill((case.direction(case.scores) < 0) & ~kept, -torch.inf)
    at = subject.call(attrs.evolve(case, scores=masked))
    if not (at.value.isfinite() and at.for_scores.isfinite().all() and at.for_scale.isfinite().all()):
        raise ViolationError(
            "not finite", scores=masked, got=at.for_scores, for_scale=at.for_scale, value=at.value.item()
        )
    for index in first((masked.isneginf() & (at.for_scores != 0)).flatten(1).any(1)):
        raise ViolationError("a forbidden part has a gradient", scores=masked[index], got=at.for_scores[index])


@law(case=cases)
def gradients_keep_dtype_and_shape(subject: Subject, case: Case) -> None:
    """Gradients have the dtype and shape of scores and scale, and structures the dtype; half precision trains too."""
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        at = subject.call(attrs.evolve(case, scores=case.scores.to(dtype), scale=case.scale.to(dtype)))
        got = [at.for_scores.dtype, at.for_scale.dtype, at.for_scores.shape, at.for_scale.shape, at.value.shape]
        expected = [dtype, dtype, case.scores.shape, case.scale.shape, torch.Size()]
        if at.y is not None:
            got, expected = [*got, at.y.dtype], [*expected, dtype]
        if got != expected:
            raise ViolationError("other dtypes or shapes", got=got, expected=expected)


@law(case=cases)
def arguments_are_left_alone(subject: Subject, case: Case) -> None:
    """The call and its backward pass change neither scores nor scale nor the loss."""
    given = {"scores": case.scores, "scale": case.scale, "loss.coefficients": case.loss.coefficients}
    given |= {f"loss.{name}": it for name in ("constant", "best") if isinstance(it := getattr(case.loss, name), Tensor)}
    before = {name: tensor.clone() for name, tensor in given.items()}
    required = {name: tensor.requires_grad for name, tensor in given.items()}
    module, _ = subject.recording(case)
    leaf = case.scores.detach().requires_grad_()  # of the same memory
    leaf.grad = torch.ones_like(leaf)
    value, _ = subject.value(module, case, leaf, case.scale)
    if leaf.grad is None or not (leaf.grad == 1).all():
        raise ViolationError("the call changed the gradient that the scores had", got=leaf.grad, expected="ones")
    value.backward()
    for name, tensor in given.items():
        if not torch.equal(tensor, before[name]):
            raise ViolationError(f"{name} was changed", got=tensor, expected=before[name])
        if tensor.requires_grad != required[name]:
            raise ViolationError(f"{name} requires grad now, or no longer", got=tensor.requires_grad)


def expect_close(got: Tensor, expected: Tensor, message: str) -> None:
    """Raises ``ViolationError`` unless two tensors are equal but for rounding."""
    if got.shape != expected.shape or not torch.allclose(got, expected, rtol=1e-9, atol=1e-9):
        raise ViolationError(message, got=got, expected=expected)
