"""The image sets: read whole and in order, refused in words if anything is missing or damaged; no network is used."""

import errno
import hashlib
import os
import pickle
import shutil
import socket
from collections.abc import Callable
from http.client import IncompleteRead
from pathlib import Path
from urllib.error import URLError

import attrs
import numpy as np
import pytest
import torch
import torchvision
from torch import Tensor

import structpred as sp
from tasks.knn import data as data_module
from tasks.knn.config import DataSet
from tasks.knn.data import Data, Images, load

Trust = Callable[[Path], None]

CIFAR_PARTS = tuple(f"data_batch_{part}" for part in range(1, 6))


def small(*shape: int) -> Data:
    """Ten training images and three test images of random bytes, no two of a split with the same label."""
    generator = torch.Generator().manual_seed(0)

    def images(count: int) -> Images:
        pixels = torch.randint(256, (count, *shape), generator=generator, dtype=torch.uint8)
        return Images(pixels, torch.randperm(10, generator=generator)[:count])

    return Data(images(10), images(3))


def write_idx(folder: Path, data: Data) -> None:
    for prefix, images in (("train", data.train), ("t10k", data.test)):
        for name, values in (("images-idx3", images.pixels[:, 0]), ("labels-idx1", images.labels.byte())):
            header = bytes([0, 0, 8, values.ndim]) + b"".join(size.to_bytes(4, "big") for size in values.shape)
            (folder / f"{prefix}-{name}-ubyte").write_bytes(header + values.numpy().tobytes())


def cifar_files(data: Data) -> dict[str, Images]:
    """The training images in five parts, and the test images."""
    parts = {name: data.train[2 * part : 2 * part + 2] for part, name in enumerate(CIFAR_PARTS)}
    return {**parts, "test_batch": data.test}


def planes(image: Tensor) -> bytes:
    return b"".join(image[channel].numpy().tobytes() for channel in range(3))


def write_cifar_binary(folder: Path, data: Data) -> None:
    for name, images in cifar_files(data).items():
        records = [bytes([label]) + planes(image) for image, label in zip(images.pixels, images.labels, strict=True)]
        (folder / f"{name}.bin").write_bytes(b"".join(records))


def write_cifar_pickles(folder: Path, data: Data) -> None:
    for name, images in cifar_files(data).items():
        write_cifar_pickle(folder / name, [planes(image) for image in images.pixels], images.labels.tolist())
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": ["airplane"]}))


def write_cifar_pickle(path: Path, images: list[bytes], labels: list[int]) -> None:
    rows = np.stack([np.frombuffer(image, np.uint8) for image in images])
    path.write_bytes(pickle.dumps({"data": rows, "labels": labels}))


@attrs.frozen
class Form:
    """One form in which a set can lie in a root."""

    dataset: DataSet
    folder: str
    write: Callable[[Path, Data], None]
    shape: tuple[int, ...] = (3, 32, 32)

    def fill(self, root: Path) -> Data:
        (root / self.folder).mkdir(parents=True)
        data = small(*self.shape)
        self.write(root / self.folder, data)
        return data

    def files(self, root: Path) -> list[Path]:
        return sorted((root / self.folder).iterdir())


FORMS = {
    "mnist": Form(DataSet.MNIST, "MNIST/raw", write_idx, (1, 4, 6)),
    "fashion": Form(DataSet.FASHION_MNIST, "FashionMNIST/raw", write_idx, (1, 4, 6)),
    "binary": Form(DataSet.CIFAR_10, "cifar-10-batches-bin", write_cifar_binary),
    "pickles": Form(DataSet.CIFAR_10, "cifar-10-batches-py", write_cifar_pickles),
}
BINARY, PICKLES = FORMS["binary"], FORMS["pickles"]
all_forms = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
all_that_can_be_fetched = pytest.mark.parametrize(
    "form", [FORMS[name] for name in ("mnist", "fashion", "pickles")], ids=["mnist", "fashion", "pickles"]
)


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


