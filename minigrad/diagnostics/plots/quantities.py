"""The series of a recording, as figures scale and call them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from minigrad.diagnostics.plots.style import log10_of
from minigrad.diagnostics.probing.names import SIGNALS

FLOAT = NDArray[np.float64]


def signal_of(series: str) -> str:
    """The signal whose NaN make a series NaN; "" where there is none."""
    if series == "update_ratio":
        return "dw"
    signal = series.partition("_")[0]
    return signal if signal in SIGNALS else ""


def is_size(series: str) -> bool:
    """Whether a series spreads over orders of magnitude: a share or a cosine does not."""
    return series.endswith(("_rms", "_mean", "_std", "_max", "_norm", "_ratio", "_snr"))


def scaled(series: str, values: FLOAT) -> FLOAT:
    """As a series is drawn: sizes as log10 of their magnitude, all others as they are."""
    return log10_of(np.abs(values)) if is_size(series) else values


# What the parts of their names are called.
SIGNAL_WORDS = {"z": "z", "a": "a", "dz": "dL/dz", "dw": "dL/dW"}
_STATISTICS = {
    "rms": "the rms of {}", "mean": "the |mean| of {}", "std": "the std of {}",
    "max": "the largest |{}|", "norm": "the L2 norm of {}", "zeros": "share of zeros in {}",
    "nans": "share of NaN in {}", "infs": "share of infinities in {}",
}  # fmt: skip
_OTHERS = {
    "update_ratio": "update / weight", "saturated": "share of saturated elements",
    "dead": "share of dead units", "revived": "revived units",
    "dw_clipped_rms": "the rms of clipped dL/dW", "dw_cosine": "cosine of successive dL/dW",
    "dw_snr": "the signal-to-noise ratio of dL/dW",
}  # fmt: skip


def in_words(series: str) -> str:
    """What an axis calls a series, as it is drawn.

    >>> in_words("dz_rms"), in_words("dead")
    ('log10 of the rms of dL/dz', 'share of dead units')
    """
    words = _OTHERS.get(series)
    if words is None:
        signal, statistic = series.split("_")
        words = _STATISTICS[statistic].format(SIGNAL_WORDS[signal])
    return f"log10 of {words}" if is_size(series) else words
