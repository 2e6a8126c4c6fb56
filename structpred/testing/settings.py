"""Torch's settings, which a call must leave as they were: read, compared and set back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch._tensor_str import get_printoptions  # which torch itself names nowhere else

_CPU = "cpu"


def _denormal() -> bool:
    """Whether numbers below the normal ones are kept; torch sets this, and does not tell."""
    return bool(torch.full((1,), 1e-310, dtype=torch.float64, device=_CPU).mul(1.0))


def _deterministic() -> tuple[bool, bool]:
    return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()


def _autocast() -> tuple[bool, torch.dtype, bool]:
    return torch.is_autocast_enabled(_CPU), torch.get_autocast_dtype(_CPU), torch.is_autocast_cache_enabled()


def _set_default_device(found: torch.device) -> None:
    torch.set_default_device(None if found.type == _CPU else found)  # a device that is set slows every call


def _set_autocast(found: tuple[bool, torch.dtype, bool]) -> None:
    torch.set_autocast_enabled(_CPU, found[0])
    torch.set_autocast_dtype(_CPU, found[1])
    torch.set_autocast_cache_enabled(found[2])


_SETTINGS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "default dtype": (torch.get_default_dtype, torch.set_default_dtype),
    "number of threads": (torch.get_num_threads, torch.set_num_threads),
    "grad mode": (torch.is_grad_enabled, torch.set_grad_enabled),
    "deterministic algorithms": (
        _deterministic,
        lambda found: torch.use_deterministic_algorithms(found[0], warn_only=found[1]),
    ),
    "precision of float32 products": (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    "default device": (torch.get_default_device, _set_default_device),
    "anomaly detection": (torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
    "threads of autograd": (torch._C._is_multithreading_enabled, torch._C._set_multithreading_enabled),
    "autocast": (_autocast, _set_autocast),
    "checks of sparse tensors": (
        torch.sparse.check_sparse_tensor_invariants.is_enabled,
        lambda found: (
            torch.sparse.check_sparse_tensor_invariants.enable()
            if found
            else torch.sparse.check_sparse_tensor_invariants.disable()
        ),
    ),
    "print options": (get_printoptions, lambda found: torch.set_printoptions(**found)),
    "repeated warnings": (torch.is_warn_always_enabled, torch.set_warn_always),
    "denormal numbers": (_denormal, lambda found: torch.set_flush_denormal(not found)),
}
"""By name, how each is read and how it is set."""


def torch_settings() -> dict[str, object]:
    """What a call might change for all others, by name."""
    found = {name: read() for name, (read, _) in _SETTINGS.items()}
    return found | {"inference mode": torch.is_inference_mode_enabled()}  # which only a block sets


@contextmanager
def restoring_torch() -> Iterator[None]:
    """Afterwards torch's settings are what they were, whatever a broken subject made of them."""
    before = torch_settings()
    try:
        yield
    finally:
        after = torch_settings()
        for name, (_, set_back) in _SETTINGS.items():
            if after[name] != before[name]:
                set_back(before[name])
