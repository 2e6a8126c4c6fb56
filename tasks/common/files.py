"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import structpred as sp


def check_writable(path: Path, option: str) -> None:
    """Refuses a path that ``whole_file`` could not write, before any long work is done for it."""
    with _unfinished(path, option):
        pass


@contextlib.contextmanager
def whole_file(path: Path, option: str) -> Iterator[Path]:
    """Gives a new file beside ``path`` to write to; it takes the place of ``path`` when the block ends well.

    A block that fails, for want of space, say, leaves what was there before.

    Args:
        path: the file to be; its folders are made.
        option: the command's option that names it, for the message.

    Raises:
        ArgumentError: if the file cannot be written.
    """
    with _unfinished(path, option) as unfinished:
        try:
            yield unfinished
            with unfinished.open("rb") as file:
                os.fsync(file.fileno())  # before the name moves: a power cut must not leave an empty file under it
            os.replace(unfinished, path)
        except OSError as error:
            raise cannot_write(path, option, error) from error


@contextlib.contextmanager
def _unfinished(path: Path, option: str) -> Iterator[Path]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if path.exists() and not path.is_file():
            raise OSError(errno.EINVAL, "a device or a pipe, which would be replaced")
        unfinished = path.with_name(f".{path.name}.unfinished")
        unfinished.open("wb").close()  # empty, whatever a killed run left there
    except OSError as error:
        raise cannot_write(path, option, error) from error
    try:
        yield unfinished
    finally:
        unfinished.unlink(missing_ok=True)


def cannot_write(path: Path, option: str, error: OSError) -> sp.ArgumentError:
    return sp.ArgumentError(
        f"{option}: expected a file that can be written, got {str(path)!r} ({error.strerror}); "
        f"name another with --{option}"
    )
