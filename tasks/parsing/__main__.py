"""``python -m tasks.parsing train | evaluate | parse | compare | table``; ``--help`` after any of them says more."""

from __future__ import annotations

import sys

from tasks.common.extra import tasks_extra

with tasks_extra("tasks.parsing"):
    from tasks.common import cli
    from tasks.parsing.commands import Command


def main(arguments: list[str] | None = None) -> int:
    return cli.main(Command, "tasks.parsing", arguments)


if __name__ == "__main__":
    sys.exit(main())