@pytest.fixture
def trust(monkeypatch: pytest.MonkeyPatch) -> Trust:
    """Takes what lies in a root for the true sets."""

    def known(source: data_module._Source, root: Path) -> data_module._Source:
        folder = root / source.folder
        if not folder.is_dir():
            return source
        return attrs.evolve(source, checksums={name: md5(folder / name) for name in source.checksums})

    def take(root: Path) -> None:
        for dataset, sources in data_module._SOURCES.items():
            monkeypatch.setitem(data_module._SOURCES, dataset, tuple(known(source, root) for source in sources))
        folder, cifar = root / PICKLES.folder, torchvision.datasets.CIFAR10
        if folder.is_dir():  # torchvision looks at checksums too
            monkeypatch.setattr(cifar, "train_list", [[name, md5(folder / name)] for name in CIFAR_PARTS])
            monkeypatch.setattr(cifar, "test_list", [["test_batch", md5(folder / "test_batch")]])
            monkeypatch.setattr(cifar, "meta", {**cifar.meta, "md5": md5(folder / "batches.meta")})

    return take


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        pytest.fail("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def replace_downloads(monkeypatch: pytest.MonkeyPatch, fetch: Callable[..., None]) -> None:
    for module in (torchvision.datasets.mnist, torchvision.datasets.cifar):
        monkeypatch.setattr(module, "download_and_extract_archive", fetch)


@attrs.frozen
class FarAway:
    """Where downloads come from."""

    root: Path
    asked: list[str] = attrs.field(factory=list)
    """The archives fetched so far."""

    def fetch(self, url: str, download_root: str, filename: str, md5: str) -> None:
        self.asked.append(filename)
        if filename == "cifar-10-python.tar.gz":
            shutil.copytree(self.root / PICKLES.folder, Path(download_root, PICKLES.folder), dirs_exist_ok=True)
        else:
            name, folder = filename.removesuffix(".gz"), Path(*Path(download_root).parts[-2:])
            shutil.copy(self.root / folder / name, download_root)


@pytest.fixture
def far_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FarAway:
    far = FarAway(tmp_path / "far")
    replace_downloads(monkeypatch, far.fetch)
    return far


def assert_same(read: Data, written: Data) -> None:
    for ours, theirs in ((read.train, written.train), (read.test, written.test)):
        assert (ours.pixels.dtype, ours.labels.dtype) == (torch.uint8, torch.int64)
        assert torch.equal(ours.pixels, theirs.pixels)
        assert torch.equal(ours.labels, theirs.labels)
        assert ours.pixels.is_contiguous()
        assert len(ours) == len(theirs.labels)


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


def test_a_damaged_binary_version_is_refused_even_where_the_pickles_are_whole(tmp_path: Path, trust: Trust) -> None:
    for form in (BINARY, PICKLES):
        form.fill(tmp_path)
    trust(tmp_path)
    (tmp_path / BINARY.folder / "data_batch_3.bin").unlink()
    with pytest.raises(sp.ArgumentError, match=r"^data_dir: .*cifar-10-batches-bin/data_batch_3\.bin"):
        load(DataSet.CIFAR_10, tmp_path)


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


def removed(path: Path) -> str:
    path.unlink()
    return "No such file or directory"


def replaced_by_a_folder(path: Path) -> str:
    path.unlink()
    path.mkdir()
    return "Is a directory"


def truncated(path: Path) -> str:
    os.truncate(path, path.stat().st_size - 1)
    return md5(path)


def emptied(path: Path) -> str:
    os.truncate(path, 0)
    return md5(path)


def lengthened(path: Path) -> str:
    path.write_bytes(path.read_bytes() + b"\0")
    return md5(path)


def flipped_at(position: int, path: Path) -> str:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)
    return md5(path)


def flipped_at_the_start(path: Path) -> str:
    return flipped_at(0, path)


def flipped_at_the_end(path: Path) -> str:
    return flipped_at(-1, path)


OTHER_BYTES = [truncated, emptied, lengthened, flipped_at_the_start, flipped_at_the_end]


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


# --- downloads


@all_that_can_be_fetched
def test_nothing_is_fetched_unless_asked_for(form: Form, tmp_path: Path, far_away: FarAway) -> None:
    with pytest.raises(sp.ArgumentError, match=r"^data_dir: .* add --download"):
        load(form.dataset, tmp_path)
    assert far_away.asked == []
    assert list(tmp_path.iterdir()) == []


@all_forms
def test_nothing_is_fetched_where_the_set_is_whole(form: Form, tmp_path: Path, trust: Trust, far_away: FarAway) -> None:
    written = form.fill(tmp_path)
    trust(tmp_path)
    assert_same(load(form.dataset, tmp_path, download=True), written)
    assert far_away.asked == []


