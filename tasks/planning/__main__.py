"""``python -m tasks.planning train | table | figure``; ``--help`` after any of them says more."""

from __future__ import annotations

import sys

from tasks.common.extra import tasks_extra

with tasks_extra("tasks.planning"):
    from tasks.common import cli
    from tasks.planning.commands import Command


def main(arguments: list[str] | None = None) -> int:
    return cli.main(Command, "tasks.planning", arguments)


if __name__ == "__main__":
    sys.exit(main())
