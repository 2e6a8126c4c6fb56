"""How a command ends: the exit status, and an error as one line instead of a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from rich.console import Console

import structpred as sp


def exit_status(command: Callable[[], None], console: Console, if_stopped: str) -> int:
    """Runs the command and returns its exit status.

    That is 0, 2 for bad input or a missing extra, 130 for Ctrl-C, each of these with a line that says so, or 1, without
    a word, where nobody reads what it prints any more, as in ``... --help | head``.
    """
    try:
        try:
            command()
        except (ValueError, sp.MissingExtraError) as error:  # structpred's ArgumentError among them
            console.print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
            return 2
        except KeyboardInterrupt:
            console.print(if_stopped)
            return 130
        finally:
            sys.stdout.flush()  # here, where a closed pipe is still seen to
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python flushes as it exits
        return 1
    return 0
