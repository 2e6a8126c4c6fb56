"""The three image sets, whole and as bytes; nothing is read that does not match its checksum."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from http.client import HTTPException
from pathlib import Path

import numpy as np
import torch
import torchvision
from attrs import frozen
from torch import Tensor
from torchvision.datasets.mnist import read_image_file, read_label_file

import structpred as sp
from tasks.knn.config import DataSet


@frozen(eq=False)
class Images:
    """Images with their classes."""

    pixels: Tensor
    """``(n, channels, height, width)``, uint8."""
    labels: Tensor
    """``(n,)``, int64, below ``classes``."""

    classes = 10

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: Tensor | slice) -> Images:
        return Images(self.pixels[index], self.labels[index])

    def to(self, device: torch.device) -> Images:
        return Images(self.pixels.to(device), self.labels.to(device))


@frozen(eq=False)
class Data:
    """A set as its authors split it."""

    train: Images
    test: Images

    def hold_out(self, count: int) -> tuple[Images, Images]:
        """The training images without ``count`` of them, and those: the same ones in every run, drawn at random.

        Raises:
            ArgumentError: if fewer than one image would be left.
        """
        if count >= len(self.train):
            raise sp.ArgumentError(f"held_out: expected less than {len(self.train)}, all training images, got {count}")
        order = torch.randperm(len(self.train), generator=torch.Generator().manual_seed(0))
        return self.train[order[count:]], self.train[order[:count]]


@frozen
class _Source:
    """One form in which a set can lie in a root."""

    folder: str
    checksums: Mapping[str, str]
    """The MD5 of each file in the folder."""
    read: Callable[[Path], Data]
    download: Callable[[Path], object] | None = None
    """Fetches it into a root with torchvision, and checks what came."""

    def lacks_files(self, root: Path) -> bool:
        return not all((root / self.folder / name).exists() for name in self.checksums)


def load(dataset: DataSet, root: Path, download: bool = False) -> Data:
    """Reads a set from a root laid out as torchvision lays it out; CIFAR-10 also from its binary version.

    Args:
        dataset: which set.
        root: ``MNIST/raw``, ``FashionMNIST/raw``, ``cifar-10-batches-py`` or ``cifar-10-batches-bin`` lie in it.
        download: fetches the set if the root lacks any of its files.

    Raises:
        ArgumentError: if the set is not there, a file is missing or damaged, or the download failed.
    """
    sources = _SOURCES[dataset]
    source = next((source for source in sources if (root / source.folder).is_dir()), None)
    if download and (source is None or (source.download and source.lacks_files(root))):
        source = _download(dataset, sources, root)
    if source is None:
        folders = " or ".join(repr(str(root / source.folder)) for source in sources)
        raise sp.ArgumentError(
            f"data_dir: expected {dataset.value} in {folders}, found no such folder; add --download to fetch it, "
            "or name a root that has it with --data-dir"
        )
    for name, checksum in source.checksums.items():
        _require_checksum(root / source.folder / name, checksum, dataset)
    return source.read(root)


def _download(dataset: DataSet, sources: tuple[_Source, ...], root: Path) -> _Source:
    source = next(source for source in sources if source.download)
    assert source.download is not None
    try:
        source.download(root)
    except (OSError, HTTPException, RuntimeError, EOFError) as error:  # what urllib, torchvision and gzip raise
        reason = " ".join(str(error).split())  # torchvision tells of each mirror in lines of its own
        raise sp.ArgumentError(
            f"download: expected to fetch {dataset.value} into {str(root)!r}, which failed ({reason}); free space "
            "there or repair the connection, or name a root that has the set with --data-dir"
        ) from error
    return source


def _require_checksum(path: Path, checksum: str, dataset: DataSet) -> None:
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "md5").hexdigest()
    except OSError as error:
        found = str(error.strerror)
    if found != checksum:
        raise sp.ArgumentError(
            f"data_dir: expected {str(path)!r} with the MD5 {checksum}, got {found}; the {dataset.value} files are "
            f"damaged or incomplete: delete the folder {str(path.parent)!r} and add --download"
        )


def _idx(kind: type[torchvision.datasets.MNIST], checksums: Mapping[str, str]) -> tuple[_Source]:
    folder = f"{kind.__name__}/raw"

    def read(root: Path) -> Data:
        """The files themselves: ``kind`` prefers the copies of them that old versions of torchvision made."""
        return Data(*(_read_idx(root / folder, prefix) for prefix in ("train", "t10k")))

    return (_Source(folder, checksums, read, lambda root: kind(root, download=True)),)


def _read_idx(folder: Path, prefix: str) -> Images:
    pixels = read_image_file(folder / f"{prefix}-images-idx3-ubyte")
    return Images(pixels[:, None], read_label_file(folder / f"{prefix}-labels-idx1-ubyte"))


def _read_cifar_pickles(root: Path) -> Data:
    sets = (_CIFAR(root, train=train) for train in (True, False))
    return Data(
        *(Images(torch.from_numpy(of.data).movedim(-1, 1).contiguous(), torch.tensor(of.targets)) for of in sets)
    )


def _read_cifar_binary(root: Path) -> Data:
    folder = root / _CIFAR_BINARY

    def images(*names: str) -> Images:
        """A record is a byte for the label, then the red, the green and the blue plane."""
        records = np.concatenate([np.fromfile(folder / name, np.uint8).reshape(-1, 1 + 3 * 32 * 32) for name in names])
        pixels = torch.from_numpy(records[:, 1:].reshape(-1, 3, 32, 32))
        return Images(pixels.contiguous(), torch.from_numpy(records[:, 0].astype(np.int64)))

    return Data(images(*(f"data_batch_{part}.bin" for part in range(1, 6))), images("test_batch.bin"))


_CIFAR = torchvision.datasets.CIFAR10
_CIFAR_BINARY = "cifar-10-batches-bin"

_SOURCES: dict[DataSet, tuple[_Source, ...]] = {
    DataSet.MNIST: _idx(
        torchvision.datasets.MNIST,
        {
            "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
            "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
            "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
            "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
        },
    ),
    DataSet.FASHION_MNIST: _idx(
        torchvision.datasets.FashionMNIST,
        {
            "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
            "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
            "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
            "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
        },
    ),
    DataSet.CIFAR_10: (
        _Source(
            _CIFAR_BINARY,
            {
                "data_batch_1.bin": "5dd7e06a14cb22eb9f671a540d1b7c25",
                "data_batch_2.bin": "5ea93a67294ea407fff1d09f752e9692",
                "data_batch_3.bin": "942cd6a4bcdd0dd3c604fbe906cb4421",
                "data_batch_4.bin": "ae636b3ba5c66a11e91e8cb52e771fcb",
                "data_batch_5.bin": "53f37980c15c3d472c316c40844f3f0d",
                "test_batch.bin": "803d5f7f4d78ea53de84dbe85f74fb6d",
            },
            _read_cifar_binary,
        ),
        _Source(
            _CIFAR.base_folder,
            {**dict(_CIFAR.train_list + _CIFAR.test_list), _CIFAR.meta["filename"]: _CIFAR.meta["md5"]},
            _read_cifar_pickles,
            lambda root: _CIFAR(root, download=True),
        ),
    ),
}  # fmt: skip
