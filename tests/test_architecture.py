"""Who may know whom, read from the imports; and what importing structpred loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXTRAS = {"ortools", "networkx", "hypothesis", "pytest", "torchvision", "tyro", "rich", "matplotlib"} | {
    "joblib",
    "dask",
    "distributed",
    "ray",
    "ufal",
}


def imports_of(path: Path) -> set[str]:
    """The modules that a file imports anywhere in it, as dotted names."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            module = node.module or ""
            submodules = {f"{module}.{alias.name}" for alias in node.names}
            found |= {module} | {name for name in submodules if file_of(name) is not None}
    return found


def file_of(module: str) -> Path | None:
    base = ROOT.joinpath(*module.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.exists()), None)


def package(name: str) -> dict[str, set[str]]:
    """Every module of a package, with what it imports."""
    files = sorted((ROOT / name).rglob("*.py"))
    return {".".join(path.relative_to(ROOT).with_suffix("").parts): imports_of(path) for path in files}


def within(module: str, *packages: str) -> bool:
    return any(module == name or module.startswith(name + ".") for name in packages)


LIBRARY = package("structpred")
TASKS = package("tasks")
KERNEL = ("perturbation", "score_function", "difference", "gradient")  # in the order of the data's path
CONCRETE_SPACES = {
    name
    for name in LIBRARY
    if within(name, "structpred.spaces") and not name.endswith(("base", "__init__")) and ".spaces._" not in name
}


def test_the_library_is_found():
    assert {"structpred.noise", "structpred.spaces.base", "structpred.objectives.direct"} <= set(LIBRARY)
    assert "structpred.spaces.matching" in CONCRETE_SPACES


@pytest.mark.parametrize("module", LIBRARY)
def test_the_library_knows_neither_tasks_nor_tests(module):
    assert not [name for name in LIBRARY[module] if within(name, "tasks", "tests", "benchmarks")]


@pytest.mark.parametrize("module", [name for name in LIBRARY if not within(name, "structpred.testing")])
def test_only_the_test_kit_knows_the_test_kit(module):
    assert not [name for name in LIBRARY[module] if within(name, "structpred.testing", "hypothesis", "pytest")]


@pytest.mark.parametrize("module", [name for name in LIBRARY if within(name, "structpred.testing")])
def test_the_test_kit_knows_no_concrete_space(module):
    assert not LIBRARY[module] & CONCRETE_SPACES


@pytest.mark.parametrize("part", ["noise", "_scale", "loss", "epsilon", "spaces"])
def test_the_building_blocks_do_not_know_one_another(part):
    blocks = ("noise", "_scale", "loss", "epsilon", "spaces", *KERNEL, "objectives", "layers")
    others = {f"structpred.{name}" for name in blocks}
    allowed = {f"structpred.{part}"} | ({"structpred.loss"} if part == "spaces" else set())
    for module, imported in LIBRARY.items():
        if within(module, f"structpred.{part}"):
            assert not [name for name in imported if within(name, *(others - allowed))], module


@pytest.mark.parametrize("piece", KERNEL)
def test_the_kernel_knows_no_objective_and_no_step_after_it(piece):
    later = {f"structpred.{name}" for name in KERNEL[KERNEL.index(piece) + 1 :]}
    imported = LIBRARY[f"structpred.{piece}"]
    assert not imported & (CONCRETE_SPACES | later)
    assert not [
        name for name in imported if within(name, "structpred.objectives", "structpred.layers", "structpred.loss")
    ]


@pytest.mark.parametrize("kind", ["objectives", "layers"])
def test_objectives_and_layers_use_only_the_abstract_space_and_do_not_know_one_another(kind):
    own = {f"structpred.{kind}", f"structpred.{kind}.base"}
    presets = {"structpred.objectives.presets": {"structpred.objectives.direct"}}  # the direct loss under other names
    for module, imported in LIBRARY.items():
        if within(module, f"structpred.{kind}") and not module.endswith("__init__"):
            assert not imported & CONCRETE_SPACES, module
            known = {name for name in imported if within(name, "structpred.objectives", "structpred.layers")}
            known = {name for name in known if not name.startswith(f"structpred.{kind}._")}
            assert not known - own - presets.get(module, set()), module


@pytest.mark.parametrize("space", sorted(CONCRETE_SPACES))
def test_no_concrete_space_knows_another(space):
    assert not LIBRARY[space] & (CONCRETE_SPACES - {space})


@pytest.mark.parametrize("module", TASKS)
def test_tasks_use_public_names_and_not_each_other(module):
    own = ".".join(module.split(".")[:2])
    shared = ("tasks.common", "tasks.baselines")  # which in turn know no task
    assert not [name for name in TASKS[module] if within(name, "tasks") and not within(name, own, *shared)]
    assert not [
        name for name in TASKS[module] if name.startswith("structpred.") and not within(name, "structpred.testing")
    ]


def test_importing_structpred_loads_no_extra():
    code = "import sys, structpred; print(*{name.split('.')[0] for name in sys.modules})"
    fresh = "import sys, torch; print(*{name.split('.')[0] for name in sys.modules})"
    loaded, by_torch = (
        set(
            subprocess.run(
                [sys.executable, "-c", c], capture_output=True, text=True, check=True, cwd=ROOT
            ).stdout.split()
        )
        for c in (code, fresh)
    )
    assert "structpred" in loaded
    assert not loaded & (EXTRAS - by_torch)
