"""``python -m tasks.knn train | evaluate | table | picture``; ``--help`` after any of them says more."""

from __future__ import annotations

import sys

from tasks.common.extra import tasks_extra

with tasks_extra("tasks.knn"):
    import torchvision  # noqa: F401  looked for here, so that its absence is told as that
    from rich.console import Console

    from tasks.common.run import exit_status
    from tasks.knn.commands import Evaluate, Picture, Table, Train, parse


def main(arguments: list[str] | None = None) -> int:
    console = Console()
    return exit_status(
        lambda: _run(parse(arguments), console),
        console,
        if_stopped="stopped; the same command goes on from its checkpoint and its results file",
    )


def _run(command: Train | Evaluate | Table | Picture, console: Console) -> None:
    from tasks.knn import experiment

    match command:
        case Train():
            experiment.run_train(command, console)
        case Evaluate():
            experiment.run_evaluate(command, console)
        case Table():
            experiment.run_table(command, console)
        case Picture():
            with tasks_extra("tasks.knn"):  # matplotlib, for this command alone
                from tasks.knn.picture import run_picture

            run_picture(command, console)


if __name__ == "__main__":
    sys.exit(main())
