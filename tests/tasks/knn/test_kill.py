"""A training that is really killed, as by a machine that goes down, and then goes on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tasks.common.checkpoint import Checkpoint, State
from tasks.knn import session
from tasks.knn.__main__ import main
from tasks.knn.config import Run
from tasks.knn.train import Trainer
from tests.tasks.knn.tiny import OPTIONS, data, differences, files

ROOT = Path(__file__).parents[3]

SCRIPT = """
import sys
import time
import torch
from tests.tasks.knn.tiny import data
from tasks.knn import session
from tasks.knn.__main__ import main
from tasks.knn.train import Trainer

torch.set_num_threads(1)
session.load = data
step = Trainer.step
Trainer.step = lambda trainer: (time.sleep(0.02), step(trainer))  # there is time to be killed
sys.exit(main(sys.argv[1:]))
"""


def timeless(state: State) -> State:
    epochs = [{name: value for name, value in epoch.items() if name != "seconds"} for epoch in state["epochs"]]
    return state | {"epochs": epochs, "epoch_seconds": 0.0}


def kill_in_the_middle(command: list[str], checkpoint: Path) -> int:
    """Starts it, and kills it when the checkpoint has appeared and changed twice; its exit status."""
    path = os.pathsep.join([str(ROOT), str(Path(__file__).parent)])
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, *command], env=os.environ | {"PYTHONPATH": path})
    seen, deadline = set(), time.monotonic() + 120
    while len(seen) < 3 and process.poll() is None and time.monotonic() < deadline:
        if checkpoint.exists():
            seen.add(checkpoint.stat().st_mtime_ns)
        time.sleep(0.001)
    process.kill()
    return process.wait()


def test_a_training_that_was_killed_ends_as_one_that_was_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed, whole = tmp_path / "killed.pt", tmp_path / "whole.pt"
    command = ["train", *OPTIONS, "--epochs", "6", "--best-epoch", "--schedule", "one-cycle"]
    assert kill_in_the_middle([*command, "--save-every", "0", "--checkpoint", str(killed)], killed) == -signal.SIGKILL
    state = Checkpoint.load(killed, Run).state
    done, total = state["steps"], 6 * 3
    assert 0 < done < total

    steps, step = [], Trainer.step
    monkeypatch.setattr(session, "load", data)
    monkeypatch.setattr(Trainer, "step", lambda trainer: steps.append(step(trainer)))
    assert main([*command, "--checkpoint", str(killed)]) == 0
    assert len(steps) == total - done  # it did go on, and not begin anew
    assert main([*command, "--checkpoint", str(whole)]) == 0
    after, uninterrupted = (timeless(Checkpoint.load(path, Run).state) for path in (killed, whole))
    assert differences(after, uninterrupted) == []
    assert after["steps"] == total
    assert files(tmp_path) == ["killed.pt", "whole.pt"]
