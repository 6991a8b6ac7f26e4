"""Saturated elements, and dead units: where an activation passes on little of a gradient, or none.

What saturated and dead mean for each activation stands in `nn.saturation`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minigrad import nn
from minigrad.backend import CPU, Array, device_of
from minigrad.diagnostics.recording import COLUMN
from minigrad.diagnostics.statistics import FLOAT
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
        self._flats: dict[Any, Flat | None] = {}
        self.clear()

    def clear(self) -> None:
        """Begin a new step."""
        # Per call: layers, size, number of saturated elements, which units are silent.
        self._calls: list[tuple[tuple[int, ...], int, Any, Array | None]] = []

    def take(self, layers: tuple[int, ...], activation: nn.Activation, z: Array) -> None:
        """Count in what an activation was given as the output of these layers."""
        key = activation, z.dtype
        if key not in self._flats:
            self._flats[key] = flat_parts(activation, z.dtype)
        flat = self._flats[key]
        if flat is None:
            return
        xp = device_of(z).xp
        inside = _within(xp, z, flat.saturated)
        count = xp.count_nonzero(inside)
        silent = None
        # Where fewer elements than examples are saturated, no unit can be silent.
        if flat.dead and (xp is not CPU.xp or count >= z.size // units_of(z)):
            dead = inside if flat.dead == flat.saturated else _within(xp, z, flat.dead)
            silent = dead.reshape(-1, units_of(z)).all(axis=0)
        self._calls.append((layers, z.size, count, silent))

    def away(self) -> list[Any]:
        """What may lie on a GPU; `record` wants it fetched."""
        counts = [count for _, _, count, _ in self._calls]
        return counts + [silent for *_, silent in self._calls if silent is not None]

    def record(self, row: FLOAT, fetched: Sequence[Any]) -> None:
        """Put what was found in this step into a record's row (layers, MEASURED)."""
        counts, masks = fetched[: len(self._calls)], iter(fetched[len(self._calls) :])
        saturated, sizes = np.zeros(self.layers), np.zeros(self.layers)
        silent: dict[int, NDArray[np.bool_] | None] = {}
        for (layers, size, _, has_mask), count in zip(self._calls, counts, strict=True):
            units = None if has_mask is None else next(masks).astype(bool)
            for layer in layers:
                saturated[layer] += count
                sizes[layer] += size
                silent[layer] = _in_both(silent[layer], units) if layer in silent else units
        seen = sizes.nonzero()[0]
        row[seen, COLUMN["saturated"]] = saturated[seen] / sizes[seen]
        row[seen, COLUMN["dead"]], row[seen, COLUMN["revived"]] = self._silence.record(
            seen, {k: units for k, units in silent.items() if units is not None and units.any()}
        )


def units_of(z: Array) -> int:
    """How many units there are: the size of the last axis."""
    return max(1, z.shape[-1]) if z.ndim else 1


def _in_both(a: NDArray[np.bool_] | None, b: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
    """A unit is silent in a step if it is in every call. None stands for: no unit is."""
    return None if a is None or b is None or a.shape != b.shape else a & b


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
        self._silent_for: dict[int, NDArray[np.int64]] = {}  # of layers with a silent unit

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
        for layer in layers.tolist():
            if layer in silent or layer in self._silent_for:
                dead[layer], revived[layer] = self._follow(layer, silent.get(layer))
        self._records[layers] += 1
        return dead[layers], revived[layers]

    def _follow(self, layer: int, silent: NDArray[np.bool_] | None) -> tuple[float, int]:
        before = self._silent_for.pop(layer, None)
        if silent is None:
            silent = np.zeros(before.shape, bool)  # type: ignore[union-attr]
        if before is None or before.shape != silent.shape:
            before = np.zeros(silent.shape, int)
        records = int(self._records[layer])
        now = np.where(silent, before + 1, 0)
        if now.any():
            self._silent_for[layer] = now
        was_dead = (before >= min(self.window, records)) & (before > 0)
        is_dead = now >= min(self.window, records + 1)
        return float(is_dead.mean()), int((was_dead & ~is_dead).sum())
