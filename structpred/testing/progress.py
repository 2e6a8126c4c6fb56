"""Says on a terminal which law is tried, while a check runs. By hand, to leave users of the kit one package less."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

_WIDTH = 78


@contextlib.contextmanager
def progress(total: int) -> Iterator[Callable[[str], None]]:
    """A function that shows the name of the next of so many laws, on a line of its own that is cleared at the end.

    Where standard error is no terminal, nothing is shown.
    """
    if not sys.stderr.isatty():
        yield lambda name: None
        return
    done = 0

    def show(name: str) -> None:
        nonlocal done
        done += 1
        sys.stderr.write(f"\r{f'law {done} of {total}: {name}'[:_WIDTH]:{_WIDTH}}")
        sys.stderr.flush()

    try:
        yield show
    finally:
        sys.stderr.write(f"\r{'':{_WIDTH}}\r")
        sys.stderr.flush()
