"""Files that are written whole or not at all, by one process at a time."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

import structpred as sp

DEFAULT_FOLDER = Path("results")
"""Where commands write unless told; the one folder that is made where it is missing."""


def require_writable(path: Path, option: str) -> None:
    """Refuses a path that ``whole_file`` could not write, before any long work is done for it.

    Raises:
        ArgumentError: if the file cannot be written: its folder does not exist, it is a folder, a device or a pipe.
    """
    with _unfinished(path, option):
        pass


@contextlib.contextmanager
def whole_file(path: Path, option: str) -> Iterator[Path]:
    """Yields a new file beside ``path`` to write to; it takes the place of ``path`` when the block ends well.

    A block that fails, for want of space, say, leaves what was there before.

    Args:
        path: the file to be, in a folder that exists.
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
def exclusive(path: Path, option: str) -> Iterator[None]:
    """Keeps every other process that asks for ``path`` out while the block runs; a killed process keeps nobody out.

    Raises:
        ArgumentError: at once, if another process has the file, or it cannot be written.
    """
    require_writable(path, option)
    real = path.resolve()
    lock = FileLock(real.with_name(f".{real.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise sp.ArgumentError(
            f"{option}: expected a file that no other process writes, got {str(path)!r}, which one does; "
            f"wait until it ends, or name another with --{option}"
        ) from error
    except OSError as error:
        raise cannot_write(path, option, error) from error
    try:
        yield
    finally:
        Path(lock.lock_file).unlink(missing_ok=True)  # while the lock is held: afterwards it may be another's
        lock.release()


@contextlib.contextmanager
def _unfinished(path: Path, option: str) -> Iterator[Path]:
    try:
        if path.parent == DEFAULT_FOLDER:
            path.parent.mkdir(exist_ok=True)
        if not path.parent.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, f"there is no folder {str(path.parent)!r}")
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if path.exists() and not path.is_file():
            raise OSError(errno.EINVAL, "a device or a pipe")
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
