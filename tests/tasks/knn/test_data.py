"""The image sets: read whole and in order, fetched if asked for, refused in words if missing or damaged."""

import errno
import hashlib
import pickle
import shutil
from collections.abc import Callable
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
    return {name: data.train[2 * part : 2 * part + 2] for part, name in enumerate(CIFAR_PARTS)} | {
        "test_batch": data.test
    }


def planes(image: Tensor) -> bytes:
    """Red, green and blue, each row by row."""
    return b"".join(image[channel].numpy().tobytes() for channel in range(3))


def write_cifar_binary(folder: Path, data: Data) -> None:
    for name, images in cifar_files(data).items():
        records = [bytes([label]) + planes(image) for image, label in zip(images.pixels, images.labels, strict=True)]
        (folder / f"{name}.bin").write_bytes(b"".join(records))


def write_cifar_pickles(folder: Path, data: Data) -> None:
    for name, images in cifar_files(data).items():
        rows = np.stack([np.frombuffer(planes(image), np.uint8) for image in images.pixels])
        (folder / name).write_bytes(pickle.dumps({"data": rows, "labels": images.labels.tolist()}))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": ["airplane"]}))


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


BINARY = Form(DataSet.CIFAR_10, "cifar-10-batches-bin", write_cifar_binary)
PICKLES = Form(DataSet.CIFAR_10, "cifar-10-batches-py", write_cifar_pickles)
FETCHED = {
    "mnist": Form(DataSet.MNIST, "MNIST/raw", write_idx, (1, 4, 6)),
    "fashion": Form(DataSet.FASHION_MNIST, "FashionMNIST/raw", write_idx, (1, 4, 6)),
    "pickles": PICKLES,
}
FORMS = FETCHED | {"binary": BINARY}
all_forms = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
all_that_can_be_fetched = pytest.mark.parametrize("form", FETCHED.values(), ids=FETCHED.keys())


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


@pytest.fixture
def trust(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
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


def assert_same(read: Data, written: Data) -> None:
    for ours, theirs in ((read.train, written.train), (read.test, written.test)):
        assert (ours.pixels.dtype, ours.labels.dtype) == (torch.uint8, torch.int64)
        assert torch.equal(ours.pixels, theirs.pixels)
        assert torch.equal(ours.labels, theirs.labels)


@all_forms
def test_both_splits_are_read_in_their_order(form: Form, tmp_path: Path, trust: Callable) -> None:
    written = form.fill(tmp_path)
    trust(tmp_path)
    for download in (False, True):  # nothing is fetched: the network is not to be had
        assert_same(load(form.dataset, tmp_path, download), written)


@all_forms
def test_a_missing_folder_is_told_with_what_to_do(form: Form, tmp_path: Path) -> None:
    folders = [str(tmp_path / other.folder) for other in (BINARY, *FETCHED.values()) if other.dataset is form.dataset]
    with pytest.raises(sp.ArgumentError) as refused:
        load(form.dataset, tmp_path)
    assert str(refused.value) == (
        f"data_dir: expected {form.dataset.value} in {' or '.join(map(repr, folders))}, "
        "found no such folder; add --download to fetch it, or name a root that has it with --data-dir"
    )


@all_forms
@pytest.mark.parametrize("download", [False, True])
def test_every_damaged_file_is_named_with_what_to_do_and_stays(
    form: Form, download: bool, tmp_path: Path, trust: Callable
) -> None:
    form.fill(tmp_path)
    trust(tmp_path)
    for path in form.files(tmp_path):
        content, checksum = path.read_bytes(), md5(path)
        for damaged in (content[:-1], content[:-1] + bytes([content[-1] ^ 1])):
            path.write_bytes(damaged)
            with pytest.raises(sp.ArgumentError) as refused:
                load(form.dataset, tmp_path, download)
            assert str(refused.value) == (
                f"data_dir: expected {str(path)!r} with the MD5 {checksum}, got {md5(path)}; the {form.dataset.value} "
                f"files are damaged or incomplete: delete the folder {str(path.parent)!r} and add --download"
            )
            assert path.read_bytes() == damaged
        path.write_bytes(content)


# --- downloads


def replace_downloads(monkeypatch: pytest.MonkeyPatch, fetch: Callable[..., None]) -> None:
    for module in (torchvision.datasets.mnist, torchvision.datasets.cifar):
        monkeypatch.setattr(module, "download_and_extract_archive", fetch)


@all_that_can_be_fetched
@pytest.mark.parametrize("cut_short", [False, True])
def test_a_set_that_is_not_there_or_not_all_of_it_is_fetched_if_asked_for(
    form: Form, cut_short: bool, tmp_path: Path, trust: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    far, root = tmp_path / "far", tmp_path / "new"
    written = form.fill(far)
    trust(far)

    def fetch(url: str, download_root: str, filename: str, md5: str) -> None:
        if filename == "cifar-10-python.tar.gz":
            shutil.copytree(far / PICKLES.folder, Path(download_root, PICKLES.folder), dirs_exist_ok=True)
        else:
            shutil.copy(far / form.folder / filename.removesuffix(".gz"), download_root)

    replace_downloads(monkeypatch, fetch)
    if cut_short:
        form.fill(root)
        form.files(root)[1].unlink()
    with pytest.raises(sp.ArgumentError, match=r"^data_dir: .* add --download"):
        load(form.dataset, root)
    assert_same(load(form.dataset, root, download=True), written)
    assert_same(load(form.dataset, root), written)


@pytest.mark.parametrize(
    "failure", [URLError("no route to host"), RuntimeError("Error:\nof a mirror\n"), OSError(errno.ENOSPC, "No space")]
)
def test_a_download_that_fails_is_told_with_its_reason_and_what_to_do(
    failure: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise failure

    replace_downloads(monkeypatch, fail)
    with pytest.raises(sp.ArgumentError) as refused:
        load(DataSet.MNIST, tmp_path, download=True)
    told = str(refused.value)
    assert told.startswith(f"download: expected to fetch mnist into {str(tmp_path)!r}, which failed (")
    assert " ".join(str(failure).split()) in told
    assert told.endswith("free space there or repair the connection, or name a root that has the set with --data-dir")


# --- images kept aside


@pytest.mark.parametrize("count", [0, 1, 60, 99])
def test_the_images_held_out_are_always_the_same_and_the_others_are_all_others(count: int) -> None:
    images = Images(torch.arange(100, dtype=torch.uint8)[:, None, None, None], torch.arange(100))
    data = Data(images, images[:0])
    train, held_out = data.hold_out(count)
    torch.rand(3)
    for part, again, size in zip((train, held_out), data.hold_out(count), (100 - count, count), strict=True):
        assert len(part) == size
        assert part.labels.tolist() == part.pixels.flatten().tolist() == again.labels.tolist()
    assert sorted(train.labels.tolist() + held_out.labels.tolist()) == list(range(100))
    with pytest.raises(sp.ArgumentError, match="held_out: expected less than 100, all training images, got 100"):
        data.hold_out(100)
