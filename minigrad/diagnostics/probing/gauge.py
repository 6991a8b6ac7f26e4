"""Gauge: the statistics of one array after another, fast enough for a training loop.

It says what `statistics.describe` says, many times faster. An array is measured on the spot, while
it still lies in the processor's cache, with as few calls as will do. One that needs care, because
it holds NaN or numbers whose squares are lost, is left to `describe`. From a GPU the numbers of a
whole step come back in one transfer, by `fetched`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minigrad.backend import Array, Device, device_of
from minigrad.diagnostics.probing.statistics import (
    BINS,
    FLOAT,
    HIGHEST,
    LOWEST,
    MIDDLE,
    NOTHING,
    Statistics,
    describe,
)

RMS, MEAN, STD, MAX, NORM, ZEROS, NANS, INFS = range(len(Statistics._fields))

# Sums of squares between these are exact to rounding; beyond, some squares may have been lost.
SMALLEST, LARGEST = 1e-280, 1e280

# Below this share of the mean square, mean square - mean^2 has lost digits.
NARROW = 1e-3

CHUNK = 131072  # elements that are worked on at a time: a megabyte in float64
SHAPES = 64  # for which memory is kept

_NAN = math.nan
_FLOAT32 = np.dtype(np.float32)
_HERE = frozenset((np.ndarray, np.float64, np.int64, int, float, bool))


class Scratch:
    """Memory in float64 to compute in, kept for each shape."""

    def __init__(self) -> None:
        self._of_shape: dict[Any, tuple[Array, Array]] = {}

    def double(self, array: Array) -> Array:
        """The array in float64, flat."""
        memory = self._of_shape.get(array.shape)
        if memory is None:
            if len(self._of_shape) >= SHAPES:
                self._of_shape.clear()
            new = device_of(array).xp.empty(array.shape)
            memory = self._of_shape[array.shape] = new, new.reshape(-1)
        memory[0][...] = array
        return memory[1]


class Found(NamedTuple):
    """What was measured, array by array.

    Attributes:
        values: float64 (arrays, statistics).
        sizes: float64 (arrays,), their numbers of elements.
        owners: (arrays,), what each belongs to.
    """

    values: FLOAT
    sizes: FLOAT
    owners: NDArray[np.intp]


class Gauge:
    """Takes the statistics of arrays.

    Attributes:
        full: take all statistics, and histograms? Else mean, std, max and zeros are left NaN.
    """

    def __init__(self) -> None:
        self.full = False
        self.scratch = Scratch()
        self.clear()

    def clear(self) -> None:
        """Forget what was measured."""
        # Per array: what it belongs to, its size, its sum of squares.
        self._light: tuple[list[int], list[int], list[float]] = [], [], []
        self._rows: list[tuple[int, int, Sequence[float]]] = []  # owner, size, statistics
        self._away: list[tuple[int, Array, list[Array]]] = []  # owner, array, sums on a GPU
        self._counts: list[tuple[int, str, Array]] = []  # owner, dtype, histogram by exponent

    def take(self, owner: int, array: Array) -> Array | None:
        """Measure an array, as belonging to `owner`.

        Returns:
            If it was needed on the way: the array in float64, flat, until the next call.
        """
        if self.full:
            self._count(owner, array)
        elif array.dtype is _FLOAT32 and type(array) is np.ndarray and array.size <= CHUNK:
            x = self.scratch.double(array)
            square = x.dot(x)  # no square of a float32 is lost in float64
            if SMALLEST < square < LARGEST:
                owners, sizes, squares = self._light
                owners.append(owner)
                sizes.append(array.size)
                squares.append(square)
            else:
                self._rows.append((owner, array.size, describe(array)))
            return x
        if array.size and not isinstance(array, np.ndarray):
            self._away.append((owner, array, self._sums(array)))
        else:
            statistics = self._statistics(array, self._sums(array)) if array.size else NOTHING
            self._rows.append((owner, array.size, statistics))
        return None

    # -- one array ---------------------------------------------------------------------------

    def _sums(self, array: Array) -> list[Any]:
        """The sum of squares; and if full the sum, the number of zeros, the largest magnitude."""
        xp = device_of(array).xp
        sums: list[Any] = []
        with np.errstate(over="ignore", invalid="ignore"):
            for part in _parts(array):
                x = self.scratch.double(part)
                found = [x.dot(x)]
                if self.full:
                    found += [x.sum(), xp.count_nonzero(part == 0), _largest(xp, part)]
                sums = found if not sums else _together(xp, sums, found)
        return sums

    def _statistics(self, array: Array, sums: Sequence[Any]) -> Sequence[float]:
        n, square = array.size, float(sums[0])
        if not SMALLEST < square < LARGEST:
            return describe(array)
        mean_square = square / n
        rms, norm = math.sqrt(mean_square), math.sqrt(square)
        if len(sums) == 1:
            return rms, _NAN, _NAN, _NAN, norm, _NAN, 0.0, 0.0
        mean = float(sums[1]) / n
        variance = mean_square - mean * mean
        if variance < NARROW * mean_square:
            variance = self._variance(array, mean)
        std, largest, zeros = math.sqrt(variance), float(sums[3]), float(sums[2]) / n
        return rms, mean, std, largest, norm, zeros, 0.0, 0.0

    def _variance(self, array: Array, mean: float) -> float:
        total = 0.0
        for part in _parts(array):
            x = self.scratch.double(part)
            x -= mean
            total += float(x.dot(x))
        return total / int(array.size)

    # -- histograms --------------------------------------------------------------------------

    def _count(self, owner: int, array: Array) -> None:
        """Count by sign and exponent, which stand in the leading bits of a number."""
        if array.dtype.char not in _LEADING_BITS:
            array = array.astype(np.float64)
        unsigned, signed, digits, one = _LEADING_BITS[array.dtype.char]
        keys = (array.reshape(-1).view(unsigned) >> digits).view(signed)
        counts = device_of(array).xp.bincount(keys, minlength=4 * (one + 1))
        self._counts.append((owner, array.dtype.char, counts))

    # -- all of them -------------------------------------------------------------------------

    def away(self) -> list[Array]:
        """What is still on a GPU; `collect` wants it fetched."""
        return [x for _, _, sums in self._away for x in sums] + [c for _, _, c in self._counts]

    def collect(self, fetched: Sequence[Any]) -> Found:
        """All that was measured."""
        arrived = iter(fetched)
        rows = list(self._rows)
        for owner, array, sums in self._away:
            here = [float(next(arrived)) for _ in sums]
            rows.append((owner, array.size, self._statistics(array, here)))
        self._counts = [(owner, dtype, next(arrived)) for owner, dtype, _ in self._counts]
        owners, sizes, squares = map(np.array, self._light)
        values = of_squares(squares, sizes)
        if rows:
            values = np.concatenate([values, np.array([row for _, _, row in rows])])
            sizes = np.append(sizes, [size for _, size, _ in rows])
            owners = np.append(owners, [owner for owner, _, _ in rows])
        return Found(values, sizes.astype(np.float64), owners.astype(np.intp))

    def histograms(self, owners: int) -> NDArray[np.int32]:
        """After `collect`: int32 (owners, BINS); an owner's number is taken modulo `owners`."""
        found = np.zeros((owners, BINS), np.int32)
        for dtype in _LEADING_BITS:
            members = [(owner, counts) for owner, kind, counts in self._counts if kind == dtype]
            if members:
                counts = np.array([counts for _, counts in members], dtype=np.int32)
                rows = [owner % owners for owner, _ in members]
                np.add.at(found, rows, _by_octave(counts, dtype))
        return found


