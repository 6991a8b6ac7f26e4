"""Saturated elements, and dead units: where an activation passes on little of a gradient, or none.

What saturated and dead mean for each activation stands in `nn.saturation`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minigrad import nn
from minigrad.backend import CPU, Array, device_of
from minigrad.diagnostics.probing.names import COLUMN
from minigrad.diagnostics.probing.statistics import FLOAT
from minigrad.nn.saturation import Flat, Interval, flat_parts


class Units:
    """Counts, in each step, what is saturated and which units are dead.

    Arguments:
        layers: how many there are.
        window: for how many records in a row a unit must be silent to be dead.
    """

    def __init__(self, layers: int, window: int) -> None:
        self.layers = layers
        self._silence = Silence(layers, window)
        self._flats: dict[nn.Activation, tuple[np.dtype, Flat | None]] = {}
        self.clear()

    def clear(self) -> None:
        """Begin a new step."""
        self._layers: list[int] = []  # what follows stands beside each of them
        self._sizes: list[int] = []
        self._saturated: list[Any] = []  # counts
        self._silent: list[tuple[int, Array]] = []  # layer, and which units are; if any can be

    def take(self, layers: tuple[int, ...], activation: nn.Activation, z: Array) -> None:
        """Count in what an activation was given as the output of these layers."""
        dtype, flat = self._flats.get(activation, _UNKNOWN)
        if dtype is not z.dtype:
            flat = flat_parts(activation, z.dtype)
            self._flats[activation] = z.dtype, flat
        if flat is None:
            return
        xp, here = (CPU.xp, True) if isinstance(z, np.ndarray) else (device_of(z).xp, False)
        inside = _within(xp, z, flat.saturated)
        count = xp.count_nonzero(inside)
        for layer in layers:
            self._layers.append(layer)
            self._sizes.append(z.size)
            self._saturated.append(count)
        # Where fewer elements than examples are saturated, no unit can be silent.
        if flat.dead and not (here and count < z.size // units_of(z)):
            dead = inside if flat.dead == flat.saturated else _within(xp, z, flat.dead)
            silent = dead.reshape(-1, units_of(z)).all(axis=0)
            self._silent += [(layer, silent) for layer in layers]

    def away(self) -> list[Any]:
        """What may lie on a GPU; `record` wants it fetched."""
        return self._saturated + [silent for _, silent in self._silent]

    def record(self, row: FLOAT, fetched: Sequence[Any]) -> None:
        """Put what was found in this step into a record's row (layers, MEASURED)."""
        calls = len(self._layers)
        owners = np.array(self._layers, dtype=np.intp)
        counts = np.array(fetched[:calls], dtype=np.float64)
        sizes = np.bincount(owners, self._sizes, self.layers)
        seen = sizes.nonzero()[0]
        saturated = np.bincount(owners, counts, self.layers)
        row[seen, COLUMN["saturated"]] = saturated[seen] / sizes[seen]
        silent = self._in_all_calls(np.bincount(owners, minlength=self.layers), fetched[calls:])
        dead, revived = self._silence.record(seen, silent)
        row[seen, COLUMN["dead"]], row[seen, COLUMN["revived"]] = dead, revived

    def _in_all_calls(
        self, calls: NDArray[np.intp], masks: Sequence[Any]
    ) -> dict[int, NDArray[np.bool_]]:
        """Per layer which units were silent in all its calls; layers without one are left out."""
        of_layers: dict[int, list[NDArray[np.bool_]]] = {}
        for layer, mask in self._with_silent_units(masks):
            of_layers.setdefault(layer, []).append(mask)
        found = {}
        for layer, seen in of_layers.items():
            if len(seen) == calls[layer] and len({mask.shape for mask in seen}) == 1:
                silent = seen[0] if len(seen) == 1 else np.logical_and.reduce(seen)
                if len(seen) == 1 or silent.any():
                    found[layer] = silent
        return found

    def _with_silent_units(self, masks: Sequence[Any]) -> Iterator[tuple[int, NDArray[np.bool_]]]:
        """Layer and mask of the calls in which any unit was silent; all are looked at in one go."""
        if not masks:
            return
        units = np.concatenate(masks).astype(bool, copy=False)
        ends = np.cumsum([len(mask) for mask in masks]).tolist()
        starts = [0, *ends[:-1]]
        some = np.logical_or.reduceat(units, starts).tolist()
        for (layer, _), start, end, any_silent in zip(
            self._silent, starts, ends, some, strict=True
        ):
            if any_silent:
                yield layer, units[start:end]


