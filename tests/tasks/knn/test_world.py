"""Processes that train together: their images and noise are their own, and what they learn is what one would."""

import os
import subprocess
import sys
from pathlib import Path

import attrs
import pytest
import torch

import structpred as sp
from tasks.common.checkpoint import Checkpoint, State
from tasks.common.settings import Scale
from tasks.knn.batches import Batches
from tasks.knn.config import Growth, Run
from tasks.knn.train import Trainer
from tasks.knn.world import World
from tests.tasks.knn.tiny import CPU, TINY, data, differences

ROOT = Path(__file__).parents[3]

SCRIPT = """
import sys
import torch
from tests.tasks.knn.tiny import data
from tasks.knn import session
from pathlib import Path
from rich.console import Console
from tasks.common.checkpoint import Checkpoint
from tasks.knn.commands import Train
from tasks.knn.config import Execution, Run

torch.set_num_threads(1)
session.load = data
checkpoint = Path(sys.argv[1])
run = Checkpoint.load(checkpoint, Run).run
train = Train(run.training, run.k, run.scale, run.method, run.seed, checkpoint, execution=Execution(device="cpu"))
train.run(Console(width=200))
"""


def torchrun(folder: Path) -> subprocess.CompletedProcess[str]:
    """Two processes go on from the folder's checkpoint."""
    (folder / "script.py").write_text(SCRIPT)
    path = os.pathsep.join([str(ROOT), str(Path(__file__).parent)])
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*launch, str(folder / "script.py"), str(folder / "c.pt")]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


def alone(run: Run, steps: int) -> State:
    """One process that takes the steps of all in turn, with the mean of their losses."""
    images = data().hold_out(run.training.held_out)
    first, *others = (Trainer(run, *images, CPU, rank) for rank in range(run.world_size))
    for other in others:
        other._embed, other._sigma = first._embed, first._sigma
    first.embedding.train()
    for _ in range(steps):
        losses = []
        for trainer in (first, *others):
            queries, candidates = trainer.batches(first.steps)
            trainer.steps = first.steps
            losses.append(trainer.solve(*trainer.embed(queries, candidates), queries, candidates)[0].loss.mean())
        first.update(torch.stack(losses).mean())
        first.steps += 1
    return first.state()


def test_two_processes_go_on_from_a_checkpoint_and_learn_what_one_does_from_the_same_images(tmp_path: Path) -> None:
    training = attrs.evolve(TINY, epochs=4, candidates=10, queries=5, growth=Growth.NONE)
    run, steps = Run(training, 3, Scale.LEARNED, 7, 2), 4 * (60 // 20)
    Checkpoint(run, alone(run, 2)).save(tmp_path / "c.pt")
    done = torchrun(tmp_path)
    assert done.returncode == 0, done.stderr
    here, there = alone(run, steps), Checkpoint.resume(tmp_path / "c.pt", run).state
    assert there["steps"] == steps
    assert [epoch["held_out"] is not None for epoch in there["epochs"]] == [True] * 4
    for network in ("embedding", "scale_network"):
        for name, weights in here[network].items():
            torch.testing.assert_close(there[network][name], weights, rtol=1e-4, atol=1e-6)
    initial = alone(run, 0)
    assert all(differences(there[network], initial[network]) for network in ("embedding", "scale_network"))
    assert done.stdout.count("held-out accuracy") == 1  # one process speaks for both


def test_the_images_of_a_step_are_shared_out_and_an_epoch_still_shows_each_once() -> None:
    parts = [Batches(23, 2, 3, seed=0, world=World(rank, 3)) for rank in range(3)]
    assert {part.steps_per_epoch for part in parts} == {2}
    for stream, once in ((0, 3), (1, 2)):
        shown = torch.cat([part(step)[stream] for step in range(once) for part in parts])
        assert len(set(shown.tolist())) == len(shown)
    whole = Batches(23, 6, 9, seed=0)
    for step in range(7):
        for stream in (0, 1):
            assert torch.equal(torch.cat([part(step)[stream] for part in parts]), whole(step)[stream])
    message = r"candidates: expected at most 11, the training images of each of 2 processes, got 12"
    with pytest.raises(sp.ArgumentError, match=message):
        Batches(23, 2, 12, seed=0, world=World(0, 2))


def test_noise_is_each_processs_own() -> None:
    run = Run(TINY, 3, Scale.ONE, 0, 2)
    images = data().hold_out(20)
    noises = []
    for rank in (0, 1):
        trainer = Trainer(run, *images, CPU, rank)
        queries, candidates = Trainer(run, *images, CPU, 0).batches(0)
        for _ in range(2):
            solution, _ = trainer.solve(*trainer.embed(queries, candidates), queries, candidates)
            noises.append(solution.noise)
            trainer.steps += 1
    assert len({noise.sum().item() for noise in noises}) == 4
