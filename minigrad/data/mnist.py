"""MNIST, and what comes in its format, from files that are already on this machine."""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from minigrad.data.shipped import Dataset
from minigrad.errors import ArgumentError

# An idx file begins with two zeros, the type of its numbers (8: bytes) and how many axes it has.
_IMAGES, _LABELS = (0, 0, 8, 3), (0, 0, 8, 1)
_KINDS: dict[tuple[int, ...], str] = {_IMAGES: "images", _LABELS: "labels"}


def load_mnist(images_path: str | os.PathLike[str], labels_path: str | os.PathLike[str]) -> Dataset:
    """Load handwritten digits from two idx files, such as `train-images-idx3-ubyte.gz`.

    Nothing is downloaded. Fashion-MNIST and others of the same format work as well.

    Arguments:
        images_path, labels_path: the two files, as they are or packed with gzip.

    Returns:
        Dataset with x of shape (n, rows * columns), each pixel divided by 255 so that it lies in
        [0, 1], and y from 0. Of MNIST, (60000, 784) for training and (10000, 784) for testing.

    Raises:
        ArgumentError: a file is missing, is of another format or is cut off, or the two do not
            belong together.

    Source: LeCun, Cortes & Burges, The MNIST database of handwritten digits (1998).

    >>> import minigrad as mg
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())  # two images of 28 x 28, in MNIST's format
    >>> _ = (folder / "images").write_bytes(
    ...     struct.pack(">HBB3I", 0, 8, 3, 2, 28, 28) + bytes(2 * 28 * 28)
    ... )
    >>> _ = (folder / "labels").write_bytes(struct.pack(">HBBI", 0, 8, 1, 2) + bytes([7, 3]))
    >>> digits = mg.data.load_mnist(folder / "images", folder / "labels")
    >>> digits.x.shape, digits.y.tolist()
    ((2, 784), [7, 3])
    """
    images = _read(Path(images_path), _IMAGES)
    labels = _read(Path(labels_path), _LABELS)
    if len(images) != len(labels) or len(labels) == 0:
        raise ArgumentError(
            f"load_mnist: {images_path} has {len(images)} images, but {labels_path} has "
            f"{len(labels)} labels; take both from the same set (train- or t10k-)"
        )
    return Dataset(
        x=images.reshape(len(images), -1).astype(np.float32) / np.float32(255),
        y=labels.astype(np.int64),
        classes=tuple(str(k) for k in range(int(labels.max()) + 1)),
        name=Path(images_path).name,
        source=str(images_path),
        licence="unknown; see where the files came from",
    )


def _read(path: Path, wanted: tuple[int, ...]) -> NDArray[np.uint8]:
    content = _unpacked(path)
    magic = tuple(content[:4])
    if magic != wanted:
        found = _KINDS.get(magic, "something else")
        cure = (
            "the two paths are in the wrong order"
            if magic in _KINDS
            else "give the files as they come, e.g. train-images-idx3-ubyte.gz"
        )
        raise ArgumentError(
            f"load_mnist: {path} should be an idx file of {_KINDS[wanted]}, but it holds {found}; "
            f"{cure}"
        )
    axes = wanted[3]
    head, body = content[4 : 4 + 4 * axes], content[4 + 4 * axes :]
    shape = struct.unpack(f">{axes}I", head.ljust(4 * axes, b"\0"))
    if len(head) < 4 * axes or len(body) != math.prod(shape):
        raise ArgumentError(
            f"load_mnist: {path} announces shape {shape}, but {len(body)} bytes follow; it was "
            "cut off or damaged, so fetch it again"
        )
    return np.frombuffer(body, np.uint8).reshape(shape)


def _unpacked(path: Path) -> bytes:
    if not path.is_file():
        raise ArgumentError(f"load_mnist: there is no file {str(path)!r}; check the path")
    content = path.read_bytes()
    if content[:2] != b"\x1f\x8b":
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise ArgumentError(
            f"load_mnist: cannot unpack {path} ({error}); it was cut off or damaged, so fetch it "
            "again"
        ) from error