_UNKNOWN: tuple[Any, None] = None, None


def units_of(z: Array) -> int:
    """How many units there are: the size of the last axis."""
    return max(1, z.shape[-1]) if z.ndim else 1


def _within(xp: Any, z: Array, intervals: Sequence[Interval]) -> Array:
    """Which elements lie in one of the intervals."""
    if len(intervals) == 2 and intervals[0] == (-math.inf, -intervals[1][0]):
        return abs(z) >= intervals[1][0]  # the same in two calls instead of three
    found = None
    for low, high in intervals:
        inside = z <= high if low == -math.inf else z >= low
        if math.isfinite(low) and math.isfinite(high):
            inside &= z <= high
        found = inside if found is None else found | inside
    return xp.zeros(z.shape, bool) if found is None else found


class Silence:
    """For how many records each unit has been silent.

    A unit is silent in a record if its activation has slope 0 for every example. It is dead when
    it was silent in the last `window` records, or in all so far if there are fewer.

    >>> silence = Silence(layers=1, window=2)
    >>> for silent in ([True, False], [True, False], [False, True]):
    ...     print(*silence.record(np.array([0]), {0: np.array(silent)}))
    [0.5] [0.]
    [0.5] [0.]
    [0.] [1.]
    """

    def __init__(self, layers: int, window: int) -> None:
        self.window = window
        self._records = np.zeros(layers, int)
        self._silent_for: dict[int, NDArray[np.int64]] = {}  # of layers that ever had a silent unit

    def record(
        self, layers: NDArray[np.intp], silent: Mapping[int, NDArray[np.bool_]]
    ) -> tuple[FLOAT, FLOAT]:
        """Take in which units were silent.

        Arguments:
            layers: those that were looked at.
            silent: per layer with a silent unit, which units are.

        Returns:
            Per layer the share of its units that are dead; and how many were dead in the record
            before, and no longer are.
        """
        dead, revived = np.zeros(len(self._records)), np.zeros(len(self._records))
        followed = [k for k in layers.tolist() if k in silent or k in self._silent_for]
        if followed:
            dead[followed], revived[followed] = self._follow(followed, silent)
        self._records[layers] += 1
        return dead[layers], revived[layers]

    def _follow(
        self, layers: list[int], silent: Mapping[int, NDArray[np.bool_]]
    ) -> tuple[FLOAT, FLOAT]:
        """The same of layers with units that are or were silent, all units side by side."""
        masks, past = [], []
        for layer in layers:
            before, mask = self._silent_for.pop(layer, None), silent.get(layer)
            if mask is None:
                mask = np.zeros(before.shape, bool)  # type: ignore[union-attr]
            if before is None or before.shape != mask.shape:
                before = np.zeros(mask.shape, np.int64)
            masks.append(mask)
            past.append(before)
        sizes = np.array([mask.size for mask in masks])
        starts = np.cumsum(sizes) - sizes
        before = np.concatenate(past)
        now = np.where(np.concatenate(masks), before + 1, 0)
        for layer, start, size in zip(layers, starts.tolist(), sizes.tolist(), strict=True):
            self._silent_for[layer] = now[start : start + size]
        records = self._records[layers]
        was_dead = before >= np.repeat(np.minimum(self.window, np.maximum(records, 1)), sizes)
        is_dead = now >= np.repeat(np.minimum(self.window, records + 1), sizes)
        revived = np.add.reduceat(was_dead & ~is_dead, starts, dtype=np.float64)
        return np.add.reduceat(is_dead, starts, dtype=np.float64) / sizes, revived
