"""Grids by seed, their targets, and what is held out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

import structpred as sp
from tasks.matching import data as module
from tasks.matching.board import Board
from tasks.matching.data import Data, Grids, load
from tests.tasks.matching.tiny import data, digits, perfect_matchings


def mnist() -> Data:
    try:
        return load(Path(os.environ.get("STRUCTPRED_DATA", "none")))
    except sp.ArgumentError:
        pytest.skip("STRUCTPRED_DATA names no root that has MNIST, laid out as torchvision lays it out")


def test_the_target_has_the_least_sum_of_two_digit_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SOLVED_AT_ONCE", 7)
    board, images = Board(4), digits(50, seed=0)
    grids = Grids.draw(board, images, 20, seed=3)
    every = perfect_matchings(board)
    for index, y in zip(grids.index, grids.truth.matching, strict=True):
        label = images.labels[index].tolist()
        weights = [10 * label[a] + label[b] for a, b in zip(board.first.tolist(), board.second.tolist(), strict=True)]
        chosen = board.edges(y).nonzero().flatten().tolist()
        assert tuple(chosen) in {tuple(sorted(edges)) for edges in every}
        assert sum(weights[e] for e in chosen) == min(sum(weights[e] for e in edges) for edges in every)


def test_the_weights_of_the_truth_are_those_of_the_edges_and_nothing_elsewhere() -> None:
    board = Board(4)
    grids = Grids.draw(board, digits(50, seed=0), 6, seed=3)
    weights = grids[2:4].truth.weights
    expected = board.two_digit_numbers(grids.digits.labels[grids.index[2:4]])
    assert torch.equal(board.edges(weights), expected.float())
    assert weights.sum() == expected.sum()


def test_a_seed_draws_the_same_grids_again_and_another_seed_others() -> None:
    images = digits(50, seed=0)
    one, again, other = (Grids.draw(Board(2), images, 30, seed) for seed in (1, 1, 2))
    assert torch.equal(one.index, again.index)
    assert torch.equal(one.white, again.white)
    assert not torch.equal(one.index, other.index)
    assert one.digits is images  # which all grids share


def test_held_out_images_are_no_training_images_and_a_pool_is_the_first_of_these() -> None:
    held_out, train = (some.pixels.flatten(1).tolist() for some in (data().held_out, data().train))
    assert (len(held_out), len(train)) == (40, 80)
    assert not [image for image in held_out if image in train]
    assert data().pool(7).pixels.flatten(1).tolist() == train[:7]
    assert len(data().pool(None)) == 80
    with pytest.raises(sp.ArgumentError, match="digits: expected at most 80, the training images, got 81"):
        data().pool(81)


@pytest.mark.parametrize("damage", [None, b"", b"no images at all, whatever the name says"])
def test_a_root_without_readable_images_is_refused(damage: bytes | None, tmp_path: Path) -> None:
    if damage is not None:
        (tmp_path / "MNIST" / "raw").mkdir(parents=True)
        for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
            (tmp_path / "MNIST" / "raw" / f"{name}-ubyte").write_bytes(damage)
    with pytest.raises(sp.ArgumentError, match=r"data_dir: expected MNIST in .*MNIST/raw.*--data-dir.*download=True"):
        load(tmp_path)


def test_mnist_is_read_and_5000_of_its_training_images_are_held_out() -> None:
    read = mnist()
    assert [len(some) for some in (read.train, read.held_out, read.test)] == [55_000, 5000, 10_000]
    assert read.test.labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert read.test.pixels[0].float().mean() == pytest.approx(23.5, abs=0.5)
