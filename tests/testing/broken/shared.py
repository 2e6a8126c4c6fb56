"""The list of objectives and layers that are each wrong in one way, with the law that is meant to find it."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import torch
from torch import Tensor

import structpred as sp
from structpred.testing import Law, check_layer, check_objective


@attrs.frozen
class Broken:
    """An objective or a layer, and the law that it breaks."""

    check: object
    module: object
    laws: Sequence[Law]
    law: str

    @property
    def name(self) -> str:
        return f"{type(self.module).__name__}-{self.law}"

    def run(self, **settings):
        return self.check(self.module, laws=self.laws, only=[self.law], **settings)


BROKEN: list[Broken] = []
GUMBEL = sp.Gumbel()


def registrar(check, laws: Sequence[Law]):
    """A decorator of classes, ``broken(law, space, **settings)``: it lists one made with the space and the settings."""

    def broken(law: str, space: sp.StructuredSpace = sp.KSubset(4, 2), **settings):
        def register(cls):
            BROKEN.append(Broken(check, cls(space, **settings), laws, law))
            return cls

        return register

    return broken


def objectives(laws: Sequence[Law]):
    return registrar(check_objective, laws)


def layers(laws: Sequence[Law]):
    return registrar(check_layer, laws)


@attrs.frozen
class Shared(sp.StructuredSpace):
    """Right: one part out of four, where every two parts share a variable, beside one of their own."""

    shape = (4,)
    noise_shape = (6,)

    def spread(self, noise: Tensor) -> Tensor:
        return noise[..., :4] + noise[..., 4:].repeat_interleave(2, -1)

    def _argmax(self, scores: Tensor) -> Tensor:
        return torch.nn.functional.one_hot(scores.argmax(-1), 4)

    def contains(self, y: Tensor) -> Tensor:
        return ((y == 0) | (y == 1)).all(-1) & (y.sum(-1) == 1)

    def enumerate(self) -> Tensor:
        return torch.eye(4)


def inner(space: sp.StructuredSpace, one: Tensor, other: Tensor) -> Tensor:
    return (one * other).flatten(-len(space.shape)).sum(-1)


def draw(module, scores: Tensor, generator) -> Tensor:
    """One sample of the module's noise: ``(num_samples, *batch, *noise_shape)``."""
    batch = scores.shape[: scores.ndim - len(module.space.shape)]
    shape = (module.num_samples or 1, *batch, *module.space.noise_shape)
    return module.noise.sample(shape, dtype=scores.dtype, generator=generator)
