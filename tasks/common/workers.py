"""A table's batches on many processes, of this machine or of a cluster."""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
from attrs import field, frozen, validators

from tasks.common.extra import tasks_extra
from tasks.common.settings import at_least_one

if TYPE_CHECKING:
    from tasks.common.pools import Pool

Item = TypeVar("Item")
Answer = TypeVar("Answer")

_TRIES = 2


class Backend(enum.Enum):
    """Whose processes train."""

    LOKY = "loky"
    """This machine's."""
    DASK = "dask"
    """Those of a Dask cluster that runs already."""
    RAY = "ray"
    """Those of a Ray cluster that runs already."""


class WorkersDiedError(RuntimeError):
    """Processes died of some items in every try; ``items`` holds these, and ``reason`` what is known of a death."""

    def __init__(self, items: Sequence[Any], reason: str) -> None:
        super().__init__(items, reason)
        self.items, self.reason = list(items), reason

    def __str__(self) -> str:
        told = "; ".join(_in_words(item) for item in self.items)
        return (
            f"workers: expected all to be trained, but the processes that trained these died ({self.reason}): {told}. "
            "All others are done; give the processes what they lack, memory as a rule, and the same command goes on"
        )


def _in_words(item: Any) -> str:
    """A run by its own fields, without those of its configs."""
    if not attrs.has(type(item)):
        return repr(item)
    values = attrs.asdict(item, recurse=False).items()
    own = {name: value.value if isinstance(value, enum.Enum) else value for name, value in values}
    return ", ".join(f"{name} {value}" for name, value in own.items() if not attrs.has(type(value)))


@frozen
class Workers:
    """How many processes train a table, and whose."""

    workers: int | None = field(default=None, validator=validators.optional(at_least_one))
    """Processes that train at the same time, with one thread each; this one alone, with its threads, unless given."""
    backend: Backend = Backend.LOKY
    """Whose processes."""
    address: str | None = None
    """Where the cluster is; what DASK_SCHEDULER_ADDRESS or RAY_ADDRESS says unless given."""

    def __attrs_post_init__(self) -> None:
        if self.workers is None and self.backend is not Backend.LOKY:
            raise ValueError(
                "workers: expected how many of the cluster's to use, got none; write for example --workers 8"
            )
        if self.address is not None and self.backend is Backend.LOKY:
            raise ValueError(
                f"address: expected none for loky, whose processes are of this machine, got {self.address!r}; "
                "add --backend dask or ray"
            )

    def answers(self, work: Callable[[Item], Answer], items: Sequence[Item]) -> Iterator[Answer]:
        """``work(item)`` of each item, as they finish, in any order; ``workers`` of them are under way at a time.

        Work and items are pickled. An item whose process died is tried once more after all others, and left out where
        that one dies too.

        Raises:
            WorkersDiedError: at the end, with the items left out.
            Exception: what ``work`` raises, at once; what is under way is given up.
            ArgumentError: if there is no cluster at the address.
            MissingExtraError: if the backend is not installed.
        """
        left, reason = dict(enumerate(items)), ""
        with self._pool() as pool:
            for _ in range(1 if pool.tries_again_itself else _TRIES):
                with contextlib.closing(pool.outcomes(work, left)) as outcomes:
                    for outcome in outcomes:
                        if outcome.number is None:
                            reason = outcome.died_of
                            continue
                        if outcome.error is not None:
                            raise outcome.error
                        del left[outcome.number]
                        yield outcome.answer
        if left:
            raise WorkersDiedError(list(left.values()), reason)

    def _pool(self) -> contextlib.AbstractContextManager[Pool]:
        assert self.workers is not None
        extra = "ray" if self.backend is Backend.RAY else "cluster"
        with tasks_extra(f"--backend {self.backend.value}", extra):
            from tasks.common import pools

            match self.backend:
                case Backend.LOKY:
                    return pools.LokyPool(self.workers)
                case Backend.DASK:
                    return pools.DaskPool(self.workers, self.address)
                case Backend.RAY:
                    return pools.RayPool(self.workers, self.address)
