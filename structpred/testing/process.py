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


def answers_in_a_new_process(space: StructuredSpace, scores: Tensor, hash_seed: int = 0) -> Tensor:
    """The answers where nothing was called before. Raises where the space cannot be sent there."""
    paths = [str(Path(path).resolve()) for path in sys.path]
    code = (
        f"import sys; sys.path[:] = {paths!r}; import pickle; space, scores = pickle.load(sys.stdin.buffer); "
        "pickle.dump(space.argmax(scores), sys.stdout.buffer)"
    )
    found: Tensor = pickle.loads(_output(code, pickle.dumps((space, scores)), hash_seed))
    return found


def hash_seed_of_another_order(words: Collection[str]) -> int | None:
    """A seed of Python's hashes, with which a set of these words has another order than here; None if none is found."""
    own = list(words)
    code = "import sys, pickle; sys.stdout.buffer.write(pickle.dumps(list(pickle.load(sys.stdin.buffer))))"
    for seed in range(1, _MOST_SEEDS):
        if pickle.loads(_output(code, pickle.dumps(words), seed)) != own:
            return seed
    return None


def _output(code: str, given: bytes, hash_seed: int) -> bytes:
    environment = os.environ | {"PYTHONHASHSEED": str(hash_seed)}
    done = subprocess.run(
        [sys.executable, "-c", code], input=given, capture_output=True, timeout=_SECONDS, check=True, env=environment
    )
    return done.stdout
