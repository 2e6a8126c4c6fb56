"""A results file: one JSON line a repetition, appended whole, so that a killed run can go on."""

from __future__ import annotations

import enum
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import attrs
from attrs import frozen

import structpred as sp
from tasks.sorting.config import Scale, Training
from tasks.sorting.train import Outcome


@frozen
class Result:
    """One line: what was run, and what came of it."""

    length: int
    scale: Scale
    training: dict[str, Any]
    """The fields of ``Training``, enums by value, as ``settings_of`` gives them."""
    outcome: Outcome
    commit: str


def settings_of(training: Training) -> dict[str, Any]:
    """A training as plain JSON values, to write and to compare."""
    return attrs.asdict(training, value_serializer=_enum_by_value)


class ResultsFile:
    """Reads and appends results. Making one checks that the file can be written, before any training.

    Raises:
        ArgumentError: if the path cannot be written, or a line is damaged. A last line without its end
            is the trace of a killed run, and is removed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cut_line = False
        """Whether the file ended in a line cut short, which was removed."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.open("a").close()
        except OSError as error:
            raise sp.ArgumentError(
                f"results: expected a file that can be written, got {str(path)!r} ({error.strerror}); "
                "name another with --results"
            ) from error
        self._remove_cut_line()
        self.read()

    def _remove_cut_line(self) -> None:
        content = self.path.read_bytes()
        whole, newline, rest = content.rpartition(b"\n")
        if not rest:
            return
        self.cut_line = True
        os.truncate(self.path, len(whole + newline))

    def read(self) -> list[Result]:
        """Every result in the file, in its order."""
        lines = self.path.read_bytes().splitlines()
        return [self._parse(number, line) for number, line in enumerate(lines, start=1)]

    def _parse(self, number: int, line: bytes) -> Result:
        try:
            fields = json.loads(line.decode())
            outcome = Outcome(**fields.pop("outcome"))
            return Result(scale=Scale(fields.pop("scale")), outcome=outcome, **fields)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise sp.ArgumentError(
                f"results: expected a JSON line of this experiment, got another in line {number} of {str(self.path)!r} "
                f"({error}); repair or remove that line, or name another file with --results"
            ) from error

    def append(self, results: Iterable[Result]) -> None:
        """Adds lines in one write, so that no other reader sees half of one, and waits for the disk."""
        lines = "".join(json.dumps(attrs.asdict(r, value_serializer=_enum_by_value)) + "\n" for r in results)
        with self.path.open("ab", buffering=0) as file:
            file.write(lines.encode())
            os.fsync(file.fileno())


def _enum_by_value(_: object, __: object, value: Any) -> Any:
    return value.value if isinstance(value, enum.Enum) else value
