"""What holds in the mean over draws: gradients are those of the expected loss (Corollaries 2 and 3).

For every step epsilon, not only in the limit, the mean direct gradient is the gradient of the expected loss,
averaged over the places between the two ends of the step: the expected maximum has the expected loss as its
derivative along the step. So independent references are exact at any step, and tests need no small bias. Unbiased
estimates (the score function's, and the derivative of a mean structure) are held against the same references, at
places drawn evenly over the step.

Every law here compares means of ``draws`` independent draws, by a z-test that also allows for rare events: with the
margin of the empirical Bernstein bound (Maurer & Pontil 2009, Theorem 4), which holds at any sample size for
bounded variables. Or it is a chi-square test. A law raises a false alarm with probability 1e-7 at most for
gradients in the scores, which are bounded; for those in sigma, and for unbiased estimates, the largest draw stands
for the bound.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from structpred.noise import Gumbel, Noise
from structpred.testing.gradient_laws.means import FALSE_ALARM, chi_square_tail, expect_equal_means
from structpred.testing.gradient_laws.problem import Problem, expect_means
from structpred.testing.gradient_laws.subject import Subject
from structpred.testing.law import ViolationError, law
from structpred.testing.oracles import can_list, structures_of
from structpred.testing.quadrature import OneHotExpectation, edges_of_support

_SIGMAS = (0.1, 0.5, 1.0, 3.0, 10.0)  # of the chi-square tests
_MOST_PARTS = 50  # for quadrature
_NOISE_PER_DRAW = 10  # drawing alone is cheap
_CALLS_FOR_FEW = 2000
_SINGLE = 100  # calls for one example
_POINTS, _WIDTH, _MOST_EDGES = 49, 1e-3, 4
_MOST_TIED = 4  # float32 holds so few numbers at the end of a support that some are drawn again


def _on_the_whole_line(subject: Subject) -> str | None:
    """The score function estimate differentiates the density alone: it would miss the edges of a support."""
    if subject.noise is None:
        return "only with noise"
    try:
        edges = edges_of_support(subject.noise)
    except NotImplementedError:
        return "the noise does not give log_prob"
    return f"the density of the noise has edges, at {edges}" if edges else None


def _one_hot(subject: Subject) -> str | None:
    """Structures are single parts, and each part is a variable: there, expectations are integrals over one draw."""
    space = subject.space
    if not can_list(space):
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


def _one_hot_with_known_noise(subject: Subject) -> str | None:
    if subject.noise is None:
        return "only with noise"
    try:
        zero = torch.zeros(1)
        subject.noise.log_prob(zero), subject.noise.cdf(zero)
    except NotImplementedError:
        return "the noise does not give log_prob and cdf"
    return _one_hot(subject)


def _one_hot_with_gumbel_noise(subject: Subject) -> str | None:
    return _one_hot(subject) if isinstance(subject.noise, Gumbel) else "only for Gumbel noise"


@law(needs=_on_the_whole_line)
def mean_gradient_equals_the_score_function_estimate(subject: Subject, *, draws: int = 40_000, seed: int = 0) -> None:
    """In the mean, the gradients are those of the expected loss, as the score function estimates them (Corollary 2)."""
    for epsilon, per_variable in ((-1.0, False), (0.25, True)):
        problem = Problem(subject, draws, seed, per_variable=per_variable)
        for_scores, for_sigma = problem.gradients(epsilon)
        for_shifts, other_for_sigma = problem.score_function_gradients(epsilon)
        directions = problem.directions(epsilon)
        got, expected = problem.on_shifts(for_scores).flatten(1) @ directions, for_shifts.flatten(1) @ directions
        widest = problem.reach(epsilon) * directions.abs().amax(0)
        expect_equal_means(got, expected, widest, f"epsilon {epsilon}: projected gradients for the scores", seed)
        reach = problem.reach(epsilon) * math.sqrt(problem.noise.variance) * float(problem.factors.max())
        expect_equal_means(for_sigma[:, None], other_for_sigma[:, None], reach, f"epsilon {epsilon}: for sigma", seed)


@law(needs=_one_hot_with_gumbel_noise)
def mean_gradient_equals_the_closed_form(subject: Subject, *, draws: int = 40_000, seed: int = 0) -> None:
    """For single parts and Gumbel noise, E max = sigma logsumexp(scores / sigma) gives the means (Corollary 2)."""
    problem = Problem(subject, draws, seed)
    for epsilon in (-1.0, 0.5):
        scores, sigma = problem.scores.clone().requires_grad_(), torch.tensor(problem.sigma, dtype=torch.float64)
        sigma.requires_grad_()
        low, high = (
            sigma * ((scores + step * problem.costs) / sigma).flatten().logsumexp(0) for step in subject.steps(epsilon)
        )
        width = subject.steps(epsilon)[1] - subject.steps(epsilon)[0]
        for_scores, for_sigma = torch.autograd.grad((high - low) / width, [scores, sigma])
        expect_means(problem, epsilon, (for_scores, for_sigma))


@law(needs=_one_hot_with_known_noise)
def mean_gradient_equals_the_quadrature(subject: Subject, *, draws: int = 40_000, seed: int = 0) -> None:
    """For single parts under any noise with density and distribution function, quadrature gives the mean gradients."""
    problem = Problem(subject, draws, seed)
    exact = OneHotExpectation(problem.noise, problem.sigma)
    for epsilon in (-1.0, 0.5):
        expected = exact.direct_gradient(problem.scores, problem.costs, *subject.steps(epsilon))
        expect_means(problem, epsilon, expected)


@law(needs=_one_hot_with_known_noise)
def bias_falls_with_epsilon(subject: Subject, *, draws: int = 40_000, seed: int = 0) -> None:
    """The bias falls like epsilon; where the margin is 1, like its square: half the step, half or a quarter of it."""
    problem = Problem(subject, draws, seed)
    exact = OneHotExpectation(problem.noise, problem.sigma)
    limit, _ = exact.direct_gradient(problem.scores, problem.costs, -1e-3, 1e-3)
    order = 2 if subject.margin == 1 else 1
    near, _ = exact.direct_gradient(problem.scores, problem.costs, *subject.steps(0.05))
    leading = (near - limit) / 0.05**order  # the bias is leading * epsilon^order, for small epsilon
    for epsilon in (1.0, 0.5):
        for_scores, _ = problem.gradients(epsilon)
        got = ((for_scores - limit) * leading).flatten(1).sum(1) / leading.norm()  # (draws,)
        expected, _ = exact.direct_gradient(problem.scores, problem.costs, *subject.steps(epsilon))
        bias = ((expected - limit) * leading).sum() / leading.norm()
        expect_equal_means(got[:, None], bias[None], problem.reach(epsilon), f"bias at epsilon {epsilon}", seed)


@law(needs=_one_hot_with_gumbel_noise)
def frequencies_are_those_of_the_softmax(subject: Subject, *, draws: int = 40_000, seed: int = 0) -> None:
    """Where Gumbel noise is on every structure, one is best with probability exp(score / sigma) / Z (Corollary 3)."""
    space = subject.space
    for sigma in _SIGMAS:
        problem = Problem(subject, draws, seed)
        scores = 2 * sigma * problem.scores
        noise = problem.noise.sample((problem.draws, *space.shape), dtype=torch.float64, generator=problem.generator)
        counts = space.argmax(scores + sigma * noise).double().flatten(1).sum(0)
        expected = problem.draws * (scores / sigma).flatten().softmax(0)
        alarm = chi_square_tail(counts, expected)
        if not alarm > FALSE_ALARM / len(_SIGMAS):
            raise ViolationError(
                f"sigma {sigma}: the chi-square test gives this draw a probability of {alarm:.1e}", seed=seed,
                got=counts, expected=expected,
            )  # fmt: skip


def _noisy(subject: Subject) -> str | None:
    return "only with noise" if subject.noise is None else None


@law(needs=_noisy)
def noise_is_what_it_says(subject: Subject, *, draws: int = 40_000, seed: int = 0) -> None:
    """Draws of the noise have mean 0 and the variance it states, and are distributed as its ``cdf``, if it has one.

    They have a density: so no number is drawn again and again.
    With a generator and from torch's own, in float64 and float32, of one and of several dimensions.
    """
    assert subject.noise is not None
    noise, count = subject.noise, _NOISE_PER_DRAW * draws
    _expect_stated(noise, noise.sample((count,), dtype=torch.float64, generator=_seeded(seed)), seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        own = noise.sample((count // 50, 5, 10), dtype=torch.float32, generator=None)
    _expect_stated(noise, own.double().flatten(), seed)
    for entries in (1, 3):  # draws may be made in pairs
        generator = _seeded(seed)
        calls = [noise.sample((entries,), dtype=torch.float64, generator=generator) for _ in range(_CALLS_FOR_FEW)]
        _expect_stated(noise, torch.stack(calls)[:, -1], seed)


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _expect_stated(noise: Noise, sample: Tensor, seed: int) -> None:
    """Raises unless a sample of one dimension has the moments and the distribution that the noise states."""
    count = len(sample)
    for end in (sample.amin(), sample.amax()):
        if (tied := int((sample == end).sum())) > _MOST_TIED:
            message = f"{tied} draws of the noise are {end.item()}, the least or the most: no density has such an end"
            raise ViolationError(message, seed=seed, got=tied, expected=1)
    square, variance = sample.square(), torch.tensor([noise.variance], dtype=torch.float64)
    expect_equal_means(sample[:, None], torch.zeros(1, dtype=torch.float64), 0.0, "the noise", seed)
    expect_equal_means(square[:, None], variance, 0.0, "the square of the noise", seed)
    try:
        below = noise.cdf(sample.sort().values)
    except NotImplementedError:
        return
    _expect_its_density(noise, sample, seed)
    # Massart 1990: the probability of a larger distance is 2 exp(-2 n d^2) at most.
    most = math.sqrt(math.log(4 / FALSE_ALARM) / (2 * count)) + 1 / count
    distance = (below - torch.arange(1, count + 1, dtype=torch.float64) / count).abs().max()
    if not distance <= most:
        message = "draws of the noise are not distributed as its cdf: the largest distance of the two"
        raise ViolationError(message, seed=seed, got=distance.item(), at_most=most)


def _expect_its_density(noise: Noise, sample: Tensor, seed: int) -> None:
    """Raises unless ``log_prob``, if there is one, is the logarithm of the slope of ``cdf``, but for a few edges."""
    points = sample.quantile(torch.linspace(0.02, 0.98, _POINTS, dtype=torch.float64))
    width = _WIDTH * math.sqrt(noise.variance)
    slope = (noise.cdf(points + width) - noise.cdf(points - width)) / (2 * width)
    try:
        density = noise.log_prob(points).exp()
    except NotImplementedError:
        return
    off = (density - slope).abs() > 1e-3 * slope.abs() + 1e-9
    if off.sum() > _MOST_EDGES:
        message = "exp(log_prob) of the noise is not the slope of its cdf"
        raise ViolationError(message, seed=seed, at=points[off][0].item(), got=density[off][0], expected=slope[off][0])


def _estimates(subject: Subject) -> str | None:
    if subject.has_a_step:
        return "only where the gradient is an estimate without a step"
    return _on_the_whole_line(subject)


@law(needs=_estimates)
def many_draws_have_the_mean_of_few(subject: Subject, *, draws: int = 40_000, seed: int = 0) -> None:
    """In the mean, gradients are those of the leave-one-out estimate from the same draws, of however many samples.

    As both see the same draws, their difference shows a wrong factor that is lost in the noise of each. Two samples of
    one example too: there what is taken from a whole batch shows.
    """
    for samples in (2, 3, 12, 131, 600):
        off = Problem(subject, draws // samples, seed).off_the_leave_one_out_estimate(samples)
        _expect_no_mean(off, f"{samples} samples", seed)
    off = Problem(subject, draws // 3, seed, per_variable=True).off_the_leave_one_out_estimate(3)
    _expect_no_mean(off, "a scale for each variable", seed)
    problem = Problem(subject, draws // 10, seed)
    found = [problem.off_the_leave_one_out_estimate(2, draws=1) for _ in range(_SINGLE)]
    if any(off.any() for pair in found for off in pair):  # else it is that estimate
        found += [problem.off_the_leave_one_out_estimate(2, draws=1) for _ in range(problem.draws - _SINGLE)]
    _expect_no_mean((torch.cat([off for off, _ in found]), torch.cat([off for _, off in found])), "one example", seed)


def _expect_no_mean(off: tuple[Tensor, Tensor], where: str, seed: int) -> None:
    for what, it in zip(("the scores", "sigma"), off, strict=True):
        message = f"{where}: gradients for {what}, less those of the leave-one-out estimate"
        expect_equal_means(it, torch.zeros(it.shape[1], dtype=torch.float64), 0.0, message, seed)


@law(needs=_noisy)
def mean_gradient_equals_differences_of_the_loss(subject: Subject, *, draws: int = 40_000, seed: int = 0) -> None:
    """In the mean over a line, the gradients along it are the difference of the expected loss between its ends.

    The line leads through scores, through sigma, or through both, where each variable has a scale of its own too; the
    loss is that of the argmax at both ends, under the same noise.
    """
    problem = Problem(subject, draws, seed)
    uneven = Problem(subject, 4 * draws, seed, per_variable=True)  # a gradient for the wrong variable shows less
    along_sigma = 0.5 * problem.sigma
    for what, it, way, sigma_way, samples in (
        ("scores", problem, problem.direction(), 0.0, 2),
        ("sigma", problem, torch.zeros_like(problem.scores), along_sigma, 3),
        ("scores, where they are steep, and sigma", problem, problem.steepest(), along_sigma, 5),
        ("a scale for each variable", uneven, torch.zeros_like(problem.scores), 3 * along_sigma, 3),
    ):
        got, expected = it.along(way, sigma_way, 0.5, samples), it.differences(way, sigma_way, 0.5)
        message = f"along a line through {what}: the derivatives"
        expect_equal_means(got[:, None], expected[:, None], 0.0, message, seed)
