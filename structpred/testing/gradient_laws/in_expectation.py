"""What holds in the mean over draws: the direct gradient tends to that of the expected loss (Corollaries 2 and 3).

For every step epsilon, not only in the limit, the mean direct gradient is the gradient of the expected loss,
averaged over the places between the two ends of the step: the expected maximum has the expected loss as its
derivative along the step. So independent references are exact at any step, and tests need no small bias.

Every law here compares means of ``draws`` independent draws, by a z-test that also allows for rare events: with the
margin of the empirical Bernstein bound (Maurer & Pontil 2009, Theorem 4), which holds at any sample size for
bounded variables. Or it is a chi-square test. A law raises a false alarm with probability 1e-7 at most for
gradients in the scores, which are bounded; for those in sigma, and for the score function's estimates, the
largest draw stands for the bound.
"""

from __future__ import annotations

import math
import time

import torch
from torch import Tensor

from structpred.loss import LinearLoss
from structpred.noise import Gumbel
from structpred.testing.gradient_laws.subject import DirectGradient
from structpred.testing.law import ViolationError, law
from structpred.testing.oracles import can_enumerate, structures_of
from structpred.testing.quadrature import OneHotExpectation, edges_of_support

_FALSE_ALARM = 1e-7
_PROJECTIONS = 8  # in random directions
_PROBLEM = 11  # one problem for all seeds, where biases are large and already fall as they do in the limit
_SIGMAS = (0.1, 0.5, 1.0, 3.0, 10.0)  # of the chi-square tests
_LEAST_EXPECTED = 500  # draws in a cell of the chi-square test
_MOST_NUMBERS = 20_000_000  # in a sample: large spaces get fewer draws
_LEAST_DRAWS = 1_000
_SECONDS = 4.0  # of solving, for a law
_SOLVES_A_DRAW = 7
_MOST_PARTS = 50  # for quadrature


def _on_the_whole_line(subject: DirectGradient) -> str | None:
    """The score function estimate differentiates the density alone: it would miss the edges of a support."""
    try:
        edges = edges_of_support(subject.noise)
    except NotImplementedError:
        return "the noise does not give log_prob"
    return f"the density of the noise has edges, at {edges}" if edges else None


def _one_hot(subject: DirectGradient) -> str | None:
    """Structures are single parts, and each part is a variable: there, expectations are integrals over one draw."""
    space = subject.space
    if not can_enumerate(space):
        return "only for spaces of single parts that enumerate"
    structures = structures_of(space).flatten(1)
    if structures.shape[1] > _MOST_PARTS:
        return f"only for up to {_MOST_PARTS} parts"
    if len(structures) != structures.shape[1] or len(structures) < 2 or not (structures.sum(1) == 1).all():
        return "only where every structure is a single part"
    probe = torch.arange(math.prod(space.shape), dtype=torch.float64).reshape(space.shape)
    if space.noise_shape != space.shape or not torch.equal(space.spread(probe), probe):
        return "only where every part is a variable"
    return None


def _one_hot_with_known_noise(subject: DirectGradient) -> str | None:
    try:
        zero = torch.zeros(1)
        subject.noise.log_prob(zero), subject.noise.cdf(zero)
    except NotImplementedError:
        return "the noise does not give log_prob and cdf"
    return _one_hot(subject)


def _one_hot_with_gumbel_noise(subject: DirectGradient) -> str | None:
    return _one_hot(subject) if isinstance(subject.noise, Gumbel) else "only for Gumbel noise"


