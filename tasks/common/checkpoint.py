"""A training on disk: written whole, read only if it is what it should be."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

import attrs
import torch
from attrs import frozen
from torch import Tensor

import structpred as sp
from tasks.common.files import whole_file
from tasks.common.structure import plain, structure

Run = TypeVar("Run", bound=attrs.AttrsInstance)
State = dict[str, Any]

_FORMAT = 1


@frozen(eq=False)
class Checkpoint(Generic[Run]):
    """A run, and how far it has come: plain values and tensors on the CPU."""

    run: Run
    state: State

    def save(self, path: Path) -> None:
        """Takes the place of the file before, in one move.

        Raises:
            ArgumentError: if it cannot be written; the file before stays.
        """
        content = io.BytesIO()  # on a full disk torch's own writer raises an error without a cause
        torch.save({"format": _FORMAT, "run": plain(self.run), "state": self.state}, content)
        with whole_file(path, "checkpoint") as unfinished, unfinished.open("wb") as file:
            file.write(content.getbuffer())

    @classmethod
    def load(cls, path: Path, kind: type[Run]) -> Checkpoint[Run]:
        """Reads one whose run is of this kind; nothing in the file is executed.

        Raises:
            ArgumentError: if there is no such file, or it is no checkpoint, or damaged.
        """
        with damage_named(path):
            with zipfile.ZipFile(path) as archive:  # torch itself does not look at the checksums
                if damaged := archive.testzip():
                    raise ValueError(f"{damaged!r} in it is damaged")
            saved = torch.load(path, map_location="cpu", weights_only=True)
            if saved["format"] != _FORMAT:
                raise ValueError(f"its format is {saved['format']}, not {_FORMAT}")
            return cls(structure(kind, saved["run"], "run"), saved["state"])

    @classmethod
    def resume(cls, path: Path, run: Run) -> Checkpoint[Run] | None:
        """The run's checkpoint, or None if there is no file yet.

        Raises:
            ArgumentError: also if the file is of another run; the message says what differs.
        """
        if not path.exists():
            return None
        checkpoint = cls.load(path, type(run))
        if checkpoint.run != run:
            there, here = _leaves(plain(checkpoint.run)), _leaves(plain(run))
            differing = [name for name in here if there[name] != here[name]]
            differences = "; ".join(f"{name} is {there[name]} there and {here[name]} here" for name in differing)
            raise sp.ArgumentError(
                f"checkpoint: expected one of this run in {str(path)!r}, got another's ({differences}); "
                "delete it, or name another with --checkpoint"
            )
        return checkpoint


@contextlib.contextmanager
def damage_named(path: Path) -> Iterator[None]:
    """Around all that reads a checkpoint or takes its state: whatever is wrong with that is told of the file.

    Raises:
        ArgumentError: for any error of the block.
    """
    try:
        yield
    except OSError as error:
        raise sp.ArgumentError(
            f"checkpoint: expected a file that can be read, got {str(path)!r} ({error.strerror}); "
            "write one with the train command, or name another with --checkpoint"
        ) from error
    except Exception as error:  # on bytes of any origin, zipfile and torch raise nearly everything
        raise sp.ArgumentError(
            f"checkpoint: expected a checkpoint of this experiment, got {str(path)!r} ({_reason(error)}); "
            "delete it, or name another with --checkpoint"
        ) from error


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"it has no {error}"
    if isinstance(error, pickle.UnpicklingError):  # whose own words say how to execute the file
        return "it holds more than numbers and words"
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _leaves(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a run, with those of its configs in their place."""
    found: dict[str, Any] = {}
    for name, value in fields.items():
        found |= _leaves(value) if isinstance(value, dict) else {name: value}
    return found


def checkpoint_beside(results: Path, run: attrs.AttrsInstance) -> Path:
    """Where a table keeps a training that is not finished: a name for each run."""
    digest = hashlib.sha256(json.dumps(plain(run), sort_keys=True).encode()).hexdigest()[:16]
    return results.with_name(f"{results.stem}-{digest}.pt")


def on_cpu(value: Any) -> Any:
    """A copy of a state with its tensors on the CPU."""
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {key: on_cpu(entry) for key, entry in value.items()}
    return [on_cpu(entry) for entry in value] if isinstance(value, list) else value
