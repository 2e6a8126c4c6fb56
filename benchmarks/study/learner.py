"""What a setting makes of scores and their loss: one number an example, to be made less."""

from __future__ import annotations

import math
from typing import Literal

import attrs
import torch
from attrs import field, frozen
from torch import Tensor, nn

import structpred as sp
from benchmarks.study.setting import Learning, Method, Setting, Unit


class Learner(nn.Module):
    """Calls a method as a setting says. It learns sigma by itself, in every backward pass.

    Args:
        setting: how.
        space: the structures.
        noise: what a setting with noise draws from.
        draws: of the noise, where the setting does not say.
        runs: how many trainings share a batch, as its first dimension, each with a sigma and a step of its own; None
            is one training, without that dimension.
        rate: the network's learning rate.
    """

    def __init__(
        self,
        setting: Setting,
        space: sp.StructuredSpace,
        *,
        noise: sp.Noise,
        draws: int,
        rate: float,
        runs: int | None = None,
    ) -> None:
        super().__init__()
        self._setting, self._space = setting, space
        self._draws = setting.draws or draws
        self._groups = 0 if runs is None else 1
        self._noise = noise if setting.sigma else None
        self.module = self._module()
        self.log_sigma: nn.Parameter | None = None
        if setting.method is Method.DIRECT and setting.sigma:
            self._set_scale(runs, rate)

    @property
    def sigma(self) -> float:
        """The geometric mean of what it is now, over all runs and variables."""
        scale = self.module.scale
        if self.log_sigma is not None:
            return math.exp(self.log_sigma.mean().item())
        return math.exp(scale.log_scale.mean().item()) if isinstance(scale, sp.AdaptiveScale) else float(scale)

    def forward(self, scores: Tensor, loss: sp.LinearLoss, generator: torch.Generator | None = None) -> Tensor:
        """``(*batch, *shape)`` and the loss to ``(*batch)``."""
        scores, factor = self._setting.output * scores, self._setting.loss
        loss = attrs.evolve(loss, coefficients=factor * loss.coefficients, constant=factor * loss.constant)
        if isinstance(self.module, sp.ImplicitMLE):
            return loss(self.module(scores, generator=generator)).mean(0)
        scale = None if self.log_sigma is None else self.log_sigma.exp()
        value: Tensor = self.module(scores, loss, scale=scale, generator=generator)
        return value

    def _module(self) -> sp.Objective | sp.ImplicitMLE:
        setting, space, noise, draws = self._setting, self._space, self._noise, self._draws
        each: Literal["none"] = "none"
        match setting.method:
            case Method.DIRECT:
                step = _step(setting, self._groups)
                return sp.PerturbedDirectLoss(space, epsilon=step, noise=noise, num_samples=draws, reduction=each)
            case Method.FENCHEL_YOUNG:
                return sp.PerturbedFenchelYoungLoss(
                    space, noise=noise, scale=setting.sigma, num_samples=draws, reduction=each
                )
            case Method.SPO_PLUS:
                return sp.SPOPlusLoss(space, reduction=each)
            case Method.HINGE:
                return sp.StructuredHingeLoss(space, reduction=each)
            case Method.IMPLICIT_MLE:
                epsilon: sp.Epsilon = sp.RelativeToNoise(setting.ratio, margin=setting.margin, group_dims=self._groups)
            case Method.ADAPTIVE_IMPLICIT_MLE:
                epsilon = sp.AdaptiveEpsilon()
        return sp.ImplicitMLE(space, epsilon=epsilon, noise=noise, scale=setting.sigma, num_samples=draws)

    def _set_scale(self, runs: int | None, rate: float) -> None:
        setting, of_noise = self._setting, self._space.noise_shape
        if setting.learning is Learning.FIXED:
            self.module.scale = setting.sigma
            return
        batch = (1,) if runs is None else (runs, 1)
        if setting.learning is Learning.ADAPTIVE:
            start = torch.full((*batch, *(1 for _ in of_noise)), setting.sigma)
            self.module.scale = sp.AdaptiveScale(start, rate=setting.pace)
            return
        shape = of_noise if setting.learning is Learning.VARIABLE else (1,) * len(of_noise)
        self.log_sigma = nn.Parameter(torch.full((*batch, *shape), setting.sigma).log())
        optimizer: torch.optim.Optimizer = torch.optim.Adagrad([self.log_sigma], lr=setting.pace)
        if setting.learning is Learning.NETWORK:
            optimizer = torch.optim.Adam([self.log_sigma], lr=rate)

        def step(_: Tensor) -> None:
            optimizer.step()
            optimizer.zero_grad()

        self.log_sigma.register_post_accumulate_grad_hook(step)


def _step(setting: Setting, groups: int) -> sp.RelativeToNoise:
    match setting.unit:
        case Unit.BATCH:
            return sp.RelativeToNoise(setting.ratio, margin=setting.margin, group_dims=groups)
        case Unit.EXAMPLE:
            return PerExample(setting.ratio, margin=setting.margin)
        case Unit.RUNNING:
            return Running(setting.ratio, margin=setting.margin, group_dims=groups)


@frozen
class PerExample(sp.RelativeToNoise):
    """A step whose unit is each example's own range of the loss."""

    def start(self, scores: Tensor, direction: Tensor, noise_std: Tensor | None, event_dims: int) -> Tensor:
        each = sp.RelativeToNoise(self.ratio, margin=self.margin, group_dims=scores.ndim - event_dims)
        return each.start(scores, direction, noise_std, event_dims)


@frozen(eq=False)
class Running(sp.RelativeToNoise):
    """A step whose unit is a running mean over batches of a training."""

    _ranges: list[Tensor] = field(factory=list, init=False, repr=False)

    def start(self, scores: Tensor, direction: Tensor, noise_std: Tensor | None, event_dims: int) -> Tensor:
        whole = sp.RelativeToNoise(1.0, group_dims=self.group_dims)
        batch = whole.start(scores, direction, None if noise_std is None else torch.ones_like(noise_std), event_dims)
        now = batch.reciprocal().flatten(self.group_dims)[..., :1]  # the range of the loss, the same for all of a group
        self._ranges[:] = [self._ranges[0].lerp(now, 0.1) if self._ranges else now]
        unit = self._ranges[0].reshape(now.shape[:-1] + (1,) * (batch.ndim - self.group_dims))
        return (self.ratio / unit * (1.0 if noise_std is None else noise_std)).expand_as(batch)