@all_that_can_be_fetched
def test_a_set_that_is_not_there_is_fetched_whole_and_read(
    form: Form, tmp_path: Path, trust: Trust, far_away: FarAway
) -> None:
    written = form.fill(far_away.root)
    trust(far_away.root)
    root = tmp_path / "new" / "root"
    assert_same(load(form.dataset, root, download=True), written)
    archives = [f"{path.name}.gz" for path in form.files(far_away.root)]
    assert sorted(far_away.asked) == (["cifar-10-python.tar.gz"] if form is PICKLES else archives)
    far_away.asked.clear()
    for download in (False, True):
        assert_same(load(form.dataset, root, download), written)
    assert far_away.asked == []


@all_that_can_be_fetched
def test_a_download_that_was_cut_short_is_made_again(
    form: Form, tmp_path: Path, trust: Trust, far_away: FarAway
) -> None:
    written = form.fill(far_away.root)
    trust(far_away.root)
    form.fill(tmp_path)
    first, second, *_ = form.files(tmp_path)
    truncated(first)
    second.unlink()
    assert_same(load(form.dataset, tmp_path, download=True), written)


@pytest.mark.parametrize("damage", OTHER_BYTES)
@all_forms
def test_what_is_damaged_is_not_deleted_by_a_download_but_refused_as_without(
    form: Form, damage: Callable[[Path], str], tmp_path: Path, trust: Trust, far_away: FarAway
) -> None:
    form.fill(tmp_path)
    trust(tmp_path)
    damaged = form.files(tmp_path)[-1]
    damage(damaged)
    content = damaged.read_bytes()
    refusals = []
    for download in (False, True):
        with pytest.raises(sp.ArgumentError, match=r"^data_dir: .* with the MD5 .* add --download$") as refused:
            load(form.dataset, tmp_path, download)
        refusals.append(str(refused.value))
    assert refusals[0] == refusals[1]
    assert far_away.asked == []
    assert damaged.read_bytes() == content


def test_the_binary_version_cannot_be_fetched_and_is_not_mended(
    tmp_path: Path, trust: Trust, far_away: FarAway
) -> None:
    BINARY.fill(tmp_path)
    trust(tmp_path)
    (tmp_path / BINARY.folder / "test_batch.bin").unlink()
    with pytest.raises(sp.ArgumentError, match=r"test_batch\.bin.*delete the folder '.*bin' and add --download$"):
        load(DataSet.CIFAR_10, tmp_path, download=True)
    assert far_away.asked == []


FAILURES = [
    URLError("no route to host"),
    IncompleteRead(b"half"),
    RuntimeError("File not found or corrupted."),
    OSError(errno.ENOSPC, "No space left on device"),
    EOFError("Compressed file ended before the end-of-stream marker was reached"),
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
@all_that_can_be_fetched
def test_a_download_that_fails_is_told_with_its_reason_and_what_to_do(
    form: Form, failure: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise failure

    replace_downloads(monkeypatch, fail)
    with pytest.raises(sp.ArgumentError) as refused:
        load(form.dataset, tmp_path, download=True)
    told = str(refused.value)
    assert told.startswith(f"download: expected to fetch {form.dataset.value} into {str(tmp_path)!r}, which failed (")
    assert str(failure) in told
    assert told.endswith("free space there or repair the connection, or name a root that has the set with --data-dir")


def test_a_download_into_a_file_is_told(tmp_path: Path, far_away: FarAway) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(sp.ArgumentError, match=r"^download: expected to fetch mnist into '.*file', which failed"):
        load(DataSet.MNIST, tmp_path / "file", download=True)
    assert (tmp_path / "file").read_text() == "kept"


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


def test_the_images_held_out_are_drawn_from_the_whole_set() -> None:
    _, held_out = numbered(200).hold_out(50)
    assert held_out.labels.min() < 20
    assert held_out.labels.max() >= 180


@pytest.mark.parametrize("count", [100, 5000])
def test_at_least_one_image_must_be_left_to_train_on(count: int) -> None:
    with pytest.raises(sp.ArgumentError) as refused:
        numbered(100).hold_out(count)
    assert str(refused.value) == f"held_out: expected less than 100, all training images, got {count}"


def test_images_are_taken_by_index_and_by_slice_and_moved() -> None:
    images = numbered(9).train
    for index, expected in ((torch.tensor([4, 1]), [4, 1]), (slice(2, 4), [2, 3])):
        assert images[index].labels.tolist() == images[index].pixels.flatten().tolist() == expected
    moved = images.to(torch.device("meta"))
    assert (moved.pixels.device.type, moved.labels.device.type) == ("meta", "meta")


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
