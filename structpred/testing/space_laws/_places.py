"""Where in a batch one example is another than the rest."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from attrs import frozen
from torch import Tensor

from structpred.spaces.base import StructuredSpace
from structpred.testing.circumstances import Where, default_dtype, pairwise
from structpred.testing.space_laws._rows import most_rows
from structpred.testing.space_laws.grid import Mode, leaving_torch_alone

T = TypeVar("T")


@frozen
class Place:
    """One example of a batch, the dtype of the batch, and what is set where a method is called."""

    batch: tuple[int, ...]
    row: int
    """Of the flattened batch."""
    dtype: torch.dtype
    default: torch.dtype
    """The default dtype."""
    where: Where
    mode: Mode

    def call(self, method: Callable[..., T], *arguments: Tensor) -> T:
        """What the method returns there."""

        def call() -> T:
            with self.mode.on(), leaving_torch_alone():
                return method(*arguments)

        with default_dtype(self.default):
            return self.where.run(call, self.dtype)

    @property
    def rows(self) -> int:
        return math.prod(self.batch)

    @property
    def index(self) -> tuple[int, ...]:
        """Of the example, in the batch."""
        left, index = self.row, []
        for size in reversed(self.batch):
            left, within = divmod(left, size)
            index.append(within)
        return tuple(reversed(index))


_BATCHES = [
    (7,),
    (),
    (1,),
    (2,),
    (64,),
    (65,),
    (200,),
    (256,),
    (257,),
    (513,),
    (1001,),
    (3, 5),
    (2, 3, 4, 1),
    (5, 2, 7),
]
FLOATING = [torch.float64, torch.float32, torch.float16, torch.bfloat16]
ANY = [*FLOATING, torch.bool, torch.uint8, torch.int8, torch.int32, torch.int64]


def places(space: StructuredSpace, dtypes: Sequence[torch.dtype]) -> list[Place]:
    """The first, the last and inner examples of batches of all sizes."""
    found = [
        Place(row=int(it.pop("at") * (math.prod(it["batch"]) - 1)), **it)
        for it in pairwise(
            batch=_BATCHES,
            at=[1.0, 0.0, 0.5, 0.97],
            dtype=dtypes,
            default=[torch.float32, torch.float64, torch.float16],
            where=[Where.HERE, Where.IN_ANOTHER_THREAD],
            mode=[Mode.PLAIN, Mode.NO_GRAD, Mode.INFERENCE],
        )
    ]
    return [it for it in found if it.rows <= most_rows(space)]
