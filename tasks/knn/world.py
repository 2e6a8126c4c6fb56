"""The processes that train one embedding together, as torchrun starts them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from attrs import field, frozen, validators
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

Value = TypeVar("Value")


@frozen
class World:
    """How many processes there are, and which one this is; they average their gradients once ``joined``."""

    rank: int = field(default=0, validator=validators.ge(0))
    size: int = field(default=1, validator=validators.ge(1))

    @property
    def first(self) -> bool:
        """Whether this is the one that shows, measures and writes."""
        return self.rank == 0

    def wrap(self, network: nn.Module) -> nn.Module:
        """The network with gradients that are the mean over all processes; buffers are those of the first."""
        return DistributedDataParallel(network) if dist.is_initialized() else network

    def mean(self, values: Tensor) -> Tensor:
        """The mean over all processes."""
        if dist.is_initialized():
            dist.all_reduce(values)
            values = values / self.size
        return values

    def barrier(self) -> None:
        """Waits until all processes have come here."""
        if dist.is_initialized():
            dist.barrier()

    def from_first(self, value: Value) -> Value:
        """What the first process has, in all."""
        if not dist.is_initialized():
            return value
        values: list[Any] = [value if self.first else None]
        dist.broadcast_object_list(values)
        shared: Value = values[0]
        return shared


@contextlib.contextmanager
def joined(device: str) -> Iterator[World]:
    """The world that torchrun made, for a block; that of this process alone where it did not.

    Args:
        device: where the processes compute; each has a GPU of its own unless this says cpu.
    """
    if not dist.is_torchelastic_launched():
        yield World()
        return
    on_gpu = device != "cpu" and torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if on_gpu else "gloo")
    try:
        yield World(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()