def of_squares(squares: FLOAT, sizes: FLOAT) -> FLOAT:
    """The statistics that follow from sums of squares: rms, norm, and that there is no NaN."""
    values = np.full((len(squares), len(Statistics._fields)), _NAN)
    values[:, NORM] = np.sqrt(squares)
    with np.errstate(invalid="ignore"):  # NaN where there are no elements
        values[:, RMS] = np.sqrt(squares / sizes)
    values[:, NANS:] = 0.0
    return values


def _parts(array: Array) -> Iterator[Array]:
    """An array, or if it is large the pieces of it."""
    if array.size <= CHUNK:
        yield array
        return
    flat = array.reshape(-1)
    for start in range(0, flat.size, CHUNK):
        yield flat[start : start + CHUNK]


def _largest(xp: Any, array: Array) -> Any:
    """The largest magnitude, of an array without NaN."""
    if not isinstance(array, np.ndarray):
        return xp.maximum(array.max(), -array.min())
    flat = array.reshape(-1)  # argmax takes a third of the time that max does
    return max(flat[flat.argmax()], -flat[flat.argmin()])


def _together(xp: Any, sums: list[Any], more: list[Any]) -> list[Any]:
    added = [a + b for a, b in zip(sums[:3], more[:3], strict=True)]
    return added + [xp.maximum(a, b) for a, b in zip(sums[3:], more[3:], strict=True)]