class _Problem:
    """Scores, one scale and a loss in generic position, of sizes at which every structure has its chance."""

    def __init__(self, subject: DirectGradient, draws: int, seed: int) -> None:
        self.subject = subject
        self.seed = seed
        generator = torch.Generator().manual_seed(_PROBLEM)
        shape = subject.space.shape
        self.scores = 2 * torch.rand(shape, generator=generator, dtype=torch.float64) - 1
        self.costs = 4 * torch.rand(shape, generator=generator, dtype=torch.float64) - 2
        self.generator = torch.Generator().manual_seed(seed)
        self.sigma = 0.8 / math.sqrt(subject.noise.variance)
        self.draws = max(_LEAST_DRAWS, min(draws, _MOST_NUMBERS // math.prod(shape), self._in_time()))

    def _in_time(self) -> int:
        """How many draws a slow solver can take: fewer cost a law some of its power, and none of its truth."""
        self.subject.space.argmax(self.scores)  # a first call may load a solver
        started = time.perf_counter()
        self.subject.space.argmax(self.scores.expand(_LEAST_DRAWS, *self.scores.shape))
        return int(_SECONDS * _LEAST_DRAWS / (_SOLVES_A_DRAW * (time.perf_counter() - started)))

    def direct_gradients(self, epsilon: float, draws: int | None = None) -> tuple[Tensor, Tensor]:
        """Of every draw, for scores ``(draws, *shape)`` and for sigma ``(draws,)``, from one call of the objective."""
        space, draws = self.subject.space, draws or self.draws
        scores = self.scores.expand(draws, *space.shape).clone().requires_grad_()
        scale = torch.full((draws, *(1,) * len(space.noise_shape)), self.sigma, dtype=torch.float64).requires_grad_()
        loss = LinearLoss(self.costs.expand(draws, *space.shape), event_dims=len(space.shape))
        value = self.subject.make(epsilon, 1, self.subject.noise)(scores, loss, scale=scale, generator=self.generator)
        for_scores, for_scale = torch.autograd.grad(draws * value, [scores, scale])  # value is a mean
        return for_scores, for_scale.reshape(draws)

    def score_function_gradients(self, epsilon: float) -> tuple[Tensor, Tensor]:
        """Another estimate of the same means, from the density alone, for shifts of the variables and for sigma.

        ``loss(y) * d log density``, at places spread evenly over the step; no difference of structures occurs.
        """
        space, noise, draws = self.subject.space, self.subject.noise, self.draws
        gamma = noise.sample((draws, *space.noise_shape), dtype=torch.float64, generator=self.generator)
        gamma.requires_grad_()
        (slope,) = torch.autograd.grad(noise.log_prob(gamma).sum(), gamma)  # (draws, *noise_shape)
        gamma = gamma.detach()
        low, high = self.subject.steps(epsilon)
        place = low + (high - low) * torch.rand(draws, generator=self.generator, dtype=torch.float64)
        place = place.reshape(draws, *(1,) * len(space.shape))
        with torch.no_grad():
            y = space.argmax(self.scores + space.spread(self.sigma * gamma) + place * self.costs)
            baseline = (self.costs * space.argmax(self.scores)).sum()  # changes no mean, lowers the variance
            loss = (self.costs * y).flatten(1).sum(1) - baseline
        for_shifts = -slope * loss.reshape(draws, *(1,) * len(space.noise_shape)) / self.sigma
        for_sigma = loss * (-slope * gamma - 1).flatten(1).sum(1) / self.sigma
        return for_shifts, for_sigma

    def reach(self, epsilon: float) -> float:
        """How far the gradients of two draws for one part can lie from each other."""
        low, high = self.subject.steps(epsilon)
        return 2 / abs(high - low)

    def on_shifts(self, for_scores: Tensor) -> Tensor:
        """Of gradients for scores, those for shifts of variables: ``(draws, *shape) -> (draws, *noise_shape)``."""
        shifts = torch.zeros(len(for_scores), *self.subject.space.noise_shape, dtype=torch.float64, requires_grad=True)
        spread = self.subject.space.spread(shifts)
        (adjoint,) = torch.autograd.grad(spread, shifts, for_scores)
        return adjoint

    def directions(self, epsilon: float) -> Tensor:
        """Along which gradients for shifts are compared: ``(variables, directions)``.

        Along random ones: where two means differ, so do their projections, with probability one. And along the
        direct gradient itself, from draws of its own: nowhere does a wrong sign or factor show as well.
        """
        for_scores, _ = self.direct_gradients(epsilon, self.draws // 4)
        along = self.on_shifts(for_scores).mean(0).flatten()
        around = torch.randn(len(along), _PROJECTIONS, generator=self.generator, dtype=torch.float64)
        return torch.cat([along[:, None] / along.norm().clamp(min=1e-12), around], 1)


@law(needs=_on_the_whole_line)
def mean_gradient_equals_the_score_function_estimate(
    subject: DirectGradient, *, draws: int = 40_000, seed: int = 0
) -> None:
    """In the mean, the gradients are those of the expected loss, as the score function estimates them (Corollary 2)."""
    problem = _Problem(subject, draws, seed)
    for epsilon in (-1.0, 0.25):
        for_scores, for_sigma = problem.direct_gradients(epsilon)
        for_shifts, other_for_sigma = problem.score_function_gradients(epsilon)
        directions = problem.directions(epsilon)
        got, expected = problem.on_shifts(for_scores).flatten(1) @ directions, for_shifts.flatten(1) @ directions
        widest = problem.reach(epsilon) * directions.abs().amax(0)
        _expect_equal_means(got, expected, widest, f"epsilon {epsilon}: projected gradients for the scores", seed)
        reach = problem.reach(epsilon) * math.sqrt(subject.noise.variance)
        _expect_equal_means(for_sigma[:, None], other_for_sigma[:, None], reach, f"epsilon {epsilon}: for sigma", seed)


@law(needs=_one_hot_with_gumbel_noise)
def mean_gradient_equals_the_closed_form(subject: DirectGradient, *, draws: int = 40_000, seed: int = 0) -> None:
    """For single parts and Gumbel noise, E max = sigma logsumexp(scores / sigma) gives the means (Corollary 2)."""
    problem = _Problem(subject, draws, seed)
    for epsilon in (-1.0, 0.5):
        scores, sigma = problem.scores.clone().requires_grad_(), torch.tensor(problem.sigma, dtype=torch.float64)
        sigma.requires_grad_()
        low, high = (
            sigma * ((scores + step * problem.costs) / sigma).flatten().logsumexp(0) for step in subject.steps(epsilon)
        )
        width = subject.steps(epsilon)[1] - subject.steps(epsilon)[0]
        for_scores, for_sigma = torch.autograd.grad((high - low) / width, [scores, sigma])
        _expect_means(problem, epsilon, (for_scores, for_sigma))


@law(needs=_one_hot_with_known_noise)
def mean_gradient_equals_the_quadrature(subject: DirectGradient, *, draws: int = 40_000, seed: int = 0) -> None:
    """For single parts under any noise with density and distribution function, quadrature gives the mean gradients."""
    problem = _Problem(subject, draws, seed)
    exact = OneHotExpectation(subject.noise, problem.sigma)
    for epsilon in (-1.0, 0.5):
        expected = exact.direct_gradient(problem.scores, problem.costs, *subject.steps(epsilon))
        _expect_means(problem, epsilon, expected)


@law(needs=_one_hot_with_known_noise)
def bias_falls_with_epsilon(subject: DirectGradient, *, draws: int = 40_000, seed: int = 0) -> None:
    """The bias falls like epsilon, and like its square for the central form: half the step, half or a quarter of it."""
    problem = _Problem(subject, draws, seed)
    exact = OneHotExpectation(subject.noise, problem.sigma)
    limit, _ = exact.direct_gradient(problem.scores, problem.costs, -1e-3, 1e-3)
    order = 2 if subject.central else 1
    near, _ = exact.direct_gradient(problem.scores, problem.costs, *subject.steps(0.05))
    leading = (near - limit) / 0.05**order  # the bias is leading * epsilon^order, for small epsilon
    for epsilon in (1.0, 0.5):
        for_scores, _ = problem.direct_gradients(epsilon)
        got = ((for_scores - limit) * leading).flatten(1).sum(1) / leading.norm()  # (draws,)
        expected, _ = exact.direct_gradient(problem.scores, problem.costs, *subject.steps(epsilon))
        bias = ((expected - limit) * leading).sum() / leading.norm()
        _expect_equal_means(got[:, None], bias[None], problem.reach(epsilon), f"bias at epsilon {epsilon}", seed)


@law(needs=_one_hot_with_gumbel_noise)
def frequencies_are_those_of_the_softmax(subject: DirectGradient, *, draws: int = 40_000, seed: int = 0) -> None:
    """Where Gumbel noise is on every structure, one is best with probability exp(score / sigma) / Z (Corollary 3)."""
    space = subject.space
    for sigma in _SIGMAS:
        problem = _Problem(subject, draws, seed)
        scores = 2 * sigma * problem.scores
        noise = subject.noise.sample((problem.draws, *space.shape), dtype=torch.float64, generator=problem.generator)
        counts = space.argmax(scores + sigma * noise).double().flatten(1).sum(0)
        expected = problem.draws * (scores / sigma).flatten().softmax(0)
        alarm = chi_square_tail(counts, expected)
        if not alarm > _FALSE_ALARM / len(_SIGMAS):
            raise ViolationError(
                f"sigma {sigma}: the chi-square test gives this draw a probability of {alarm:.1e}", seed=seed,
                got=counts, expected=expected,
            )  # fmt: skip


def chi_square_tail(counts: Tensor, expected: Tensor) -> float:
    """The probability of counts that fit worse, with small cells put together until the approximation holds."""
    cells = torch.zeros(2, 1, dtype=torch.float64)
    for pair in torch.stack([counts, expected])[:, expected.argsort()].T:
        if cells[1, -1] >= _LEAST_EXPECTED:
            cells = torch.cat([cells, pair[:, None]], 1)
        else:
            cells[:, -1] += pair
    got, wanted = cells
    statistic = ((got - wanted).square() / wanted).sum()
    freedom = len(wanted) - 1
    return float(torch.special.gammaincc(torch.tensor(freedom / 2), statistic / 2)) if freedom else 1.0


def _expect_means(problem: _Problem, epsilon: float, expected: tuple[Tensor, Tensor]) -> None:
    for_scores, for_sigma = problem.direct_gradients(epsilon)
    directions = problem.directions(epsilon)  # each part is a variable here
    got, exact = for_scores.flatten(1) @ directions, expected[0].flatten() @ directions
    reach, where = problem.reach(epsilon), f"epsilon {epsilon}"
    widest = reach * directions.abs().amax(0)
    _expect_equal_means(got, exact, widest, f"{where}: projected gradients for the scores", problem.seed)
    reach *= math.sqrt(problem.subject.noise.variance)
    _expect_equal_means(for_sigma[:, None], expected[1][None], reach, f"{where}: for sigma", problem.seed)


def _expect_equal_means(got: Tensor, expected: Tensor, reach: Tensor | float, what: str, seed: int) -> None:
    """Compares the means of the columns of ``got (draws, m)`` with numbers ``(m,)``, or with those of ``(draws, m)``.

    ``reach`` says how far one draw can lie from another: it counts where so few draws differ that none did.
    """
    is_sample = expected.ndim == 2
    mean = expected.mean(0) if is_sample else expected
    margin = _margin(got, reach) + (_margin(expected, reach) if is_sample else 0.0)
    excess = (got.mean(0) - mean).abs() / margin
    if not excess.max() <= 1:
        raise ViolationError(
            f"{what}: the mean of {len(got)} draws is off by {excess.max():.1f} times what chance allows",
            seed=seed, got=got.mean(0), expected=mean, margin=margin,
        )  # fmt: skip


def _margin(sample: Tensor, reach: Tensor | float) -> Tensor:
    """How far the means of the columns lie from their expectations, but for once in ``1 / _FALSE_ALARM`` laws."""
    draws, columns = sample.shape
    tests = 8 * columns  # a law compares at most four pairs of samples
    confidence = math.log(4 * tests / _FALSE_ALARM)
    spread = (sample.amax(0) - sample.amin(0)).clamp(min=reach)
    return (2 * confidence * sample.var(0) / draws).sqrt() + 7 * confidence * spread / (3 * (draws - 1))
