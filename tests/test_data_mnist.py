"""load_mnist reads idx files, and says what is wrong with those that it cannot read."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from minigrad.data import load_mnist
from minigrad.errors import ArgumentError

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 28, 28), dtype=np.uint8)
LABELS = np.array([3, 0, 9, 9, 1], np.uint8)


def idx(array: np.ndarray) -> bytes:
    """The format as its authors describe it: two zeros, type, axes, big-endian sizes, data."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def files(tmp_path):
    images, labels = tmp_path / "train-images-idx3-ubyte", tmp_path / "train-labels-idx1-ubyte"
    images.write_bytes(idx(PIXELS))
    labels.write_bytes(idx(LABELS))
    return images, labels


def test_the_magic_numbers_are_the_published_ones():
    assert idx(PIXELS)[:4] == (2051).to_bytes(4, "big")
    assert idx(LABELS)[:4] == (2049).to_bytes(4, "big")


@pytest.mark.parametrize("packed", [False, True])
def test_pixels_and_labels_come_back(files, packed):
    if packed:
        for path in files:
            path.write_bytes(gzip.compress(path.read_bytes()))
    data = load_mnist(*files)
    assert data.x.dtype == np.float32 and data.y.dtype == np.int64
    np.testing.assert_array_equal(data.x, PIXELS.reshape(5, 784) / np.float32(255))
    np.testing.assert_array_equal(data.y, LABELS)
    assert data.classes == tuple("0123456789") and data.name == files[0].name
    np.testing.assert_array_equal(load_mnist(*map(str, files)).y, LABELS)


def broken(files: tuple[Path, Path], how: str) -> tuple[Path, Path]:
    images, labels = files
    if how == "missing":
        labels.unlink()
    elif how == "cut":
        images.write_bytes(images.read_bytes()[:-1])
    elif how == "head only":
        images.write_bytes(images.read_bytes()[:10])
    elif how == "empty":
        labels.write_bytes(b"")
    elif how == "packed and cut":
        labels.write_bytes(gzip.compress(labels.read_bytes())[:-6])
    elif how == "packed and damaged":
        packed = bytearray(gzip.compress(labels.read_bytes()))
        packed[12] ^= 255
        labels.write_bytes(packed)
    elif how == "other set":
        labels.write_bytes(idx(LABELS[:4]))
    elif how == "text":
        images.write_text("hello world")
    return (labels, images) if how == "swapped" else (images, labels)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("missing", "load_mnist: there is no file '{labels}'; check the path"),
        (
            "swapped",
            "load_mnist: {labels} should be an idx file of images, but it holds labels; the two "
            "paths are in the wrong order",
        ),
        (
            "text",
            "load_mnist: {images} should be an idx file of images, but it holds something else; "
            "give the files as they come, e.g. train-images-idx3-ubyte.gz",
        ),
        ("empty", "load_mnist: {labels} should be an idx file of labels, but it holds something "),
        (
            "cut",
            "load_mnist: {images} announces shape (5, 28, 28), but 3919 bytes follow; it was cut "
            "off or damaged, so fetch it again",
        ),
        ("head only", "load_mnist: {images} announces shape"),
        ("packed and cut", "load_mnist: cannot unpack {labels} ("),
        ("packed and damaged", "load_mnist: cannot unpack {labels} ("),
        (
            "other set",
            "load_mnist: {images} has 5 images, but {labels} has 4 labels; take both from the "
            "same set (train- or t10k-)",
        ),
    ],
)
def test_what_is_wrong_with_a_file(files, how, message):
    with pytest.raises(ArgumentError) as caught:
        load_mnist(*broken(files, how))
    assert str(caught.value).startswith(message.format(images=files[0], labels=files[1]))
