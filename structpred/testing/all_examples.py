"""A batch of different spaces as one space, which the laws can put into batches of their own."""

from __future__ import annotations

import itertools
import math

import attrs
import torch
from attrs import frozen
from torch import Tensor

from structpred._tensors import corner
from structpred.errors import InfeasibleError, SpaceError
from structpred.loss import LinearLoss
from structpred.spaces._enumerable import validate_enumerable
from structpred.spaces.base import StructuredSpace


@frozen
class AllExamples(StructuredSpace):
    """The structures of all examples together: their parts, one example after the other, without padding.

    What it hands to the batch has NaN in the padding, which must not matter.

    Args:
        spaces: a space whose last batch dimension has spaces of its own.
    """

    spaces: StructuredSpace

    @property
    def of_each(self) -> tuple[StructuredSpace, ...]:
        """The space of each example."""
        assert self.spaces.examples is not None
        return self.spaces.examples

    @property
    def shape(self) -> tuple[int, ...]:
        return (sum(math.prod(space.shape) for space in self.of_each),)

    @property
    def noise_shape(self) -> tuple[int, ...]:
        return (sum(math.prod(space.noise_shape) for space in self.of_each),)

    def padded(self, values: Tensor, padding: float = math.nan, *, noise: bool = False) -> Tensor:
        """``(*batch, parts) -> (*batch, examples, *shape)``, for parts or, with ``noise``, variables."""
        shapes = [space.noise_shape if noise else space.shape for space in self.of_each]
        largest = self.spaces.noise_shape if noise else self.spaces.shape
        laid = values.new_full((*values.shape[:-1], len(shapes), *largest), padding)
        own = values.split([math.prod(shape) for shape in shapes], -1)
        for example, (shape, part) in enumerate(zip(shapes, own, strict=True)):
            laid[corner(shape, ..., example)] = part.reshape(*part.shape[:-1], *shape)
        return laid

    def flat(self, values: Tensor) -> Tensor:
        """``(*batch, examples, *shape) -> (*batch, parts)``."""
        dims = len(self.spaces.shape)
        rows = values.unbind(-1 - dims)
        own = [row[corner(space.shape, ...)] for row, space in zip(rows, self.of_each, strict=True)]
        return torch.cat([part.flatten(-dims) for part in own], -1)

    def argmax(self, scores: Tensor) -> Tensor:
        if not isinstance(scores, Tensor) or not scores.is_floating_point() or scores.shape[-1:] != self.shape:
            self.batch_shape("scores", scores)
            return self.spaces.argmax(scores)  # which refuses it
        try:
            y = self.spaces.argmax(self.padded(scores))
        except InfeasibleError as error:
            raise InfeasibleError(sorted({index[:-1] for index in error.examples})) from None
        flat = self.flat(y)
        if flat.count_nonzero() != y.count_nonzero():
            raise SpaceError(f"{self.spaces!r}: expected 0 in the padding of an answer, got other numbers")
        return flat

    def _argmax(self, scores: Tensor) -> Tensor:
        return self.argmax(scores)

    def contains(self, y: Tensor) -> Tensor:
        self.batch_shape("y", y)
        return self.spaces.contains(self.padded(y, 0)).all(-1)

    def enumerate(self) -> Tensor:
        listed = [space.enumerate().flatten(1) for space in self.of_each]
        validate_enumerable(self, math.prod(map(len, listed)))
        return torch.stack([torch.cat(rows) for rows in itertools.product(*listed)])

    def spread(self, noise: Tensor) -> Tensor:
        return self.flat(self.spaces.spread(self.padded(noise, noise=True)))

    def score(self, scores: Tensor, y: Tensor) -> Tensor:
        return self.spaces.score(self.padded(scores), self.padded(y, 0)).sum(-1)

    def hamming(self, target: Tensor) -> LinearLoss:
        return self._together(self.spaces.hamming(self.padded(target, 0)))

    def regret(self, costs: Tensor, best: Tensor | None = None, *, validate: bool = True) -> LinearLoss:
        known = None if best is None else self.padded(best, 0)
        return self._together(self.spaces.regret(self.padded(costs), known, validate=validate))

    def _together(self, loss: LinearLoss) -> LinearLoss:
        assert isinstance(loss.constant, Tensor)
        assert loss.best is not None
        coefficients, best = self.flat(loss.coefficients), self.flat(loss.best)
        whole = LinearLoss(coefficients, loss.constant.sum(-1), event_dims=1)
        return attrs.evolve(whole, best=best)
