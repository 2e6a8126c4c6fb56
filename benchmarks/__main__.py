"""Runs every benchmark, or those named, and prints and writes what they measured."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import tempfile
from pathlib import Path
from typing import Any

import networkx
import scipy
import torch

from benchmarks import checks, imports, integer_program, knn, memory, pyepo_training, rivals, spaces, step
from tasks.common.results import commit

BENCHMARKS = {
    "step": step.results,
    "imports": imports.results,
    "memory": memory.results,
    "spaces": spaces.results,
    "integer_program": integer_program.results,
    "checks": checks.results,
    "knn": knn.results,
    "rivals": rivals.results,
    "pyepo": pyepo_training.results,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], help="which to run; all unless named")
    parser.add_argument("--output", type=Path, help="also write the results to this JSON file")
    arguments = parser.parse_args()
    results: dict[str, Any] = {"machine": _machine()}
    for name in arguments.names or BENCHMARKS:
        print(f"{name}:", flush=True)
        if name == "pyepo" and importlib.util.find_spec("pyepo") is None:
            print("  left out: pip install '.[pyepo]'", flush=True)
            continue
        results[name] = BENCHMARKS[name]()
        for row in results[name]:
            print("  " + ", ".join(f"{key} {_shown(value)}" for key, value in row.items()), flush=True)
    if arguments.output:
        with tempfile.NamedTemporaryFile("w", dir=arguments.output.parent, delete=False) as file:
            file.write(json.dumps(results, indent=2) + "\n")
        os.replace(file.name, arguments.output)


def _shown(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"


def _machine() -> dict[str, Any]:
    return {
        "commit": commit(),
        "cores": os.cpu_count(),
        "processor": platform.machine(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "scipy": scipy.__version__,
        "networkx": networkx.__version__,
    }


if __name__ == "__main__":
    main()
