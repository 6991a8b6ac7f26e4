"""Checks of what is put into a recording or asked of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minigrad.diagnostics.probing.statistics import FLOAT
from minigrad.errors import ArgumentError


def layer_names(layers: Any) -> list[str]:
    """The names of layers as a list.

    Raises:
        ArgumentError: something else, or a name that stands twice.

    >>> layer_names(("first", "second"))
    ['first', 'second']
    """
    names = list(layers) if hasattr(layers, "__iter__") else [layers]
    if isinstance(layers, str) or not all(isinstance(name, str) for name in names):
        raise ArgumentError(
            "Recording: layers must be a list of names, such as ['first', 'second'], got "
            f"{layers!r}"
        )
    if len(set(names)) < len(names):
        raise ArgumentError("Recording: two layers have the same name; name each once")
    return names


def check_record(step: Any, values: Any, histograms: Any) -> None:
    """Raise an ArgumentError for a step that is no whole number, or for what is no dict."""
    if histograms is not None and not isinstance(histograms, Mapping):
        raise ArgumentError(
            "Recording.add: histograms must be a dict with counts of shape (layers, bins) per "
            f"signal, got {type(histograms).__name__}"
        )
    if not isinstance(step, int | np.integer) or not isinstance(values, Mapping):
        raise ArgumentError(
            "Recording.add: takes the number of a step and a dict with a list of numbers per "
            f"series, add(0, {{'dz_rms': [...]}}), got {step!r} and {type(values).__name__}"
        )


def per_layer(series: str, value: Any, layers: int) -> FLOAT:
    """One number for each layer, as an array.

    Raises:
        ArgumentError: something else.
    """
    try:
        numbers = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ArgumentError(
            f"Recording.add: {series} takes one number for each layer, got {value!r}"
        ) from None
    if numbers.shape != (layers,):
        raise ArgumentError(
            f"Recording.add: {series} has shape {numbers.shape}; it takes one number for each of "
            f"the {layers} layers"
        )
    return numbers


def one_number(asked: str, name: str, value: Any) -> float:
    """One number as a float: Python's, or an array or Tensor with a single element.

    Raises:
        ArgumentError: anything else.

    >>> one_number("note", "loss", np.array([2.5]))
    2.5
    """
    check_one_number(asked, name, value)
    return float(value if isinstance(value, int | float) else value.item())


def check_one_number(asked: str, name: str, value: Any) -> None:
    """Raise an ArgumentError for what is not one number, which is not read: it may lie on a GPU."""
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    if not isinstance(value, int | float) and not (kind in tuple("fiu") and value.size == 1):
        got = f"shape {value.shape}" if kind else repr(value)
        raise ArgumentError(
            f"{asked}: {name} must be one number, or a Tensor of one element, got {got}"
        )


def check_path(asked: str, path: str | Path, suffix: str) -> None:
    """Raise an ArgumentError for a path by which `load` would not know the file, or no folder."""
    if not isinstance(path, str | Path) or Path(path).suffix.lower() != suffix:
        raise ArgumentError(
            f"{asked}: {str(path)!r} does not end in {suffix}, by which load knows the file; "
            f"call it {Path(str(path)).stem or 'run'}{suffix}"
        )
    if not Path(path).parent.is_dir():
        raise ArgumentError(
            f"{asked}: there is no folder {str(Path(path).parent)!r}; make it first, with "
            "Path(...).mkdir(parents=True)"
        )


def unknown(asked: str, name: Any, valid: Sequence[str], what: str = "series") -> str:
    """The message for a name that there is not."""
    return f"{asked}: no {what} {name!r}; use one of {', '.join(valid)}"
