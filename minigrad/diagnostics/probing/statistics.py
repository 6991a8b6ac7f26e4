"""What is computed of one array: how large it is, how it spreads, what is wrong with it.

Everything is computed in float64, and scaled where a square would underflow or overflow: in
float32 the square of 1e-30 is 0, and a gradient that is merely small would look dead. This is the
definition; a `Probe` takes the same numbers with a `gauge.Gauge`, many times faster.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

FLOAT = NDArray[np.float64]


class Statistics(NamedTuple):
    """Of one array, or of several together; all NaN where there are no elements.

    Attributes:
        rms: root mean square, sqrt(mean(x^2)).
        mean: arithmetic mean.
        std: standard deviation sqrt(mean((x - mean)^2)), with the divisor n.
        max: largest magnitude, max |x|.
        norm: L2 norm, sqrt(sum(x^2)).
        zeros, nans, infs: the share of elements that are 0, NaN, plus or minus infinity; 0 to 1.

    As in NumPy, a NaN among the elements makes the first five NaN; infinity makes `rms`, `max`
    and `norm` infinite.
    """

    rms: float
    mean: float
    std: float
    max: float
    norm: float
    zeros: float
    nans: float
    infs: float


NOTHING = Statistics(*[math.nan] * len(Statistics._fields))


def describe(array: Any) -> Statistics:
    """The statistics of one array.

    Arguments:
        array: real numbers of any shape and dtype, on any device.

    >>> describe(np.float32([3e-30, -4e-30, 0, 0])).norm
    5.0000...e-30
    >>> describe(np.array([1.0, np.nan, np.inf, 0.0])).nans
    0.25
    """
    x = array.astype(np.float64).ravel()
    n = x.size
    if n == 0:
        return NOTHING
    nans = int((x != x).sum())
    infs = int((abs(x) == math.inf).sum())
    zeros = int((x == 0).sum())
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        largest = float(abs(x).max())
        unit = _power_of_two_near(largest)
        x = x / unit
        mean = float(x.mean())
        deviation = x - mean
        mean_square, variance = float(x.dot(x)) / n, float(deviation.dot(deviation)) / n
        rms = unit * math.sqrt(mean_square)
        return Statistics(
            rms, unit * mean, unit * math.sqrt(variance), largest, rms * math.sqrt(n),
            zeros / n, nans / n, infs / n,
        )  # fmt: skip


def _power_of_two_near(size: float) -> float:
    """To divide by without rounding, so that what is of this size comes near 1."""
    return 2.0 ** (math.frexp(size)[1] - 1) if 0 < size < math.inf else 1.0


def relative_change(before: Any, after: Any) -> float:
    """rms(after - before) / rms(before): the update-to-weight ratio of one step.

    Arguments:
        before, after: arrays of one shape.

    Returns:
        NaN for empty arrays, and where `before` is all 0: there is nothing to compare with.

    >>> round(relative_change(np.float32([3e-30, 4e-30]), np.float32([3e-30, 3e-30])), 6)
    0.2
    """
    before = before.astype(np.float64)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        size, change = describe(before).rms, describe(after.astype(np.float64) - before).rms
    return change / size if size else math.nan


def cosine(a: Any, b: Any) -> float:
    """sum(a b) / (|a| |b|), the cosine of the angle between two arrays of one shape.

    Returns:
        A number in [-1, 1] but for rounding; NaN where one of them is all 0.

    >>> round(cosine(np.float32([1e-30, 0]), np.float32([1e-30, 1e-30])), 12)
    0.707106781187
    """
    a, b = (x.astype(np.float64).ravel() for x in (a, b))
    if a.size == 0:
        return math.nan
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        a, b = (x / _power_of_two_near(float(abs(x).max())) for x in (a, b))
        product = float(a.dot(b))
        norms = math.sqrt(float(a.dot(a))) * math.sqrt(float(b.dot(b)))
    return product / norms if norms else math.nan


def signal_to_noise(norms: FLOAT, cosines: FLOAT, window: int = 10) -> FLOAT:
    """|mean gradient| / noise over the last records, from norms and cosines alone.

    A gradient is g = m + e, with m the mean over all batches and e the noise of this one. Two
    successive gradients have independent noise, so on average

        g_t . g_(t-1) = |m|^2        |g_t|^2 = |m|^2 + E|e|^2

    as long as the weights change little from one to the other. Both are averaged over a window;
    the ratio is sqrt(|m|^2 / E|e|^2). Its inverse square is the gradient noise scale, in batches.

    Arguments:
        norms: |g|, shape (records, layers).
        cosines: of g_t and g_(t-1), same shape; NaN where there is none, as in record 0.
        window: over how many records, the present one included.

    Returns:
        float64 (records, layers). 0 where no common direction is left; infinite where there is no
        noise; NaN where there are not two gradients to compare.

    Source: McCandlish et al. (2018), An empirical model of large-batch training, for the noise
    scale tr(Sigma) / |m|^2.

    >>> norms, cosines = np.full((3, 1), 2.0), np.array([[np.nan], [0.5], [0.5]])
    >>> signal_to_noise(norms, cosines).ravel()
    array([nan,  1.,  1.])
    """
    found = np.full(norms.shape, math.nan)
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        for t in range(1, len(norms)):
            last = slice(max(1, t + 1 - window), t + 1)
            # Relative to the largest, so that no square of a tiny norm is lost.
            unit = np.fmax.reduce(norms[max(0, last.start - 1) : t + 1])
            here, before = norms[last] / unit, norms[last.start - 1 : t] / unit
            pairs = cosines[last] * here * before
            usable = np.isfinite(pairs)
            count = usable.sum(axis=0)
            signal = np.where(usable, pairs, 0.0).sum(axis=0) / count
            total = np.where(usable, here * here + before * before, 0.0).sum(axis=0) / (2 * count)
            noise = np.maximum(total - signal, 0.0)
            found[t] = np.sqrt(np.maximum(signal, 0.0) / noise)
    return found


# -- histograms --------------------------------------------------------------------------------

LOWEST, HIGHEST = -126, 32  # exponents of the smallest and the largest edge

_MAGNITUDES = 2.0 ** np.arange(LOWEST, HIGHEST + 1)

# One octave a bin, the same for all arrays and runs, symmetric about 0. Magnitudes in
# [2^k, 2^(k+1)) share a bin. The middle one holds 0 and all below 2^-126 (1.2e-38), the smallest
# normal number of float32; the outermost also hold whatever finite number is larger.
BIN_EDGES: FLOAT = np.concatenate([-_MAGNITUDES[::-1], _MAGNITUDES])
BINS = len(BIN_EDGES) - 1
MIDDLE = HIGHEST - LOWEST


def histogram(array: Any) -> NDArray[np.int64]:
    """How many elements fall between any two neighbours of `BIN_EDGES`.

    NaN and infinities are in no bin; their shares are two of the `Statistics`. A `Probe` counts by
    itself; this is for a `Recording` that is filled by hand: its `add` takes such counts.

    Arguments:
        array: real numbers of any shape.

    Returns:
        int64 of shape (BINS,).

    >>> counts = histogram(np.array([0.0, 1.5, -1.5, 1e-320, np.nan]))
    >>> [(float(BIN_EDGES[i]), int(counts[i])) for i in counts.nonzero()[0]]
    [(-2.0, 1), (-1.175...e-38, 2), (1.0, 1)]
    """
    x = array.astype(np.float64).ravel()
    x = x[np.isfinite(x)]
    octave = np.frexp(x)[1] - 1  # 2^octave <= |x| < 2^(octave + 1)
    step = np.clip(octave, LOWEST - 1, HIGHEST - 1) - (LOWEST - 1)  # 0 in the middle bin
    step[x == 0] = 0
    return np.bincount(MIDDLE + np.sign(x).astype(np.int64) * step, minlength=BINS)
