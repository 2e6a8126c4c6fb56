"""Processes that train together: their images and noise are their own, and what they learn is what one would."""

import os
import subprocess
import sys
from pathlib import Path

import attrs
import pytest
import torch
from tiny_knn import CPU, OPTIONS, TINY, data, differences

import structpred as sp
from tasks.common.checkpoint import Checkpoint, State
from tasks.common.settings import Scale
from tasks.knn.batches import Batches
from tasks.knn.config import Run
from tasks.knn.train import Trainer
from tasks.knn.world import World

ROOT = Path(__file__).parents[3]

SCRIPT = """
import sys
import torch
from tiny_knn import data
from tasks.knn import session
from tasks.knn.__main__ import main

torch.set_num_threads(1)
session.load = data
sys.exit(main(sys.argv[1:]))
"""


def torchrun(folder: Path, *options: object) -> subprocess.CompletedProcess[str]:
    """The tiny training in two processes."""
    (folder / "script.py").write_text(SCRIPT)
    path = os.pathsep.join([str(ROOT), str(Path(__file__).parent)])
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*launch, str(folder / "script.py"), "train", *OPTIONS, *map(str, options)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


def alone(run: Run) -> State:
    """One process that takes the steps of all in turn, with the mean of their losses."""
    images = data().hold_out(run.training.held_out)
    first, *others = (Trainer(run, *images, CPU, rank) for rank in range(run.world_size))
    for other in others:
        other._embed, other._sigma = first._embed, first._sigma
    first.embedding.train()
    for step in range(first.total_steps):
        losses = []
        for trainer in (first, *others):
            queries, candidates = trainer.batches(step)
            trainer.steps = step
            losses.append(trainer.solve(*trainer.embed(queries, candidates), queries, candidates)[0].loss.mean())
        first.update(torch.stack(losses).mean())
    return first.state()


def test_two_processes_learn_what_one_does_from_the_same_images_and_go_on_after_a_stop(tmp_path: Path) -> None:
    run = Run(attrs.evolve(TINY, epochs=4, candidates=10, queries=5, growth="none"), 3, Scale.LEARNED, 7, 2)
    options = ["--epochs", 4, "--candidates", 10, "--queries", 5, "--growth", "none", "--k", 3, "--seed", 7]
    options += ["--loss", "distance", "--epsilon", -0.5, "--epsilon-limit", -5, "--scale-rate", 1e-2]
    done = torchrun(tmp_path, *options, "--checkpoint", "c.pt")
    assert done.returncode == 0, done.stderr
    checkpoint = Checkpoint.load(tmp_path / "c.pt", Run)
    assert checkpoint.run == run
    here, there = alone(run), checkpoint.state
    assert there["steps"] == 4 * (60 // 20)
    for network in ("embedding", "scale_network"):
        for name, weights in here[network].items():
            torch.testing.assert_close(there[network][name], weights, rtol=1e-4, atol=1e-6)
    initial = Trainer(run, *data().hold_out(20), CPU).state()
    moved = [differences(there[network], initial[network]) for network in ("embedding", "scale_network")]
    assert all(moved)
    assert done.stdout.count("held-out accuracy") == 1  # one process speaks for both
    other = torchrun(tmp_path, *options, "--checkpoint", "c.pt", "--epochs", 5)
    assert other.returncode != 0
    assert "epochs is 4 there and 5 here" in other.stdout


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