# By the character of a dtype: integers of its size; how many bits are digits; the exponent of 1.0.
_LEADING_BITS: dict[str, tuple[Any, Any, int, int]] = {
    "f": (np.uint32, np.int32, 23, 127),
    "d": (np.uint64, np.int64, 52, 1023),
}


def _by_octave(counts: NDArray[np.int32], dtype: str) -> NDArray[np.int32]:
    """Histograms over `BIN_EDGES`, from those over sign and exponent: a row for each array."""
    found = np.zeros((len(counts), BINS), np.int32)
    one = _LEADING_BITS[dtype][-1]
    lowest, highest = LOWEST + one, HIGHEST + one
    positive, negative = np.split(counts, 2, axis=1)
    for half, bins in ((positive, found[:, MIDDLE + 1 :]), (negative, found[:, :MIDDLE][:, ::-1])):
        found[:, MIDDLE] += half[:, :lowest].sum(axis=1)
        bins[:] = half[:, lowest:highest]
        bins[:, -1] += half[:, highest:-1].sum(axis=1)  # the last exponent: NaN and infinity
    return found


# -- results -----------------------------------------------------------------------------------


def fetched(arrays: Sequence[Any]) -> list[Any]:
    """Numbers and arrays of any device on the host; what lies on a GPU in one transfer."""
    here = list(arrays)
    away: dict[Device, list[int]] = {}
    for i, array in enumerate(arrays):
        if type(array) not in _HERE and hasattr(array, "__cuda_array_interface__"):
            away.setdefault(device_of(array), []).append(i)
    for device, places in away.items():
        flat = [arrays[i].ravel().astype(np.float64) for i in places]
        host = device.to_host(device.xp.concatenate(flat))
        parts = np.split(host, np.cumsum([part.size for part in flat])[:-1])
        for i, part in zip(places, parts, strict=True):
            here[i] = part.reshape(arrays[i].shape)
    return here


def merged(found: Found, count: int) -> FLOAT:
    """The statistics of all arrays of an owner together.

    Arguments:
        found: the statistics of each array.
        count: how many owners there are.

    Returns:
        float64 (count, statistics); NaN for an owner without elements.
    """
    values, sizes, owners = found
    result = np.full((count, len(Statistics._fields)), _NAN)
    if len(set(owners.tolist())) == len(owners):
        result[owners] = values
        return result
    values, owners, sizes = values[sizes > 0], owners[sizes > 0], sizes[sizes > 0]
    total = np.bincount(owners, sizes, count)
    share = sizes / total[owners]
    # Relative to the largest, so that no square is lost.
    unit, largest = np.zeros(count), np.zeros(count)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        np.maximum.at(unit, owners, values[:, RMS])
        np.maximum.at(largest, owners, values[:, MAX])
        unit[~np.isfinite(unit) | (unit == 0)] = 1.0
        mean = np.bincount(owners, share * values[:, MEAN], count)
        size = values[:, RMS] / unit[owners]
        deviation = np.hypot(values[:, STD], values[:, MEAN] - mean[owners]) / unit[owners]
        result[:, RMS] = unit * np.sqrt(np.bincount(owners, share * size * size, count))
        result[:, STD] = unit * np.sqrt(np.bincount(owners, share * deviation * deviation, count))
        result[:, NORM] = result[:, RMS] * np.sqrt(total)
    result[:, MEAN], result[:, MAX] = mean, largest
    for column in (ZEROS, NANS, INFS):
        result[:, column] = np.bincount(owners, share * values[:, column], count)
    result[total == 0] = _NAN
    return result
