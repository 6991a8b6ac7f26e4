"""Data in batches: a few rows of every array at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minigrad.data.shipped import Dataset
from minigrad.errors import ArgumentError, DtypeError, ShapeError
from minigrad.nn.arguments import check_count
from minigrad.ops.creation import tensor
from minigrad.random import Generator, generator_or_default
from minigrad.tensor import Tensor


def as_arrays(owner: str, data: Any) -> tuple[NDArray[Any], ...]:
    """`data` as arrays of one length: those of a `Dataset` or `ArrayDataset`, or of a tuple.

    Raises:
        ShapeError: no array, no row, or unequal lengths.
        DtypeError: something else than numbers.
    """
    if isinstance(data, ArrayDataset):
        return data.arrays
    if isinstance(data, Dataset):
        return data.x, data.y
    parts = tuple(data) if isinstance(data, tuple | list) else (data,)
    arrays = tuple(
        p.device.to_host(p.data) if isinstance(p, Tensor) else np.asarray(p) for p in parts
    )
    for array in arrays:
        if array.dtype.kind not in "fiub":
            raise DtypeError(f"{owner}: expected arrays of numbers, got dtype {array.dtype}")
    shapes = [array.shape for array in arrays]
    if not shapes or () in shapes or len({shape[0] for shape in shapes}) > 1 or not shapes[0][0]:
        raise ShapeError(
            f"{owner}: the arrays have shapes {shapes}; each needs one row per example, all the "
            "same number, at least one"
        )
    return arrays


class ArrayDataset:
    """Arrays whose rows belong together: example i is row i of each.

    Arguments:
        arrays: NumPy arrays or Tensors, such as x of shape (n, features) and y of shape (n,); or
            one `Dataset`.

    Attributes:
        arrays: them, as NumPy arrays.

    Raises:
        ShapeError: no array, no row, or unequal lengths.

    >>> from minigrad.data import ArrayDataset
    >>> pairs = ArrayDataset(np.zeros((4, 2)), np.arange(4))
    >>> len(pairs), pairs[2]
    (4, (tensor([0., 0.], dtype=float64), tensor(2)))
    """

    arrays: tuple[NDArray[Any], ...]

    def __init__(self, *arrays: Any) -> None:
        self.arrays = as_arrays("ArrayDataset", arrays[0] if len(arrays) == 1 else arrays)

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        """The rows with these numbers, as new Tensors."""
        return tuple(tensor(array[index]) for array in self.arrays)


class DataLoader:
    """The rows of a data set in batches, in a new random order each time if so wanted.

    Iterate over it once per epoch; `len` is the number of batches.

    Arguments:
        dataset: a `Dataset`, an `ArrayDataset`, or a tuple of arrays such as (x, y).
        batch_size: rows in a batch; the last has what is left.
        shuffle: a new order for each epoch?
        drop_last: leave out a last batch that is not full?
        generator: where the orders come from; by default the generator that `mg.manual_seed`
            seeds.

    Each batch is a tuple with a Tensor for each array, of its dtype and shape (rows, ...).

    Raises:
        ArgumentError: a batch size below 1, or one so large that drop_last leaves nothing.
        ShapeError: arrays of unequal length.

    >>> import minigrad as mg
    >>> digits = mg.data.load_digits()
    >>> loader = mg.data.DataLoader(digits, batch_size=64, shuffle=True)
    >>> len(loader)
    29
    >>> for x, y in loader:
    ...     pass
    >>> x.shape, y.dtype
    ((5, 64), dtype('int64'))
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int = 1,
        shuffle: bool = False,
        drop_last: bool = False,
        generator: Generator | None = None,
    ) -> None:
        self.dataset = ArrayDataset(*as_arrays("DataLoader", dataset))
        self.batch_size = check_count("DataLoader", "batch_size", batch_size)
        n = len(self.dataset)
        if drop_last and batch_size > n:
            raise ArgumentError(
                f"DataLoader: with drop_last, batch_size={batch_size} makes no batch of {n} "
                f"examples; use 1 to {n}"
            )
        self.shuffle, self.drop_last = shuffle, drop_last
        self.generator = generator

    def __len__(self) -> int:
        full, rest = divmod(len(self.dataset), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        n = len(self.dataset)
        if self.shuffle:
            order = generator_or_default(self.generator).permutation(n)
        else:
            order = np.arange(n)
        for i in range(len(self)):
            yield self.dataset[order[i * self.batch_size : (i + 1) * self.batch_size]]
