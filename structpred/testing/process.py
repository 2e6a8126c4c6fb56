"""Answers of a space in a process of its own, where no other space was called and words have other hashes."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

from torch import Tensor

from structpred.spaces.base import StructuredSpace

_SECONDS = 60.0
_MOST_SEEDS = 50
_CODE = """
import importlib, pickle, sys
sys.path[:] = {paths!r}
try:
    module = importlib.import_module({module!r})
    for name in {name!r}.split("."):
        module = getattr(module, name)
except Exception:
    sys.exit({no_module})
space, scores = pickle.load(sys.stdin.buffer)
pickle.dump(space.argmax(scores), sys.stdout.buffer)
"""
_NO_MODULE = 87
_IN_ONE = "STRUCTPRED_IN_A_NEW_PROCESS"


class FailedThereError(Exception):
    """What was raised in the other process."""


def answers_in_a_new_process(space: StructuredSpace, scores: Tensor, hash_seed: int = 0) -> Tensor | None:
    """The answers where nothing was called before.

    None where the class of the space is in no module to import, where the solver takes more than a minute, and within
    such a process.

    Raises:
        FailedThereError: where the space does not come back there, or its solver fails.
    """
    cls = type(space)
    paths = [str(Path(path).resolve()) for path in sys.path]
    code = _CODE.format(paths=paths, module=cls.__module__, name=cls.__qualname__, no_module=_NO_MODULE)
    if cls.__module__ == "__main__" or _IN_ONE in os.environ:  # whose module may check its spaces as it is imported
        return None
    try:
        done = _run(code, pickle.dumps((space, scores)), hash_seed)
    except subprocess.TimeoutExpired:
        return None
    if done.returncode == _NO_MODULE:
        return None
    if done.returncode:
        raise FailedThereError(done.stderr.decode(errors="replace").strip().rpartition("\n")[2])
    found: Tensor = pickle.loads(done.stdout)
    return found


def hash_seeds_of_other_orders(words: Collection[str], count: int = 2) -> list[int]:
    """Seeds of Python's hashes, with which a set of these words has other orders than here; fewer if not found."""
    code = "import sys, pickle; sys.stdout.buffer.write(pickle.dumps(list(pickle.load(sys.stdin.buffer))))"
    orders, seeds = [list(words)], list[int]()
    for seed in range(1, _MOST_SEEDS):
        order = pickle.loads(_run(code, pickle.dumps(words), seed).stdout)
        if order not in orders:
            orders.append(order)
            seeds.append(seed)
        if len(seeds) == count:
            break
    return seeds


def _run(code: str, given: bytes, hash_seed: int) -> subprocess.CompletedProcess[bytes]:
    environment = os.environ | {"PYTHONHASHSEED": str(hash_seed), _IN_ONE: "1"}
    return subprocess.run(
        [sys.executable, "-c", code], input=given, capture_output=True, timeout=_SECONDS, check=False, env=environment
    )
