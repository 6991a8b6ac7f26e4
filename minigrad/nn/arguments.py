"""Arguments that layers share: sizes, and where parameters are put."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.backend import Device
from minigrad.errors import ArgumentError


def check_count(owner: str, name: str, value: Any) -> int:
    """`value` as an int, if it is a whole number of at least 1.

    Raises:
        ArgumentError: it is not.

    >>> check_count("Linear", "in_features", 3)
    3
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ArgumentError(f"{owner}: {name} must be a whole number of at least 1, got {value!r}")
    return int(value)


def placement(device: str | Device | None, dtype: Any) -> dict[str, Any]:
    """Keyword arguments for creation functions; by default the CPU and float32."""
    return {"device": device or "cpu", "dtype": np.float32 if dtype is None else dtype}
