"""Solvers run outside of torch.compile's graphs, and not inside of torch.func's transforms."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor
from torch._C._functorch import is_functorch_wrapped_tensor  # torch has no public name for it

from structpred.errors import Words, argument_error

P = ParamSpec("P")
R = TypeVar("R")


def eager(function: Callable[P, R]) -> Callable[P, R]:
    """A function before which torch.compile ends its graph, and after which it begins another.

    ``torch.compiler.disable`` alone would load the compiler when structpred is imported.
    """

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if torch.compiler.is_compiling():
            outside: Callable[P, R] = torch.compiler.disable(function)
            return outside(*args, **kwargs)
        return function(*args, **kwargs)

    return call


def refuse_transforms(scores: Tensor) -> None:
    """Raises ``ArgumentError`` inside ``torch.func.grad``, ``vmap`` and the like, whose tensors no solver can read."""
    if is_functorch_wrapped_tensor(scores):
        instead = "write loss.backward() or torch.autograd.grad, and batch dimensions of the scores in place of vmap"
        came = Words("one inside a transform of torch.func")
        raise argument_error("scores", "a plain tensor", came, instead)
