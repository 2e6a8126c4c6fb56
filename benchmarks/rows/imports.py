"""``import structpred`` against ``import torch``, each in a fresh process that has nothing else to do."""

import subprocess
import sys
from functools import partial

from benchmarks.row import Case, Group, Row


def _case() -> Case:
    return Case(partial(_import, "structpred"), partial(_import, "torch"))


def _import(module: str) -> None:
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)


ROWS = [Row(Group.IMPORT, "import structpred", "import torch", _case)]
