"""The wheel, in an environment that has what its metadata asks for and nothing else, without extras and with each.

To download torch for each would take minutes. So an environment gets links to those of the installed distributions that
the wheel requires there: what the wheel forgets to ask for is missing.
"""

from __future__ import annotations

import re
import subprocess
import sys
import venv
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]

README = re.search(
    r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
)[1]

NEEDS_EXTRA = {
    "graph": "sp.DagPath.grid(2, 3).argmax(torch.randn(4, 7))",
    "parsing": "sp.Arborescence(3).argmax(torch.randn(4, 4, 3))",
    "ortools": "sp.IntegerProgram(4, LinearConstraint([1, 1, 1, 1], ub=2)).argmax(torch.randn(4, 4))",
    "testing": "import structpred.testing as kit; kit.check_space(sp.OneHot(3), max_examples=2, max_seconds=0.05)",
}
"""What each extra that users need is for."""
WITH_TORCH = {"graph"}
"""Works without the extra too, as torch itself requires networkx."""
OTHERS = {"tasks", "cluster", "ray", "pyepo", "docs", "dev"}
"""For a checkout, which is no wheel."""

PROGRAM = f"""
{README}
assert y.shape == (32, 10, 10) and scores.grad.any()
from scipy.optimize import LinearConstraint
import importlib.metadata, sys
assert sp.__version__ == importlib.metadata.version("structpred")
assert sys.prefix in sp.__file__, sp.__file__

def works(code):
    try:
        exec(code)
    except sp.MissingExtraError as error:
        return str(error)
    return True

print({{extra: works(code) for extra, code in {NEEDS_EXTRA!r}.items()}})
"""


def required(wheel: Distribution, extra: str | None) -> Iterator[Distribution]:
    """What a distribution asks for, and what that asks for."""
    seen: set[tuple[str, frozenset[str]]] = set()
    todo = [(wheel, frozenset({extra or ""}))]
    while todo:
        parent, extras = todo.pop()
        for told in parent.requires or ():
            requirement = Requirement(told)
            if requirement.marker and not any(requirement.marker.evaluate({"extra": it}) for it in extras or {""}):
                continue
            key = requirement.name, frozenset(requirement.extras or {""})
            if key not in seen:
                seen.add(key)
                found = wheel if requirement.name == wheel.name else distribution(requirement.name)
                todo.append((found, key[1]))
                if found is not wheel:
                    yield found


def link(distributions: Iterable[Distribution], folder: Path) -> None:
    for found in distributions:
        for name in {file.parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
            if not (folder / name).exists():
                (folder / name).symlink_to(str(found.locate_file(name)))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
    subprocess.run(build, check=True, cwd=ROOT, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.mark.parametrize("extra", [None, *NEEDS_EXTRA])
def test_the_readmes_example_runs_from_the_wheel(wheel, tmp_path, extra):
    venv.create(tmp_path, with_pip=False, symlinks=True)
    (packages,) = tmp_path.glob("lib/python*/site-packages")
    python = tmp_path / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run(install, check=True)
    (metadata,) = packages.glob("structpred-*.dist-info")
    link(required(Distribution.at(metadata), extra), packages)
    run = subprocess.run([python, "-I", "-c", PROGRAM], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    works = eval(run.stdout)
    assert {name for name in works if works[name] is True} == WITH_TORCH | ({extra} - {None})
    for name in works.keys() - WITH_TORCH - {extra}:
        assert f"pip install 'structpred[{name}]'" in works[name]


def test_every_extra_is_known_here(wheel):
    known = re.findall(
        r"^(\w+) = \[",
        (ROOT / "pyproject.toml")
        .read_text(encoding="utf-8")
        .partition("optional-dependencies]")[2]
        .partition("\n[")[0],
        re.MULTILINE,
    )
    assert set(known) == NEEDS_EXTRA.keys() | OTHERS
