"""A user's program is clean under ``mypy --strict``, and runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.user_program import Switches, check, main

ROOT = Path(__file__).parents[1]


def test_a_users_program_is_clean_under_strict_mypy():
    program = ROOT / "tests" / "user_program.py"
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--follow-imports=silent"]
    command += ["--cache-dir", str(ROOT / "build" / "mypy"), str(program)]
    run = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"MYPYPATH": str(ROOT)}, cwd=ROOT)
    assert (run.returncode, run.stdout) == (0, "Success: no issues found in 1 source file\n"), run.stdout + run.stderr


def test_it_runs(capsys):
    main()
    assert all(not report.failures for report in check(Switches(4)))
    assert capsys.readouterr().out == ""
