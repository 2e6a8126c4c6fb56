"""Noise of zero mean, one independent draw a variable.

The noise ``gamma`` of the perturbed predictor ``argmax_y <scores + spread(scale * gamma), y>`` (Cohen
Indelman & Hazan 2021, Equation 14). Every distribution here has a density, so that the maximizer is
unique with probability one (Theorem 2).
"""

from __future__ import annotations

import abc
import math
from collections.abc import Sequence

import torch
from attrs import field, frozen
from torch import Tensor
from torch.nn.functional import logsigmoid

from structpred._validation import positive_int
from structpred.errors import Words, argument_error

_EULER_GAMMA = 0.5772156649015329


class Noise(abc.ABC):
    """A distribution of zero mean over the real line. A subclass gives ``_fill`` and ``variance``.

    It may give ``log_prob`` and ``cdf``, which training never needs: with them, ``structpred.testing``
    can hold the mean gradient under this noise against independent references.
    """

    def sample(
        self,
        shape: Sequence[int],
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Independent draws: a tensor of this shape, dtype and device, every entry finite.

        With a ``generator``, which must live on ``device``, the draws can be repeated.

        Raises:
            ArgumentError: if ``dtype`` is not a floating point type.
        """
        empty = torch.empty(tuple(shape), dtype=dtype, device=device)
        if not empty.is_floating_point():
            raise argument_error("dtype", "a floating point type", Words(dtype), "write for example torch.float32")
        return self._fill(empty, generator)

    @abc.abstractmethod
    def _fill(self, draws: Tensor, generator: torch.Generator | None) -> Tensor:
        """Overwrites an uninitialised tensor with draws and returns it."""

    @property
    @abc.abstractmethod
    def variance(self) -> float:
        """The variance of one draw."""

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at each value, ``-inf`` outside the support; differentiable inside.

        Raises:
            NotImplementedError: if the noise does not offer it.
        """
        raise NotImplementedError(f"{self!r} does not give its density")

    def cdf(self, value: Tensor) -> Tensor:
        """The probability that a draw is at most each value.

        Raises:
            NotImplementedError: if the noise does not offer it.
        """
        raise NotImplementedError(f"{self!r} does not give its distribution function")


def _fill_open_uniform(draws: Tensor, generator: torch.Generator | None) -> Tensor:
    """Uniform draws from the open interval (0, 1), so that no logarithm of them is infinite."""
    draws.uniform_(generator=generator)
    half_step = torch.finfo(draws.dtype).eps / 4  # uniform_ draws multiples of eps / 2, 0 included
    return draws.clamp_(min=half_step, max=1 - 2 * half_step)


@frozen
class Gumbel(Noise):
    """Gumbel noise moved to zero mean, variance pi^2 / 6: the paper's choice.

    >>> Gumbel().sample((2, 3), generator=torch.Generator().manual_seed(0)).shape
    torch.Size([2, 3])
    """

    def _fill(self, draws: Tensor, generator: torch.Generator | None) -> Tensor:
        # Not by exponential_(): it saves a logarithm, but without MKL it takes five times as long.
        uniform = _fill_open_uniform(draws, generator)
        return uniform.log_().neg_().log_().add_(_EULER_GAMMA).neg_()

    @property
    def variance(self) -> float:
        return math.pi**2 / 6

    def log_prob(self, value: Tensor) -> Tensor:
        exponent = -(value + _EULER_GAMMA)
        return exponent - exponent.exp()

    def cdf(self, value: Tensor) -> Tensor:
        return (-(-(value + _EULER_GAMMA)).exp()).exp()


@frozen
class Normal(Noise):
    """Standard normal noise, variance 1."""

    def _fill(self, draws: Tensor, generator: torch.Generator | None) -> Tensor:
        return draws.normal_(generator=generator)

    @property
    def variance(self) -> float:
        return 1.0

    def log_prob(self, value: Tensor) -> Tensor:
        return -value.square() / 2 - math.log(2 * math.pi) / 2

    def cdf(self, value: Tensor) -> Tensor:
        below: Tensor = torch.special.ndtr(value)
        return below


@frozen
class Logistic(Noise):
    """Standard logistic noise, the difference of two Gumbel draws, variance pi^2 / 3."""

    def _fill(self, draws: Tensor, generator: torch.Generator | None) -> Tensor:
        return _fill_open_uniform(draws, generator).logit_()

    @property
    def variance(self) -> float:
        return math.pi**2 / 3

    def log_prob(self, value: Tensor) -> Tensor:
        return logsigmoid(value) + logsigmoid(-value)

    def cdf(self, value: Tensor) -> Tensor:
        return value.sigmoid()


@frozen
class SumOfGamma(Noise):
    """A sum of Gamma draws, of which any ``parts`` sum to a Gumbel draw; variance nearly ``pi^2 / (6 parts)``.

    For structures of so many parts it makes a structure's total noise that of one draw of ``Gumbel`` (Niepert,
    Minervini & Franceschi 2021, "Implicit MLE", Section 3.2).

    Args:
        parts: how many parts a structure has (kappa in the paper).
        terms: how many terms of the infinite sum are drawn.

    Raises:
        ArgumentError: unless both are integers of at least 1.
    """

    parts: int = field(validator=positive_int)
    terms: int = field(default=10, validator=positive_int, kw_only=True)

    def _fill(self, draws: Tensor, generator: torch.Generator | None) -> Tensor:
        draws.zero_()
        shape = torch.full_like(draws, 1 / self.parts)
        for term in range(1, self.terms + 1):
            # By torch's own function, because torch.distributions takes no generator.
            draws.add_(torch._standard_gamma(shape, generator=generator), alpha=1 / term)
        return draws.sub_(sum(1 / term for term in range(1, self.terms + 1)) / self.parts)

    @property
    def variance(self) -> float:
        return sum(1 / term**2 for term in range(1, self.terms + 1)) / self.parts


@frozen
class Uniform(Noise):
    """Uniform noise on (-1, 1), variance 1/3: bounded, for scores that must not move far."""

    def _fill(self, draws: Tensor, generator: torch.Generator | None) -> Tensor:
        return _fill_open_uniform(draws, generator).mul_(2).sub_(1)

    @property
    def variance(self) -> float:
        return 1 / 3

    def log_prob(self, value: Tensor) -> Tensor:
        inside = value.abs() < 1
        density = inside.to(value.dtype) / 2
        return density.log()

    def cdf(self, value: Tensor) -> Tensor:
        return ((value + 1) / 2).clamp(0, 1)
