"""``python -m tasks.tagging train | evaluate | table``; ``--help`` after any of them says more."""

from __future__ import annotations

import sys

from tasks.common.extra import tasks_extra

with tasks_extra("tasks.tagging"):
    from tasks.common import cli
    from tasks.tagging.commands import Command


def main(arguments: list[str] | None = None) -> int:
    return cli.main(Command, "tasks.tagging", arguments)


if __name__ == "__main__":
    sys.exit(main())
