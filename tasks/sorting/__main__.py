"""``python -m tasks.sorting train | table | figure``; ``--help`` after any of them says more."""

from __future__ import annotations

import sys

from tasks.common.extra import tasks_extra

with tasks_extra("tasks.sorting"):
    from rich.console import Console

    from tasks.common.run import exit_status
    from tasks.sorting.commands import Figure, Table, Train, parse


def main(arguments: list[str] | None = None) -> int:
    console = Console()
    return exit_status(
        lambda: _run(parse(arguments), console),
        console,
        if_stopped="stopped; the table command goes on from what its results file holds",
    )


def _run(command: Train | Table | Figure, console: Console) -> None:
    match command:
        case Train():
            from tasks.sorting.experiment import run_train

            run_train(command, console)
        case Table():
            from tasks.sorting.experiment import run_table

            run_table(command, console)
        case Figure():
            with tasks_extra("tasks.sorting"):  # matplotlib, for this command alone
                from tasks.sorting.figure import run_figure

            run_figure(command, console)


if __name__ == "__main__":
    sys.exit(main())
