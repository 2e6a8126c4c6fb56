"""A space as a value: it can be stored, compared and read."""

from __future__ import annotations

import copy
import pickle

from structpred.spaces.base import StructuredSpace
from structpred.testing.law import ViolationError, law


@law()
def pickles(space: StructuredSpace) -> None:
    """A pickled space comes back, so that it can be sent to a process and stored beside a model."""
    try:
        again = pickle.loads(pickle.dumps(space))
    except Exception as error:
        raise ViolationError("the space does not pickle", got=f"{type(error).__name__}: {error}") from error
    if again.shape != space.shape or type(again) is not type(space):
        raise ViolationError("another space comes back", got=again, expected=space)


@law()
def equals_its_copies(space: StructuredSpace) -> None:
    """A copy is equal and has an equal hash; something else is not equal."""
    again = copy.deepcopy(space)
    if again != space or space == object():
        raise ViolationError("a copy is not equal; make the class attrs.frozen", got=again, expected=space)
    if hash(again) != hash(space):
        raise ViolationError("an equal copy has another hash", got=hash(again), expected=hash(space))


@law()
def reads_well(space: StructuredSpace) -> None:
    """The repr is one short line with the class's name and no address, equal for equal spaces."""
    text = repr(space)
    if type(space).__name__ not in text or " at 0x" in text or "\n" in text or len(text) > 300:
        raise ViolationError(
            "the repr does not say what the space is", got=text, expected=f"{type(space).__name__}(...)"
        )
    if repr(copy.deepcopy(space)) != text:
        raise ViolationError("a copy reads differently", got=repr(copy.deepcopy(space)), expected=text)
