"""Peak memory of a training step, as bytes an entry of batch x draws x d^2.

Each size runs in a process of its own; a straight line through the peaks gives the factor, and how
well it fits says whether the growth is linear. Reads /proc, so it runs on Linux alone.
"""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import numpy as np
import torch

import structpred as sp

_SIZES = [(10, 5, 40), (10, 5, 100), (20, 5, 100), (10, 20, 100), (40, 10, 100), (20, 10, 200)]


def _peak(batch: int, draws: int, length: int) -> int:
    """The most resident bytes that one forward and backward pass adds to the process."""
    space = sp.Matching(length)
    objective = sp.PerturbedDirectLoss(space, epsilon=-1.0, num_samples=draws)

    def step(batch: int) -> None:
        scores = torch.zeros(batch, length, length, requires_grad=True)
        scale = torch.ones(batch, 1, 1, requires_grad=True)
        objective(scores, space.hamming(torch.eye(length).expand_as(scores)), scale=scale).backward()

    step(1)  # what the first call loads is not the step's
    before = most_resident()
    step(batch)
    return most_resident() - before


def most_resident() -> int:
    """The most bytes this process has held. (getrusage's figure would start with that of the parent.)"""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


def results() -> list[dict[str, float]]:
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        peaks = np.array(pool.starmap(_peak, _SIZES, chunksize=1), dtype=float)
    entries = np.array([batch * draws * length**2 for batch, draws, length in _SIZES], dtype=float)
    factor, offset = np.polyfit(entries, peaks, 1)
    fit = np.corrcoef(entries, peaks)[0, 1] ** 2
    return [{"bytes_per_entry": factor, "offset_mib": offset / 2**20, "r_squared": fit}]
