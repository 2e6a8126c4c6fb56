"""``import structpred`` against ``import torch``, each in fresh processes, in turn."""

from __future__ import annotations

import statistics
import subprocess
import sys

_TIMED = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"


def results(rounds: int = 15) -> list[dict[str, float]]:
    pairs = [(_seconds("torch"), _seconds("structpred")) for _ in range(rounds)]
    bare, ours = zip(*pairs, strict=True)
    ratio = statistics.median(b / a for a, b in pairs)
    return [{"torch_s": statistics.median(bare), "structpred_s": statistics.median(ours), "ratio": ratio}]


def _seconds(module: str) -> float:
    run = subprocess.run([sys.executable, "-c", _TIMED.format(module)], capture_output=True, text=True, check=True)
    return float(run.stdout)
