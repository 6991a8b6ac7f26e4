"""Checks of arguments that several measurements share."""

from __future__ import annotations

from numbers import Real
from typing import Any


def is_number(value: Any) -> bool:
    """Whether it is one real number: Python's, NumPy's, or an array or Tensor without axes.

    Truth values and text are none.

    >>> import numpy as np
    >>> [is_number(value) for value in (2, np.float32(0.5), np.array(3), "2", True, None, [1])]
    [True, True, True, False, False, False, False]
    """
    if isinstance(value, Real):
        return not isinstance(value, bool)
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    return kind in tuple("fiu") and getattr(value, "shape", None) == ()
