"""Results as JSON lines, each appended whole, so that a killed run can go on."""

from __future__ import annotations

import abc
import enum
import errno
import json
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Generic, TypeVar

import attrs
from rich.console import Console

import structpred as sp
from tasks.common.files import cannot_write, check_writable

Result = TypeVar("Result", bound=attrs.AttrsInstance)


class ResultsFile(abc.ABC, Generic[Result]):
    """Reads and appends results. Making one checks that the file can be written, before any training,
    and does not make the file.

    A subclass says how the fields of a line become a result.

    Raises:
        ArgumentError: if the path cannot be written, or a line is damaged. A last line without its end
            is the trace of a killed run, and is removed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cut_line = False
        """Whether the file ended in a line cut short, which was removed."""
        try:
            path.open("r+b").close()
        except FileNotFoundError:
            check_writable(path, "results")
        except OSError as error:
            raise cannot_write(path, "results", error) from error
        self._remove_cut_line()
        self.read()

    @classmethod
    @abc.abstractmethod
    def result_of(cls, fields: dict[str, Any]) -> Result:
        """The result that a line's JSON object stands for; any of the usual errors if it stands for none."""

    def tell_of_cut_line(self, console: Console) -> None:
        if self.cut_line:
            console.print(
                f"{self.path} ended in a line cut short; it was removed, and what it held runs again.",
                style="yellow",
                markup=False,
            )

    def _content(self) -> bytes:
        return self.path.read_bytes() if self.path.exists() else b""

    def _remove_cut_line(self) -> None:
        content = self._content()
        whole, newline, rest = content.rpartition(b"\n")
        if not rest:
            return
        self.cut_line = True
        os.truncate(self.path, len(whole + newline))

    def read(self) -> list[Result]:
        """Every result in the file, in its order."""
        lines = self._content().splitlines()
        return [self._parse(number, line) for number, line in enumerate(lines, start=1)]

    def _parse(self, number: int, line: bytes) -> Result:
        try:
            return self.result_of(json.loads(line.decode()))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise sp.ArgumentError(
                f"results: expected a JSON line of this experiment, got another in line {number} of {str(self.path)!r} "
                f"({error}); repair or remove that line, or name another file with --results"
            ) from error

    def append(self, results: Iterable[Result]) -> None:
        """Adds lines in one write, so that no other reader sees half of one, and waits for the disk.

        Raises:
            ArgumentError: if they could not be written whole; then none of them is in the file.
        """
        lines = "".join(json.dumps(plain(result)) + "\n" for result in results).encode()
        with self.path.open("ab", buffering=0) as file:
            before = file.tell()
            try:
                if file.write(lines) < len(lines):  # as a disk that fills up does
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(file.fileno())
            except OSError as error:
                file.truncate(before)
                raise cannot_write(self.path, "results", error) from error


def plain(value: attrs.AttrsInstance) -> dict[str, Any]:
    """A config or result as plain JSON values, enums by value, to write and to compare."""
    return attrs.asdict(value, value_serializer=_enum_by_value)


def _enum_by_value(_: object, __: object, value: Any) -> Any:
    return value.value if isinstance(value, enum.Enum) else value


def commit() -> str:
    """The commit of this checkout, with a plus if files differ from it; "unknown" outside of git."""
    describe = ["git", "describe", "--always", "--abbrev=10", "--exclude=*", "--dirty=+"]
    try:
        run = subprocess.run(describe, cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return run.stdout.strip()
