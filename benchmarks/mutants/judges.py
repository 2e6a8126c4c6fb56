"""Who judges: the tests that run the function that was changed, in a process that has imported all but the library.

To import torch takes seconds, and most mutants fail at the first of hundreds of short tests. So the packages that the
tests need are imported once, and each mutant has a fork of that process, in which its file is compiled with the change:
no file is ever written.
"""

from __future__ import annotations

import gc
import importlib
import importlib.machinery
import json
import os
import resource
import signal
import sys
import threading
import time
import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePath
from typing import Any

import pytest
from attrs import field, frozen

from benchmarks.mutants.mutations import ROOT, Mutant, mutated

_JUDGES = (
    "tests/test_*.py",
    "tests/spaces",
    "tests/objectives",
    "tests/layers",
    "tests/testing/test_shipped.py",
)
_ALWAYS = "tests/test_signatures.py::"
"""They look at defaults, and run nothing of what has them."""
_NO_JUDGES = ("test_architecture", "test_docs", "compiled", "ranks", "ctrl_c")
"""They look at the files, or start processes, which would not see the change."""

_LIBRARY = ROOT / "structpred"
_MOST_MEMORY = 16 * 2**30
_PRELOADED = (
    "torch",
    "torch.distributed",
    "torch.utils.data",
    "scipy.sparse.csgraph",
    "scipy.stats",
    "networkx",
    "hypothesis.extra.numpy",
    "hypothesis.internal.conjecture.engine",
    "ortools.linear_solver.python.model_builder",
    "ortools.sat.python.cp_model",
    "ufal.chu_liu_edmonds",
)


@frozen
class Reach:
    """A test, how long it takes, and which functions of the library it runs, each as ``file::name``."""

    test: str
    seconds: float
    functions: list[str]


@frozen
class Verdict:
    """How a fork ended."""

    exit_code: int
    """As pytest says it, or the negative number of the signal that ended it."""
    test: str
    """The first that failed."""


def record(path: Path) -> Iterator[int]:
    """Runs every judge that the file lacks on the library as it is, appends what passes, and counts on.

    Raises:
        ValueError: where pytest did not come to its end.
    """
    known = {reach.test for reach in read(path)}
    reader, writer = os.pipe()
    pid = _fork(lambda: _pytest(_Recorder(path, known, writer)))
    os.close(writer)
    with os.fdopen(reader, "rb", buffering=0) as done:
        count = len(known)
        while done.read(1):
            count += 1
            yield count
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED):
        raise ValueError(f"judges: expected tests that pytest can run, got its exit code {code}; run them to see why")


def read(path: Path) -> list[Reach]:
    """What was recorded of tests whose files are still there; a line that was cut short is left out."""
    lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []
    reaches = [Reach(**json.loads(line)) for line in lines]
    there = set(_files(reach.test for reach in reaches))
    return [reach for reach in reaches if reach.test.partition("::")[0] in there]


def judges_of(mutant: Mutant, reaches: Sequence[Reach], seconds: float) -> list[Reach]:
    """The tests that run what was changed, the fastest first, as many as take so many seconds.

    What runs at import, as default values and validators do, has the tests of all functions of its class, or of its
    file, or all there are; and those of the test file that is named after it. Those of signatures judge every change.
    """
    place = f"{mutant.file}::{mutant.scope}"
    every = {name for reach in reaches for name in reach.functions}
    names, mirror = {place} & every, ""
    if not names:
        mirror = f"test_{PurePath(mutant.file).stem.strip('_')}.py::"
    for beginning in (f"{place}.", f"{mutant.file}::", ""):
        names = names or {name for name in every if name.startswith(beginning)}
    chosen, total = [], 0.0
    for reach in sorted(reaches, key=lambda reach: reach.seconds):
        mirrors = bool(mirror) and mirror in reach.test
        if mirrors or reach.test.startswith(_ALWAYS) or not names.isdisjoint(reach.functions):
            total += reach.seconds
            if total > seconds:
                break
            chosen.append(reach)
    return chosen


