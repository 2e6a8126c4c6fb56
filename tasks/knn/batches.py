"""The images of each step, as a function of the seed and the step alone, so that a run can go on anywhere."""

from __future__ import annotations

import enum
import functools

import torch
from attrs import field, frozen
from torch import Tensor

import structpred as sp
from tasks.common.seeds import seed_for
from tasks.knn.world import World


class Stream(enum.IntEnum):
    """What random numbers are for: each has its own, so that none shifts the others."""

    EMBEDDING = 0
    SCALE = 1
    QUERIES = 2
    CANDIDATES = 3
    NOISE = 4
    AUGMENTATION = 5


@frozen
class Batches:
    """Queries and candidates of each step, from two passes over the training images, each shuffled on its own.

    An epoch is one pass of the candidates. What is left at the end of a pass is too few for a step, and sits it out.
    Processes that take a step together share out its images, with as many for each as one alone would take.

    Raises:
        ArgumentError: if there are fewer images than a step needs.
    """

    images: int
    queries: int
    candidates: int
    seed: int
    world: World = field(factory=World)
    steps_per_epoch: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        for name, needed in (("candidates", self.candidates), ("queries", self.queries)):
            most = self.images // self.world.size
            if needed > most:
                each = "" if self.world.size == 1 else f" of each of {self.world.size} processes"
                raise sp.ArgumentError(f"{name}: expected at most {most}, the training images{each}, got {needed}")
        object.__setattr__(self, "steps_per_epoch", self.images // (self.candidates * self.world.size))

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        """The step's images, counted from 0: ``(queries,), (candidates,)``, int64."""
        return self._cut(Stream.QUERIES, self.queries, step), self._cut(Stream.CANDIDATES, self.candidates, step)

    def _cut(self, stream: Stream, size: int, step: int) -> Tensor:
        passed, position = divmod(step, self.images // (size * self.world.size))
        start = (position * self.world.size + self.world.rank) * size
        return _order(self.images, seed_for(self.seed, stream, passed))[start : start + size]


@functools.lru_cache(maxsize=4)
def _order(count: int, seed: int) -> Tensor:
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))
