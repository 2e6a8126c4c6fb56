"""What the experiments need beyond structpred itself, and how its absence is told."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from structpred import MissingExtraError


@contextlib.contextmanager
def tasks_extra(task: str, extra: str = "tasks") -> Iterator[None]:
    """Around imports: what is not installed is told with the extra that installs it."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "a package").partition(".")[0]
        raise MissingExtraError(f"{task} needs {package}; write pip install '.[{extra}]' in the checkout") from error
