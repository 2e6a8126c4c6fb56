"""How a command ends: the exit status, and an error as one line instead of a traceback."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console


def exit_status(command: Callable[[], None], console: Console, if_stopped: str) -> int:
    """Runs the command: 0, or 2 for bad input, or 130 for Ctrl-C, with a line that says so."""
    try:
        command()
    except ValueError as error:  # structpred's ArgumentError among them
        console.print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        return 2
    except KeyboardInterrupt:
        console.print(if_stopped)
        return 130
    return 0
