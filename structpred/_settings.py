"""What objectives and layers have in common: a module with a space, noise and scale, each validated when assigned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from structpred._eager import refuse_transforms
from structpred._scale import validate_own_scale, validate_scale
from structpred._validation import validate_floating
from structpred.adaptive_scale import AdaptiveScale
from structpred.errors import argument_error
from structpred.noise import Noise
from structpred.perturbation import Perturbed, perturb
from structpred.spaces.base import StructuredSpace


class PerturbedModule(nn.Module):
    """Settings that may be assigned anew between calls; ``converters`` has what validates each, by its name."""

    converters: ClassVar[dict[str, Callable[[Any], Any]]]

    space: StructuredSpace
    noise: Noise | None
    scale: Tensor | float | AdaptiveScale

    def __init__(self, space: StructuredSpace, noise: Noise | None, scale: Tensor | float | AdaptiveScale) -> None:
        super().__init__()
        self.space = space
        self.noise = noise
        self.scale = scale

    def __setattr__(self, name: str, value: Any) -> None:
        convert = self.converters.get(name)
        if convert is not None:
            value = convert(value)
            for kind in (self.__dict__, self._modules, self._parameters, self._buffers):
                kind.pop(name, None)  # nn.Module refuses a number where a module or a parameter was
        if convert is not None and isinstance(value, Tensor) and not isinstance(value, nn.Parameter):
            self.register_buffer(name, value)
        else:
            super().__setattr__(name, value)

    def __repr__(self) -> str:
        """As a call of the class, whatever is a module of its own."""
        settings = (f"{name}={getattr(self, name)!r}" for name in self.converters)
        return f"{type(self).__name__}({', '.join(settings)})"

    def _validate_scores(self, scores: Tensor) -> Tensor:
        """The scores in float32 or finer: half precision would make ties."""
        self.space.batch_shape("scores", validate_floating("scores", scores))
        refuse_transforms(scores)
        return self.space.without_padding(scores).to(torch.promote_types(scores.dtype, torch.float32))

    def _perturb(
        self, scores: Tensor, scale: Tensor | float | None, num_samples: int, generator: torch.Generator | None
    ) -> Perturbed:
        """The scores under noise; those themselves after ``.eval()`` and where there is no noise."""
        if self.noise is None and scale is not None:
            kind = type(self).__name__
            raise argument_error("scale", f"none, as this {kind} has noise=None", scale, "write noise=Gumbel()")
        if self.noise is None or not self.training:
            return perturb(self.space, scores, None, 1.0)
        batch = self.space.batch_shape("scores", scores)
        if scale is None:
            own = self.scale
            scale = own.to(scores.device)() if isinstance(own, AdaptiveScale) else own
        scale = validate_scale(scale, batch, self.space.noise_shape, scores)
        return perturb(self.space, scores, self.noise, scale, num_samples, generator)


def _space(value: object) -> StructuredSpace:
    if not isinstance(value, StructuredSpace):
        raise argument_error("space", "a StructuredSpace", value, "write for example Matching(10)")
    return value


def _noise(value: object) -> Noise | None:
    if value is not None and not isinstance(value, Noise):
        raise argument_error("noise", "a Noise, or None for no noise", value, "write for example Gumbel()")
    return value


def _fixed_scale(value: Tensor | float) -> Tensor | float:
    if isinstance(value, AdaptiveScale):
        instead = "only PerturbedDirectLoss takes an AdaptiveScale"
        raise argument_error("scale", "a number or a tensor", value, instead)
    return validate_own_scale(value)


PerturbedModule.converters = {"space": _space, "noise": _noise, "scale": _fixed_scale}
