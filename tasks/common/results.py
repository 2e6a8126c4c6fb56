"""Results as JSON lines, each appended whole, so that a killed run can go on."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

import attrs
from rich.console import Console

import structpred as sp
from tasks.common.files import cannot_write, exclusive, require_writable
from tasks.common.structure import plain, structure

Result = TypeVar("Result", bound=attrs.AttrsInstance)


@contextlib.contextmanager
def open_results(path: Path, kind: type[Result], console: Console) -> Iterator[ResultsFile[Result]]:
    """A results file that no other process writes; the console tells if it is new, or was repaired.

    Raises:
        ArgumentError: as ``exclusive`` and ``ResultsFile`` do.
    """
    with exclusive(path, "results"):
        file = ResultsFile(path, kind)
        if file.new:
            console.print(f"{path} is new; results are added to it as they come.", markup=False, highlight=False)
        if file.cut_line:
            console.print(
                f"{path} ended in a line cut short; it was removed, and what it held runs again.",
                style="yellow",
                markup=False,
            )
        yield file


class ResultsFile(Generic[Result]):
    """Reads and appends results. Opening one checks the whole file, and that it can be written, before any training;
    it does not make the file.

    A write that was killed leaves the beginning of a line at the end, after lines that are results: that is removed.
    Nothing else is: a file with any other content is refused and stays as it is.

    Args:
        path: the file, in a folder that exists.
        kind: the class of its results.

    Raises:
        ArgumentError: if the file cannot be written, or a line is no result; the message names line and field.
    """

    def __init__(self, path: Path, kind: type[Result]) -> None:
        require_writable(path, "results")
        self.path = path
        self.new = not path.exists()
        """Whether there was no such file."""
        self.cut_line = False
        """Whether the file ended in a line cut short, which was removed."""
        self._kind = kind
        self._mend()

    def read(self) -> list[Result]:
        """Every result in the file, in its order."""
        return self._parse_all(b"" if not self.path.exists() else self.path.read_bytes())

    def _mend(self) -> None:
        """Removes a line cut short, and ends a whole one with its newline, if everything before is results."""
        if self.new:
            return
        try:
            with self.path.open("r+b") as file:
                content = file.read()
                before, newline, last = content.rpartition(b"\n")
                self.cut_line = bool(newline) and _cut_short(last)
                self._parse_all(before + newline if self.cut_line else content)
                if self.cut_line:
                    file.truncate(len(before + newline))
                elif last:
                    file.write(b"\n")
        except OSError as error:
            raise cannot_write(self.path, "results", error) from error

    def _parse_all(self, content: bytes) -> list[Result]:
        lines = content.removesuffix(b"\n").split(b"\n") if content else []
        return [self._parse(number, line) for number, line in enumerate(lines, start=1)]

    def _parse(self, number: int, line: bytes) -> Result:
        try:
            result: Result = structure(self._kind, json.loads(line.decode()))
        except (ValueError, TypeError, RecursionError) as error:
            raise sp.ArgumentError(
                f"results: expected a JSON line of this experiment, got another in line {number} of {str(self.path)!r} "
                f"({error}); repair or remove that line, or name another file with --results"
            ) from error
        return result

    def append(self, results: Iterable[Result]) -> None:
        """Adds lines in one write, so that no other reader sees half of one, and waits for the disk.

        Raises:
            ArgumentError: if they could not be written whole; then none of them is in the file.
        """
        lines = "".join(json.dumps(plain(result), allow_nan=False) + "\n" for result in results).encode()
        with self.path.open("ab", buffering=0) as file:
            before = file.tell()
            try:
                if file.write(lines) < len(lines):  # as a disk that fills up does
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(file.fileno())
            except OSError as error:
                file.truncate(before)
                raise cannot_write(self.path, "results", error) from error


def _cut_short(line: bytes) -> bool:
    """Whether it is the beginning of a line that ``append`` writes, and no more than that."""
    try:
        json.loads(line.decode())
    except ValueError:
        return line.startswith(b"{")
    return False


def commit() -> str:
    """The commit of this checkout, with a plus if files differ from it; "unknown" outside of git.

    Where the files were copied to a machine without their repository, the environment's ``STRUCTPRED_COMMIT`` names it.
    """
    if named := os.environ.get("STRUCTPRED_COMMIT"):
        return named
    describe = ["git", "describe", "--always", "--abbrev=10", "--exclude=*", "--dirty=+"]
    try:
        run = subprocess.run(describe, cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return run.stdout.strip()
