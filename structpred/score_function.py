"""The score function: how likely the perturbed scores of a draw are, as a function of scores and scale.

    log q(s) = sum_i [log p((s_i - scores_i) / scale_i) - log scale_i]

with p the density of the noise and s held fixed. Its gradient, times what a draw is worth, estimates the gradient of
the expected worth without bias (Williams 1992), and without a second call of the solver. The worth less the mean worth
of the other draws has the same expectation and less variance (Kool, van Hoof & Welling 2019).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from structpred._validation import validate_positive_int
from structpred.errors import argument_error
from structpred.noise import Noise
from structpred.perturbation import Perturbed
from structpred.spaces.base import StructuredSpace

_FAR = 20.0  # in standard deviations


def log_density(space: StructuredSpace, noise: Noise, perturbed: Perturbed, scores: Tensor) -> Tensor:
    """``(samples, *batch)``: log q of each draw, differentiable in scores and scale. Forbidden parts do not count."""
    assert perturbed.noise is not None
    assert perturbed.scale is not None
    forbidden = scores.isneginf()
    scale = perturbed.scale
    shift = scores.detach() - scores
    if isinstance(scale, Tensor):
        z = (perturbed.noise * scale.detach() + shift.masked_fill(forbidden, 0)) / scale
        log = noise.log_prob(z) - scale.log()
    else:
        log = noise.log_prob(perturbed.noise + shift.masked_fill(forbidden, 0) / scale) - math.log(scale)
    return log.masked_fill(forbidden, 0).flatten(-len(space.shape)).sum(-1)


def others_mean(worth: Tensor) -> Tensor:
    """For each sample the mean over the others: ``(samples, *batch) -> (samples, *batch)``."""
    return (worth.sum(0) - worth) / (len(worth) - 1)


def validate_density(noise: object) -> Noise:
    """Returns the noise; raises ``ArgumentError`` unless its density is known, and positive everywhere."""
    if isinstance(noise, Noise):
        far = _FAR * math.sqrt(noise.variance)
        try:
            if noise.log_prob(torch.tensor([-far, far], dtype=torch.float64)).isfinite().all():
                return noise
        except NotImplementedError:
            pass
    wanted, instead = "a Noise whose log_prob is finite everywhere", "write Gumbel(), Normal() or Logistic()"
    raise argument_error("noise", wanted, noise, instead)


def validate_variables_are_parts(space: StructuredSpace) -> StructuredSpace:
    """Returns the space; raises ``ArgumentError`` where a shift of a part's score is not one of its noise."""
    if not space.variables_are_parts:
        wanted, instead = "a space whose every part has a noise variable of its own", "take PerturbedDirectLoss"
        raise argument_error("space", wanted, space, instead)
    return space


def validate_several(num_samples: object) -> int:
    """Returns the number of samples; raises ``ArgumentError`` for less than two."""
    number = validate_positive_int("num_samples", num_samples)
    if number < 2:
        wanted = "an integer of at least 2, one draw and another for its baseline"
        raise argument_error("num_samples", wanted, num_samples)
    return number
