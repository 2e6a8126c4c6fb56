"""Subjects that are each wrong in one way. All modules are imported here, so that the lists of them are whole."""

from tests.testing.broken import (
    answers,
    argmax,
    direct,
    direct_circumstances,
    layers,
    memory,
    other_circumstances,
    potentials,
    rare,
    rare_gradients,
    remembering,
    score_functions,
    spaces,
    structures,
    units,
)

__all__ = [
    "answers",
    "argmax",
    "direct",
    "direct_circumstances",
    "layers",
    "memory",
    "other_circumstances",
    "potentials",
    "rare",
    "rare_gradients",
    "remembering",
    "score_functions",
    "spaces",
    "structures",
    "units",
]
