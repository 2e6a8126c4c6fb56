"""The command line: parsed into a command, which is run, and how it ends."""

from __future__ import annotations

import os
import sys
from typing import Any, Protocol

import tyro
from rich.console import Console

import structpred as sp
from tasks.common.workers import WorkersDiedError


class Command(Protocol):
    """An attrs class, each field of which is an option."""

    def run(self, console: Console) -> None: ...


def parse(kind: Any, task: str, arguments: list[str] | None = None) -> Any:
    """The command that the arguments (those of the process unless given) ask for.

    Args:
        kind: a command, or a union of ``Annotated[command, tyro.conf.subcommand(name)]``. Options are named after
            fields, also after those of a field that is a config itself.
        task: the package to run, as ``tasks.sorting``; its docstring is the description.
        arguments: the words after the package's name.
    """
    return tyro.cli(
        kind,
        args=arguments,
        prog=f"python -m {task}",
        description=sys.modules[task].__doc__,
        config=(tyro.conf.OmitSubcommandPrefixes, tyro.conf.OmitArgPrefixes, tyro.conf.EnumChoicesFromValues),
    )


def main(kind: Any, task: str, arguments: list[str] | None = None) -> int:
    """Parses and runs a command, and returns its exit status.

    That is 0, 2 for bad input or a missing extra, 3 where worker processes died twice of the same runs, 130 for Ctrl-C,
    each of these with a line that says so, or 1, without a word, where nobody reads what it prints any more, as in
    ``... --help | head``.
    """
    console = Console()
    try:
        try:
            command: Command = parse(kind, task, arguments)
            command.run(console)
        except (ValueError, sp.MissingExtraError) as error:  # structpred's ArgumentError among them
            console.print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
            return 2
        except WorkersDiedError as error:
            console.print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
            return 3
        except KeyboardInterrupt:
            console.print("stopped; the same command goes on from what its files hold")
            return 130
        finally:
            sys.stdout.flush()  # here, where a closed pipe is still seen to
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python flushes as it exits
        return 1
    return 0
