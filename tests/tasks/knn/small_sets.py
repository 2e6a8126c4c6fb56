"""Small sets of images in each form in which a set can lie in a root, and ways to damage a file of them."""

import hashlib
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import attrs
import numpy as np
import pytest
import torch
from torch import Tensor

from tasks.knn.config import DataSet
from tasks.knn.data import Data, Images

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


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


def assert_same(read: Data, written: Data) -> None:
    for ours, theirs in ((read.train, written.train), (read.test, written.test)):
        assert (ours.pixels.dtype, ours.labels.dtype) == (torch.uint8, torch.int64)
        assert torch.equal(ours.pixels, theirs.pixels)
        assert torch.equal(ours.labels, theirs.labels)
        assert ours.pixels.is_contiguous()
        assert len(ours) == len(theirs.labels)


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
