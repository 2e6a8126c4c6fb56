"""A problem with many draws of its gradients, and other estimates of what they are in the mean."""

from __future__ import annotations

import math
import time
from typing import Any

import torch
from torch import Tensor

from structpred.loss import LinearLoss
from structpred.noise import Noise
from structpred.score_function import others_mean
from structpred.testing.gradient_laws.means import expect_equal_means
from structpred.testing.gradient_laws.subject import Recorded, Subject

_PROJECTIONS = 8  # in random directions
_PROBLEM = 11  # one problem for all seeds, where biases are large and already fall as they do in the limit
_MOST_NUMBERS = 20_000_000  # in a sample: large spaces get fewer draws
_LEAST_DRAWS = 1_000
_SECONDS = 4.0  # of solving, for a law
_SOLVES_A_DRAW = 7


class Problem:
    """Scores, one scale and a loss in generic position, of sizes at which every structure has its chance.

    Args:
        subject: an objective or a layer with noise.
        draws: how many there may be.
        seed: of the draws.
        per_variable: whether each variable has a scale of its own, sigma times a factor.
    """

    def __init__(self, subject: Subject, draws: int, seed: int, *, per_variable: bool = False) -> None:
        assert subject.noise is not None
        self.subject = subject
        self.noise: Noise = subject.noise
        self.seed = seed
        generator = torch.Generator().manual_seed(_PROBLEM)
        shape = subject.space.shape
        self.scores = 2 * torch.rand(shape, generator=generator, dtype=torch.float64) - 1
        self.costs = 4 * torch.rand(shape, generator=generator, dtype=torch.float64) - 2
        self.generator = torch.Generator().manual_seed(seed)
        exponents = torch.rand(subject.space.noise_shape, generator=generator, dtype=torch.float64)
        self.factors = 4**exponents / 2 if per_variable else torch.ones((), dtype=torch.float64)
        # Along which sigma is moved: where each variable has a scale of its own, every second one the other way.
        turned = torch.arange(exponents.numel()).reshape(exponents.shape) % 2 == 1
        self.way = torch.where(turned, -self.factors, self.factors) if per_variable else self.factors
        self.sigma = 0.8 / math.sqrt(self.noise.variance)
        self.draws = max(_LEAST_DRAWS, min(draws, _MOST_NUMBERS // math.prod(shape), self._in_time()))

    def _in_time(self) -> int:
        """How many draws a slow solver can take: fewer cost a law some of its power, and none of its truth."""
        self.subject.space.argmax(self.scores)  # a first call may load a solver
        started = time.perf_counter()
        self.subject.space.argmax(self.scores.expand(_LEAST_DRAWS, *self.scores.shape))
        return int(_SECONDS * _LEAST_DRAWS / (_SOLVES_A_DRAW * (time.perf_counter() - started)))

    def gradients(self, epsilon: float, draws: int | None = None) -> tuple[Tensor, Tensor]:
        """Of every draw, for scores ``(draws, *shape)`` and for sigma ``(draws,)``, from one call of the module.

        Those of an unbiased estimate are taken at places spread evenly over the step, which has the mean of a
        difference.
        """
        low, high = self.subject.steps(epsilon)
        settings: dict[str, Any] = {"num_samples": 1, "epsilon": epsilon}
        draws = self.draws if draws is None else draws
        place = torch.zeros(draws, dtype=torch.float64)
        if not self.subject.has_a_step:
            settings = {"num_samples": 2}
            place = low + (high - low) * self._uniform()[:draws]
        return self.gradients_at(self._on_parts(place) * self.costs, torch.zeros_like(place), **settings)

    def gradients_at(self, shift: Tensor, more_sigma: Tensor, **settings: Any) -> tuple[Tensor, Tensor]:
        """The gradients where each draw has its own shift of the scores, and of sigma."""
        space, draws = self.subject.space, len(more_sigma)
        scores = (self.scores + shift).expand(draws, *space.shape).clone().requires_grad_()
        scale = self._scale(more_sigma.reshape(draws, *(1,) * len(space.noise_shape))).requires_grad_()
        loss = LinearLoss(self.costs.expand(draws, *space.shape), event_dims=len(space.shape))
        if hasattr(self.subject.module, "reduction"):
            settings = {"reduction": "mean"} | settings
        keywords = {"scale": scale, "generator": self.generator}
        value = self.subject.mean_loss(self.subject.variant(**settings), loss, scores, keywords)
        for_scores, for_scale = torch.autograd.grad(draws * value, [scores, scale])
        return for_scores, (for_scale * self.way).reshape(draws, -1).sum(1)

    def _scale(self, more_sigma: Tensor | float = 0.0) -> Tensor:
        return self.sigma * self.factors + more_sigma * self.way

    def differences(self, way: Tensor, sigma_way: float, reach: float) -> Tensor:
        """The loss at one end of a line less that at the other, under the same noise, by its length: ``(draws,)``."""
        space = self.subject.space
        gamma = self.noise.sample((self.draws, *space.noise_shape), dtype=torch.float64, generator=self.generator)
        ends = [self.scores + at * way + space.spread(self._scale(at * sigma_way) * gamma) for at in (reach, -reach)]
        high, low = ((self.costs * space.argmax(end)).flatten(1).sum(1) for end in ends)
        return (high - low) / (2 * reach)

    def along(self, way: Tensor, sigma_way: float, reach: float, num_samples: int) -> Tensor:
        """The derivative along a line that the gradients say, at places spread evenly over it: ``(draws,)``."""
        place = reach * (2 * self._uniform() - 1)
        for_scores, for_sigma = self.gradients_at(
            self._on_parts(place) * way, place * sigma_way, num_samples=num_samples
        )
        return (for_scores * way).flatten(1).sum(1) + for_sigma * sigma_way

    def direction(self) -> Tensor:
        """A random direction of length 1 for the scores."""
        way = torch.randn(self.scores.shape, generator=self.generator, dtype=torch.float64)
        unit: Tensor = way / way.norm()
        return unit

    def steepest(self) -> Tensor:
        """The direction of the mean gradient for the scores, from draws of its own: there a wrong factor shows most."""
        none = torch.zeros(self.draws, dtype=torch.float64)
        for_scores, _ = self.gradients_at(self._on_parts(none) * self.scores, none, num_samples=5)
        mean = for_scores.mean(0)
        unit: Tensor = mean / mean.norm().clamp(min=1e-12)
        return unit

    def _uniform(self) -> Tensor:
        return torch.rand(self.draws, generator=self.generator, dtype=torch.float64)

    def _on_parts(self, per_draw: Tensor) -> Tensor:
        return per_draw.reshape(-1, *(1,) * len(self.subject.space.shape))

    def score_function_gradients(self, epsilon: float) -> tuple[Tensor, Tensor]:
        """Another estimate of the same means, from the density alone, for shifts of the variables and for sigma.

        ``loss(y) * d log density``, at places spread evenly over the step; no difference of structures occurs.
        """
        space, noise, draws = self.subject.space, self.noise, self.draws
        gamma = noise.sample((draws, *space.noise_shape), dtype=torch.float64, generator=self.generator)
        gamma.requires_grad_()
        (slope,) = torch.autograd.grad(noise.log_prob(gamma).sum(), gamma)  # (draws, *noise_shape)
        gamma = gamma.detach()
        low, high = self.subject.steps(epsilon)
        place = self._on_parts(low + (high - low) * self._uniform())
        with torch.no_grad():
            y = space.argmax(self.scores + space.spread(self._scale() * gamma) + place * self.costs)
            baseline = (self.costs * space.argmax(self.scores)).sum()  # changes no mean, lowers the variance
            loss = (self.costs * y).flatten(1).sum(1) - baseline
        for_shifts = -slope * loss.reshape(draws, *(1,) * len(space.noise_shape)) / self._scale()
        for_sigma = loss * ((-slope * gamma - 1) * self.way / self._scale()).flatten(1).sum(1)
        return for_shifts, for_sigma

    def off_the_leave_one_out_estimate(self, samples: int, draws: int | None = None) -> tuple[Tensor, Tensor]:
        """By how much the gradients for scores ``(draws, parts)`` and sigma ``(draws, 1)`` differ from that estimate's
        from their noise; 0 where they are only rounded."""
        space, recorded = self.subject.space, Recorded(self.noise)
        none = torch.zeros(self.draws if draws is None else draws, dtype=torch.float64)
        for_scores, for_sigma = self.gradients_at(self._on_parts(none), none, num_samples=samples, noise=recorded)
        gamma = recorded.draws[0].requires_grad_()  # (samples, draws, *shape), as each part is a variable
        (slope,) = torch.autograd.grad(self.noise.log_prob(gamma).sum(), gamma)
        gamma = gamma.detach()
        y = space.argmax(self.scores + space.spread(self._scale() * gamma))
        loss = (self.costs * y).flatten(2).sum(2)
        worth = (loss - others_mean(loss)) / samples
        expected = (-slope * worth.reshape(*worth.shape, *(1,) * len(space.shape)) / self._scale()).sum(0)
        expected_for_sigma = (worth * ((-slope * gamma - 1) * self.way / self._scale()).flatten(2).sum(2)).sum(0)
        return _off(for_scores, expected), _off(for_sigma[:, None], expected_for_sigma[:, None])

    def reach(self, epsilon: float) -> float:
        """How far the gradients of two draws for one part can lie from each other; 0 where that has no bound."""
        low, high = self.subject.steps(epsilon)
        return 2 / abs(high - low) if self.subject.has_a_step else 0.0

    def on_shifts(self, for_scores: Tensor) -> Tensor:
        """Of gradients for scores, those for shifts of variables: ``(draws, *shape) -> (draws, *noise_shape)``."""
        shifts = torch.zeros(len(for_scores), *self.subject.space.noise_shape, dtype=torch.float64, requires_grad=True)
        spread = self.subject.space.spread(shifts)
        (adjoint,) = torch.autograd.grad((spread * for_scores).sum(), shifts)
        return adjoint

    def directions(self, epsilon: float) -> Tensor:
        """Along which gradients for shifts are compared: ``(variables, directions)``.

        Along random ones: where two means differ, so do their projections, with probability one. And along the
        gradient itself, roughly, from draws of its own: nowhere does a wrong sign or factor show as well.
        """
        for_scores, _ = self.gradients(epsilon, max(_LEAST_DRAWS // 4, self.draws // 8))
        along = self.on_shifts(for_scores).mean(0).flatten()
        around = torch.randn(len(along), _PROJECTIONS, generator=self.generator, dtype=torch.float64)
        return torch.cat([along[:, None] / along.norm().clamp(min=1e-12), around], 1)


def _off(got: Tensor, expected: Tensor) -> Tensor:
    off = (got - expected).flatten(1)
    return off.where(off.abs() > 1e-9 * expected.abs().max(), 0.0)  # what is only rounded has no spread


def expect_means(problem: Problem, epsilon: float, expected: tuple[Tensor, Tensor]) -> None:
    """Raises ``ViolationError`` unless the mean gradients for scores and sigma are these."""
    for_scores, for_sigma = problem.gradients(epsilon)
    directions = problem.directions(epsilon)  # each part is a variable here
    got, exact = for_scores.flatten(1) @ directions, expected[0].flatten() @ directions
    reach, where = problem.reach(epsilon), f"epsilon {epsilon}"
    widest = reach * directions.abs().amax(0)
    expect_equal_means(got, exact, widest, f"{where}: projected gradients for the scores", problem.seed)
    reach *= math.sqrt(problem.noise.variance)
    expect_equal_means(for_sigma[:, None], expected[1][None], reach, f"{where}: for sigma", problem.seed)
