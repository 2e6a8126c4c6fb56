"""Answers of spaces in a process of its own, where no other space was called and words have other hashes."""

from __future__ import annotations

import io
import itertools
import os
import pickle
import subprocess
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from structpred.spaces.base import StructuredSpace

_SECONDS = 60.0
_MOST_SEEDS = 20
# Torch takes seconds to load; so one process forks another for each space, in which only that one is called. What they
# print goes to where errors go.
_CODE = """
import importlib, os, pickle, sys
sys.path[:] = {paths!r}
answers = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)
try:
    module = importlib.import_module({module!r})
    for name in {name!r}.split("."):
        module = getattr(module, name)
except Exception:
    sys.exit({no_module})

def answer(given):
    try:
        space, scores = pickle.loads(given)
        return pickle.dumps((True, (space.argmax(scores), space.argmax(scores))))
    except BaseException as error:
        return pickle.dumps((False, f"{{type(error).__name__}}: {{error}}"))

for given in pickle.load(sys.stdin.buffer):
    if not hasattr(os, "fork"):
        pickle.dump(answer(given), answers)
        break
    reader, writer = os.pipe()
    if os.fork() == 0:
        with os.fdopen(writer, "wb") as found:
            found.write(answer(given))
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as found:
        pickle.dump(found.read(), answers)
    os.wait()
"""
_NO_MODULE = 87
_IN_ONE = "STRUCTPRED_IN_A_NEW_PROCESS"


class FailedThereError(Exception):
    """What was raised in the other process."""


def answers_in_new_processes(
    spaces: Sequence[StructuredSpace], scores: Sequence[Tensor], hash_seed: int = 0
) -> list[tuple[Tensor, Tensor] | FailedThereError]:
    """The answers of each space where no other was called, those of a second call too, or what was raised there.

    Fewer than there are spaces, or none, where their class is in no module to import, where the solvers take more than
    a minute, where there are no forks, and within such a process.
    """
    if not spaces:
        return []
    cls = type(spaces[0])
    paths = [str(Path(path).resolve()) for path in sys.path]
    code = _CODE.format(paths=paths, module=cls.__module__, name=cls.__qualname__, no_module=_NO_MODULE)
    if cls.__module__ == "__main__" or _IN_ONE in os.environ:  # whose module may check its spaces as it is imported
        return []
    given = [pickle.dumps(pair) for pair in zip(spaces, scores, strict=True)]
    try:
        done = _run(code, given, hash_seed)
    except subprocess.TimeoutExpired:
        return []
    found = list[Any]()
    answers = io.BytesIO(done.stdout)
    while answers.tell() < len(done.stdout):
        answer = pickle.load(answers)
        came, what = pickle.loads(answer) if answer else (False, "the process ended")
        found.append(what if came else FailedThereError(str(what)))
    return found


def hash_seeds_of_other_orders(collections: Sequence[Collection[Any]], count: int) -> list[int]:
    """Seeds of Python's hashes, with which sets of these items have other orders.

    Also other places in one of them for those that are in another one too, as far as some seeds give these.
    """
    code = (
        "import sys, pickle; sys.stdout.buffer.write(pickle.dumps("
        "[list(frozenset(items)) for items in pickle.load(sys.stdin.buffer)]))"
    )
    given = [list(items) for items in collections]
    here = _places([list(frozenset(items)) for items in given])
    moved = dict[int, int]()
    for seed in range(1, _MOST_SEEDS):
        there = _places(pickle.loads(_run(code, given, seed).stdout))
        moved[seed] = sum(one != other for one, other in zip(here, there, strict=True))
        if sum(it == len(here) for it in moved.values()) == count:
            break
    return sorted(moved, key=lambda seed: -moved[seed])[:count]


def _places(orders: list[list[Any]]) -> list[list[Any]]:
    """Each order, and of each the places of those that are in another one, where some are and others are not."""
    places = [order for order in orders if len(order) > 1]
    for order, other in itertools.product(orders, map(frozenset, orders)):
        shared = [place for place, item in enumerate(order) if item in other]
        if 0 < len(shared) < len(order):
            places.append(shared)
    return places


def _run(code: str, given: object, hash_seed: int) -> subprocess.CompletedProcess[bytes]:
    environment = os.environ | {"PYTHONHASHSEED": str(hash_seed), _IN_ONE: "1"}
    return subprocess.run(
        [sys.executable, "-c", code],
        input=pickle.dumps(given),
        capture_output=True,
        timeout=_SECONDS,
        check=False,
        env=environment,
    )
