"""Two paces of a lesson: in full, as published, or fast, to see that all of it still holds."""

from __future__ import annotations

import os
from typing import TypeVar

T = TypeVar("T")

FAST = "MINIGRAD_FAST"  # environment variable; any text but "" and "0" means fast


def full_or_fast(full: T, fast: T) -> T:
    """`full`, or `fast` where the environment variable MINIGRAD_FAST is set to 1.

    A lesson states its sizes with it: seeds, steps, repetitions, points of a grid. Its claims must
    hold at both paces.

    Arguments:
        full: what the published lesson takes.
        fast: what a quick check takes; of the same type.

    >>> SEEDS = range(full_or_fast(10, fast=3))  # ten seeds, or three for a quick check
    """
    return fast if os.environ.get(FAST, "") not in ("", "0") else full