def judge(mutant: Mutant | None, judges: Sequence[Reach]) -> Verdict:
    """Runs tests on the library with a change, up to the first that fails, or until that has taken far too long."""
    reader, writer = os.pipe()
    tests = {reach.test: place for place, reach in enumerate(judges)}
    usual = sum(reach.seconds for reach in judges)
    seconds = int(20 + 3 * usual)

    def run() -> int:
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
        return _pytest(_Chosen(tests, writer), "-x", *_files(tests), mutant=mutant)

    pid = _fork(run)
    os.close(writer)
    deadline = time.monotonic() + 30 + 5 * usual  # for one that waits; the processor may have others to serve
    while (ended := os.waitpid(pid, os.WNOHANG)) == (0, 0):
        if time.monotonic() > deadline:
            os.killpg(pid, signal.SIGKILL)
        time.sleep(0.02)
    with os.fdopen(reader, "r", encoding="utf-8") as said:
        return Verdict(os.waitstatus_to_exitcode(ended[1]), said.read())


def preload() -> None:
    """Imports what tests need, without the library and the tests."""
    for name in _PRELOADED:
        importlib.import_module(name)
    gc.freeze()  # what is there stays: forks need not look through it


def _fork(run: Callable[[], int]) -> int:
    """Starts a process of its own group that exits as ``run`` says, and prints nothing."""
    pid = os.fork()
    if pid:
        return pid
    code = 3
    try:
        os.setsid()
        nowhere = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(nowhere, standard)
        code = run()
    finally:
        os._exit(code)


def _pytest(plugin: object, *arguments: str, mutant: Mutant | None = None) -> int:
    for name in list(sys.modules):
        if name.split(".")[0] in ("structpred", "tasks", "benchmarks"):
            del sys.modules[name]  # the runner's own, which the tests shall import anew
    if mutant is not None:
        sys.meta_path.insert(0, _Finder(mutant))
    os.chdir(ROOT)
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
    return int(pytest.main([*options, *(arguments or _all_files())], plugins=[plugin]))


def _all_files() -> list[str]:
    return [str(path.relative_to(ROOT)) for pattern in _JUDGES for path in sorted(ROOT.glob(pattern))]


def _files(tests: Iterable[str]) -> list[str]:
    files = dict.fromkeys(test.partition("::")[0] for test in tests)
    return [file for file in files if (ROOT / file).exists()]


class _Finder:
    """Finds the changed module before any other finder does."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant
        self._name = mutant.file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    def find_spec(self, name: str, path: object = None, target: object = None) -> importlib.machinery.ModuleSpec | None:
        if name != self._name:
            return None
        file = str(ROOT / self._mutant.file)
        spec = importlib.util.spec_from_file_location(name, file, loader=_Loader(name, file))
        assert spec is not None
        spec.loader.mutant = self._mutant  # type: ignore[union-attr]
        return spec


class _Loader(importlib.machinery.SourceFileLoader):
    mutant: Mutant

    def get_code(self, fullname: str) -> types.CodeType:
        return compile(mutated(self.mutant), self.path, "exec")


@frozen(eq=False)
class _Chosen:
    """Runs these tests in their order, and says the first that fails."""

    tests: dict[str, int]
    said: int

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted(
            (item for item in items if item.nodeid in self.tests), key=lambda item: self.tests[item.nodeid]
        )

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            os.write(self.said, report.nodeid.encode())


@frozen(eq=False)
class _Recorder:
    """Appends each test that passes, with the functions of the library that it ran."""

    path: Path
    known: set[str]
    said: int
    _codes: set[types.CodeType] = field(init=False, factory=set)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [
            item
            for item in items
            if item.nodeid not in self.known and not any(name in item.nodeid for name in _NO_JUDGES)
        ]

    def pytest_runtest_setup(self) -> None:
        self._codes.clear()

    def pytest_sessionstart(self) -> None:
        threading.settrace(self._trace)  # ahead of all threads, since a pool's live on from test to test

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Any:
        sys.settrace(self._trace)
        try:
            return (yield)
        finally:
            sys.settrace(None)

    def _trace(self, frame: types.FrameType, event: str, argument: object) -> None:
        self._codes.add(frame.f_code)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed:
            functions = sorted({name for code in self._codes.copy() if (name := _name_of(code))})
            line = json.dumps({"test": report.nodeid, "seconds": report.duration, "functions": functions})
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
            os.write(self.said, b".")


def _name_of(code: types.CodeType) -> str | None:
    """The function as ``file::name``, what is defined inside it counted to it; None outside of the library."""
    path = Path(code.co_filename)
    if not path.is_relative_to(_LIBRARY) or path.is_relative_to(_LIBRARY / "testing"):
        return None
    name = code.co_qualname.partition(".<locals>")[0].replace("<module>", "").replace("<lambda>", "")
    return f"{path.relative_to(ROOT)}::{name}"
