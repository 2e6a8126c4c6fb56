"""Starts the command line."""

import sys

from benchmarks.commands import Command
from tasks.common.cli import main

if __name__ == "__main__":
    sys.exit(main(Command, "benchmarks"))
