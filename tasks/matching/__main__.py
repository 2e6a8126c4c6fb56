"""``python -m tasks.matching train | table``; ``--help`` after either of them says more."""

from __future__ import annotations

import sys

from tasks.common.extra import tasks_extra

with tasks_extra("tasks.matching"):
    from tasks.common import cli
    from tasks.matching.commands import Command


def main(arguments: list[str] | None = None) -> int:
    return cli.main(Command, "tasks.matching", arguments)


if __name__ == "__main__":
    sys.exit(main())
