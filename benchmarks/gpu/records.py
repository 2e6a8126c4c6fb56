"""What was measured, as lines of a file that a killed visit goes on from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import frozen
from rich.console import Console

import structpred as sp
from tasks.common.results import ResultsFile


@frozen
class Record:
    """One measurement."""

    stage: str
    name: str
    values: dict[str, Any]
    machine: str
    commit: str


class Records:
    """A file of records, each of which is made once.

    Raises:
        ArgumentError: as ``ResultsFile`` does.
    """

    def __init__(self, path: Path, machine: str, commit: str, console: Console) -> None:
        self._file = ResultsFile(path, Record)
        self._known = {(record.stage, record.name) for record in self._file.read()}
        self._machine, self._commit, self._console = machine, commit, console

    def make(self, stage: str, name: str, measure: Callable[[], dict[str, Any]]) -> None:
        """Appends what is measured unless the file has it. An error is told and appended in its place, so that what
        comes after is measured all the same; delete the line to try again."""
        if (stage, name) in self._known:
            return
        try:
            values = measure()
        except sp.MissingExtraError as error:
            values = {"left_out": str(error)}
        except Exception as error:  # whatever it is, the visit is too short to end for it
            values = {"error": f"{type(error).__name__}: {error}"}
        self._file.append([Record(stage, name, values, self._machine, self._commit)])
        self._known.add((stage, name))
        told = ", ".join(f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
                         for key, value in values.items())  # fmt: skip
        self._console.print(f"{stage}, {name}: {told}", markup=False, highlight=False, soft_wrap=True)

    def errors(self) -> list[str]:
        """What failed."""
        return [f"{record.stage}, {record.name}" for record in self._file.read() if "error" in record.values]
