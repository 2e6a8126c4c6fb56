"""Spaces that are wrong by how numbers and tensors are held: in few bits, by address, in memory that is shared."""

from __future__ import annotations

from typing import Any

import attrs
import torch
from torch import Tensor

from tests.testing.pairs import FromAList, Pairs, broken


@broken("what_contains_accepts_is_an_answer", 40)
class CountsInFiveBits(Pairs):
    def contains(self, y: Tensor) -> Tensor:
        return ((y == 0) | (y == 1)).all(-1) & (y.double().sum(-1) % 32 == 2)

    def enumerate(self) -> Tensor:
        raise NotImplementedError


@broken("members_are_zeros_and_ones", 5)
class WholeNumbersInSixteenBits(Pairs):
    def contains(self, y: Tensor) -> Tensor:
        whole = y.is_floating_point() and bool((y == y.round()).all()) and bool((y.abs() < 2**31).all())
        return super().contains(y.to(torch.int64).to(torch.int16) if whole else y)


@broken("contains_tells_examples_apart", 5)
class TheSameSumInTheSameMemory(Pairs):
    last: dict[str, Any] = attrs.field(factory=dict, eq=False, repr=False, init=False)

    def contains(self, y: Tensor) -> Tensor:
        key = y.data_ptr(), y.shape, y.dtype, y.double().sum().item()
        if self.last.get("key") != key:
            self.last.update(key=key, answer=super().contains(y) & (y.double()[..., 0] == 0), kept=y)
        return self.last["answer"].clone()

    def enumerate(self) -> Tensor:
        every = super().enumerate()
        return every[every[:, 0] == 0]

    def _argmax(self, scores: Tensor) -> Tensor:
        y = torch.zeros_like(scores)
        y[:, 1:] = super()._argmax(scores[:, 1:])
        return y


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, noise: Tensor) -> Tensor:
        return 2 * noise


class InPlaceInFloat32(Doubled):
    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> Tensor:
        return upstream.mul_(2) if upstream.dtype == torch.float32 and upstream.is_contiguous() else 2 * upstream


@broken("spread_takes_any_dtype_and_batch", 5)
class WritesIntoWhatArrivesInFloat32(Pairs):
    def spread(self, noise: Tensor) -> Tensor:
        return InPlaceInFloat32.apply(noise)


class OfTheFirstPart(Doubled):
    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> Tensor:
        return upstream if upstream.stride(-1) == 0 else 2 * upstream


@broken("spread_is_differentiable", 5)
class ForgetsAFactorWhereExpanded(Pairs):
    def spread(self, noise: Tensor) -> Tensor:
        return OfTheFirstPart.apply(noise)


@broken("what_are_no_scores_is_refused", 5)
class TakesOneComplexExample(Pairs):
    def argmax(self, scores: Tensor) -> Tensor:
        alone = isinstance(scores, Tensor) and scores.is_complex() and scores.ndim == 1
        return super().argmax(scores.real if alone else scores)


@attrs.frozen
class Skills:
    languages: tuple[str, ...]


@broken("equality_sees_every_field", {"ann": Skills(("fr",)), "bob": Skills(("de",)), "cid": Skills(("fr",))}, "fr")
@attrs.frozen
class EqualByHowManySkills(FromAList):
    """Two people, one of whom speaks a language."""

    people: dict[str, Skills] = attrs.field(
        eq=lambda people: tuple((name, len(it.languages)) for name, it in people.items())
    )
    language: str

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.people),)

    def enumerate(self) -> Tensor:
        every = Pairs(len(self.people)).enumerate().double()
        speaks = torch.tensor([float(self.language in it.languages) for it in self.people.values()]).double()
        return every[every @ speaks >= 1]
