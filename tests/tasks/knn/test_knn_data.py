"""The image sets: read whole and in order, refused in words if anything is missing or damaged; no network is used."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from small_sets import (
    BINARY,
    FORMS,
    OTHER_BYTES,
    PICKLES,
    Form,
    Trust,
    all_forms,
    assert_same,
    md5,
    removed,
    replaced_by_a_folder,
    write_cifar_pickle,
)

import structpred as sp
from tasks.knn.config import DataSet
from tasks.knn.data import Data, Images, load

# --- what is there is read


@all_forms
def test_both_splits_are_read_in_their_order(form: Form, tmp_path: Path, trust: Trust) -> None:
    written = form.fill(tmp_path)
    trust(tmp_path)
    assert_same(load(form.dataset, tmp_path), written)


@pytest.mark.parametrize("form", [BINARY, PICKLES], ids=["binary", "pickles"])
def test_an_image_is_its_red_its_green_and_its_blue_plane_row_by_row(form: Form, tmp_path: Path, trust: Trust) -> None:
    form.fill(tmp_path)
    image = bytes([11, 12] + [10] * 30 + [13] + [10] * 991 + [20] * 1024 + [30] * 1024)  # 13 begins the second row
    if form is BINARY:
        (tmp_path / BINARY.folder / "test_batch.bin").write_bytes(bytes([7]) + image)
    else:
        write_cifar_pickle(tmp_path / PICKLES.folder / "test_batch", [image], [7])
    trust(tmp_path)
    test = load(DataSet.CIFAR_10, tmp_path).test
    assert test.labels.tolist() == [7]
    assert test.pixels.shape == (1, 3, 32, 32)
    corner = test.pixels[0, :, :2, :2].tolist()
    assert corner == [[[11, 12], [13, 10]], [[20, 20], [20, 20]], [[30, 30], [30, 30]]]
    assert test.pixels[0].sum((1, 2)).tolist() == [10 * 1024 + 1 + 2 + 3, 20 * 1024, 30 * 1024]


def test_the_binary_version_is_read_where_both_are_there(tmp_path: Path, trust: Trust) -> None:
    written = BINARY.fill(tmp_path)
    PICKLES.fill(tmp_path)
    write_cifar_pickle(tmp_path / PICKLES.folder / "test_batch", [bytes(3072)], [0])
    trust(tmp_path)
    assert_same(load(DataSet.CIFAR_10, tmp_path), written)


def test_the_copy_that_an_old_torchvision_made_is_not_read(tmp_path: Path, trust: Trust) -> None:
    written = FORMS["mnist"].fill(tmp_path)
    trust(tmp_path)
    (tmp_path / "MNIST/processed").mkdir()
    nothing = torch.zeros(1, 4, 6, dtype=torch.uint8), torch.zeros(1).long()
    for name in ("training.pt", "test.pt"):  # no checksum is known of them
        torch.save(nothing, tmp_path / "MNIST/processed" / name)
    assert_same(load(DataSet.MNIST, tmp_path), written)


# --- what is missing or damaged is refused


@all_forms
def test_a_missing_root_or_folder_is_told_with_what_to_do(form: Form, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    folders = [other.folder for other in FORMS.values() if other.dataset is form.dataset]
    for root in (tmp_path / "missing", tmp_path / "empty", tmp_path / "file"):
        with pytest.raises(sp.ArgumentError) as refused:
            load(form.dataset, root)
        where = " or ".join(repr(str(root / folder)) for folder in folders)
        assert str(refused.value) == (
            f"data_dir: expected {form.dataset.value} in {where}, "
            "found no such folder; add --download to fetch it, or name a root that has it with --data-dir"
        )
    assert not (tmp_path / "missing").exists()


@pytest.mark.parametrize("damage", [removed, replaced_by_a_folder, *OTHER_BYTES])
@all_forms
def test_every_missing_or_damaged_file_is_named_with_what_to_do(
    form: Form, damage: Callable[[Path], str], tmp_path: Path, trust: Trust
) -> None:
    form.fill(tmp_path)
    trust(tmp_path)
    for path in form.files(tmp_path):
        content, checksum = path.read_bytes(), md5(path)
        found = damage(path)
        with pytest.raises(sp.ArgumentError) as refused:
            load(form.dataset, tmp_path)
        assert str(refused.value) == (
            f"data_dir: expected {str(path)!r} with the MD5 {checksum}, got {found}; the {form.dataset.value} files "
            f"are damaged or incomplete: delete the folder {str(path.parent)!r} and add --download"
        )
        if path.is_dir():
            path.rmdir()
        path.write_bytes(content)
    load(form.dataset, tmp_path)


# --- images kept aside


def numbered(count: int) -> Data:
    images = Images(torch.arange(count, dtype=torch.uint8)[:, None, None, None], torch.arange(count))
    return Data(images, images[:0])


@pytest.mark.parametrize("count", [0, 1, 60, 99])
def test_the_images_held_out_and_the_others_are_all_images_once(count: int) -> None:
    train, held_out = numbered(100).hold_out(count)
    assert (len(train), len(held_out)) == (100 - count, count)
    for images in (train, held_out):
        assert images.labels.tolist() == images.pixels.flatten().tolist()
    assert sorted(train.labels.tolist() + held_out.labels.tolist()) == list(range(100))


def test_the_same_images_are_held_out_each_time_whatever_was_drawn_before() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first = numbered(100).hold_out(60)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(1)
    for images, again in zip(first, numbered(100).hold_out(60), strict=True):
        assert torch.equal(images.labels, again.labels)


# --- the sets themselves


@pytest.mark.parametrize(
    ("dataset", "shape", "count", "test_labels", "means"),
    [
        (DataSet.MNIST, (1, 28, 28), 60000, [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009], [0.1307]),
        (DataSet.FASHION_MNIST, (1, 28, 28), 60000, [1000] * 10, [0.2860]),
        (DataSet.CIFAR_10, (3, 32, 32), 50000, [1000] * 10, [0.4914, 0.4822, 0.4465]),
    ],
    ids=["mnist", "fashion", "cifar"],
)
def test_the_true_sets_have_the_sizes_the_labels_and_the_means_known_of_them(
    dataset: DataSet, shape: tuple[int, ...], count: int, test_labels: list[int], means: list[float]
) -> None:
    root = Path(os.environ.get("STRUCTPRED_DATA", "none"))
    if not any((root / form.folder).is_dir() for form in FORMS.values() if form.dataset is dataset):
        pytest.skip(f"STRUCTPRED_DATA names no root that has {dataset.value}, laid out as torchvision lays it out")
    data = load(dataset, root)
    assert data.train.pixels.shape == (count, *shape)
    assert data.test.pixels.shape == (10000, *shape)
    assert len(data.train) == count
    if dataset is not DataSet.MNIST:
        assert data.train.labels.bincount().tolist() == [count // 10] * 10
    assert data.test.labels.bincount().tolist() == test_labels
    occurrences = torch.stack([channel.flatten().bincount(minlength=256) for channel in data.train.pixels.unbind(1)])
    brightness = occurrences.double() @ (torch.arange(256, dtype=torch.float64) / 255) / occurrences.sum(1)
    assert brightness.tolist() == pytest.approx(means, abs=1e-4)
