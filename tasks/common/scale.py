"""The noise settings that the paper compares in both of its experiments."""

from __future__ import annotations

import enum


class Scale(enum.Enum):
    """The three noise settings of the paper's Tables 1 and 3."""

    NONE = "none"
    """sigma = 0, classical direct loss minimisation."""
    ONE = "one"
    """sigma = 1."""
    LEARNED = "learned"
    """sigma from its own network."""

    @property
    def label(self) -> str:
        """How a table names it."""
        return {Scale.NONE: "0", Scale.ONE: "1", Scale.LEARNED: "learned"}[self]
