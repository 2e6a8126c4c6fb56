"""The API reference has every public name, once, and each name says what it is."""

from __future__ import annotations

import importlib
import inspect
import re
from collections import Counter
from pathlib import Path

import pytest

PACKAGES = ("structpred", "structpred.spaces", "structpred.objectives", "structpred.layers", "structpred.testing")
DIRECTIVE = re.compile(r"^\.\. (currentmodule|autoclass|autofunction|automodule|py:data):: (\S+)$", re.MULTILINE)


def described() -> list[str]:
    """The full names that the pages of the reference describe."""
    found = []
    for page in sorted((Path(__file__).parents[1] / "docs" / "api").glob("*.rst")):
        module = ""
        for directive, name in DIRECTIVE.findall(page.read_text(encoding="utf-8")):
            if directive == "currentmodule":
                module = name
            else:
                found.append(name if directive == "automodule" else f"{module}.{name}")
    return found


def public() -> set[str]:
    """The full name of every public object, the shortest where packages share it."""
    names = {}
    for package in PACKAGES:
        module = importlib.import_module(package)
        for name in module.__all__:
            names.setdefault(id(getattr(module, name)), f"{package}.{name}")
    return set(names.values())


def members(owner: object) -> dict[str, object]:
    """What a user may call or read of an object: a module's own functions and classes, a class's methods."""
    if inspect.ismodule(owner):
        return {n: v for n, v in vars(owner).items() if n[0] != "_" and getattr(v, "__module__", "") == owner.__name__}
    if inspect.isclass(owner):
        kinds = (property, classmethod, staticmethod)
        named = {name: value for name, value in vars(owner).items() if name[0] != "_"}
        return {n: getattr(owner, n) for n, v in named.items() if inspect.isfunction(v) or isinstance(v, kinds)}
    return {}


def test_the_reference_describes_every_public_name_once_and_no_other():
    assert Counter(described()) == Counter(public())


@pytest.mark.parametrize("name", sorted(public()))
def test_a_public_name_says_what_it_is(name):
    package, _, last = name.rpartition(".")
    thing = getattr(importlib.import_module(package), last)
    if not isinstance(thing, tuple) and name != "structpred.objectives.Reduction":  # the pages themselves say those
        found = {name: thing} | {f"{name}.{n}": member for n, member in members(thing).items()}
        assert [n for n, value in found.items() if not inspect.getdoc(value)] == []
