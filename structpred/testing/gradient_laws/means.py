"""Tests of means and frequencies of many draws, each of which fails by chance with a stated probability."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from structpred.testing.law import ViolationError

FALSE_ALARM = 1e-7
_LEAST_EXPECTED = 500  # draws in a cell of the chi-square test


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


def expect_equal_means(got: Tensor, expected: Tensor, reach: Tensor | float, what: str, seed: int) -> None:
    """Compares the means of the columns of ``got (draws, m)`` with numbers ``(m,)``, or with those of ``(draws, m)``.

    ``reach`` says how far one draw can lie from another: it counts where so few draws differ that none did.
    """
    is_sample = expected.ndim == 2
    mean = expected.mean(0) if is_sample else expected
    margin = _margin(got, reach) + (_margin(expected, reach) if is_sample else 0.0)
    off = (got.mean(0) - mean).abs()
    excess = (off / margin).where(off != 0, 0.0)
    if not excess.max() <= 1:
        raise ViolationError(
            f"{what}: the mean of {len(got)} draws is off by {excess.max():.1f} times what chance allows",
            seed=seed, got=got.mean(0), expected=mean, margin=margin,
        )  # fmt: skip


def _margin(sample: Tensor, reach: Tensor | float) -> Tensor:
    """How far the means of the columns lie from their expectations, but for once in ``1 / FALSE_ALARM`` laws."""
    draws, columns = sample.shape
    tests = 24 * columns  # a law compares at most twelve pairs of samples
    confidence = math.log(4 * tests / FALSE_ALARM)
    spread = (sample.amax(0) - sample.amin(0)).clamp(min=reach)
    return (2 * confidence * sample.var(0) / draws).sqrt() + 7 * confidence * spread / (3 * (draws - 1))
