"""What a step does to the weights: their gradient, and how far they are moved."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minigrad.backend import Array, device_of
from minigrad.diagnostics.probing import statistics
from minigrad.diagnostics.probing.gauge import (
    LARGEST,
    NORM,
    RMS,
    SMALLEST,
    Found,
    Gauge,
    Scratch,
    merged,
)
from minigrad.diagnostics.probing.names import COLUMN, columns_of
from minigrad.diagnostics.probing.statistics import BINS, FLOAT
from minigrad.tensor import Tensor


def _unusual_numbers_are_no_accident() -> np.errstate:
    """NaN and what overflows are findings here, and no reason for a warning."""
    return np.errstate(over="ignore", invalid="ignore")


class Weights:
    """The weights of all layers, and what a step does to them.

    The gradient of the last record is kept, for the cosine with the next one.

    Arguments:
        parameters: the weights.
        owners: per weight, the number of its layer; a layer may have several.
        layers: how many there are.
    """

    def __init__(self, parameters: Sequence[Tensor], owners: Sequence[int], layers: int) -> None:
        self.parameters = parameters
        self.owners = np.array(owners, dtype=np.intp)
        self.layers = layers
        self.gauge = Gauge()
        self._given = Gauge()
        self._scratch = Scratch(), Scratch()
        count = len(parameters)
        # Per weight, copies: the gradient now and in the last record, and the weight itself.
        self._now: list[Array | None] = [None] * count
        self._last: list[Array | None] = [None] * count
        self._before: list[Array | None] = [None] * count
        self._last_norms = np.full(layers, math.nan)
        self.clear()

    def clear(self) -> None:
        """Begin a new step."""
        self.gauge.clear()
        self._given.clear()
        self._has_gradients = False
        self._products: dict[int, Any] = {}
        self._squares: list[Any] = []  # per weight the sums of squares of change and of weight

    # -- what the hooks call -----------------------------------------------------------------

    def note_gradients(self) -> None:
        """A backward has ended: measure what it left, in place of what one before it left."""
        self.gauge.clear()
        self._products.clear()
        self._has_gradients = True
        with _unusual_numbers_are_no_accident():
            for i, parameter in enumerate(self.parameters):
                if parameter._grad is None:
                    self._now[i] = None
                    continue
                array, last = parameter._grad._data, self._last[i]
                x = self.gauge.take(i, array)
                self._now[i] = _copied(array, self._now[i])
                if last is not None and last.shape == array.shape:
                    x = self._scratch[0].double(array) if x is None else x
                    self._products[i] = x.dot(self._scratch[1].double(last))

    def note_values(self) -> None:
        """The optimizer is about to step: take down the weights."""
        for i, parameter in enumerate(self.parameters):
            self._before[i] = _copied(parameter._data, self._before[i])

    def note_update(self) -> None:
        """The optimizer has stepped."""
        x_of, y_of = (scratch.double for scratch in self._scratch)
        with _unusual_numbers_are_no_accident():
            for i, parameter in enumerate(self.parameters):
                x, y = x_of(parameter._data), y_of(self._before[i])
                x -= y
                self._squares += (x.dot(x), y.dot(y))
                if parameter._grad is not None:
                    self._given.take(i, parameter._grad._data)

    # -- results -----------------------------------------------------------------------------

    def away(self) -> list[Any]:
        """What may lie on a GPU; `record` wants it fetched."""
        self._lots = [
            self.gauge.away(), self._given.away(), list(self._products.values()),
            self._squares,
        ]  # fmt: skip
        return [x for lot in self._lots for x in lot]

    def record(self, row: FLOAT, fetched: Sequence[Any]) -> None:
        """Put what was found in this step into a record's row (layers, MEASURED)."""
        ends = np.cumsum([len(lot) for lot in self._lots])
        gradient, given, products, squares = (
            fetched[end - len(lot) : end] for end, lot in zip(ends, self._lots, strict=True)
        )
        if self._has_gradients:
            found = merged(self._of_layers(self.gauge.collect(gradient)), self.layers)
            row[:, columns_of("dw")] = found
            self._record_cosines(row, found[:, NORM], products)
            self._now, self._last = self._last, self._now
        if self._squares:
            found = merged(self._of_layers(self._given.collect(given)), self.layers)
            row[:, COLUMN["dw_clipped_rms"]] = found[:, RMS]
            self._record_update(row, np.array(squares, dtype=np.float64).reshape(-1, 2))

    def histograms(self) -> NDArray[np.int32]:
        """Those of the gradient, after `record`, in a full record: int32 (layers, BINS)."""
        found = np.zeros((self.layers, BINS), np.int32)
        np.add.at(found, self.owners, self.gauge.histograms(len(self.parameters)))
        return found

    def _of_layers(self, found: Found) -> Found:
        return found._replace(owners=self.owners[found.owners])

    def _record_cosines(self, row: FLOAT, norms: FLOAT, products: Sequence[Any]) -> None:
        total = np.zeros(self.layers)
        np.add.at(total, self.owners[list(self._products)], np.array(products, dtype=np.float64))
        pairs = zip(self._now, self._last, strict=True)
        unlike = [(now is None) != (last is None) for now, last in pairs]
        total[self.owners[unlike]] = math.nan
        lengths = norms * self._last_norms
        with np.errstate(invalid="ignore", divide="ignore"):
            found = np.where(lengths > 0, total / lengths, math.nan)
        lost = (lengths <= SMALLEST) | (lengths >= LARGEST)
        for layer in (lost & (norms > 0) & (self._last_norms > 0) & ~np.isnan(total)).nonzero()[0]:
            found[layer] = statistics.cosine(*self._joined(layer, self._now, self._last))
        row[:, COLUMN["dw_cosine"]] = found
        self._last_norms = norms

    def _record_update(self, row: FLOAT, squares: FLOAT) -> None:
        change, size = (np.bincount(self.owners, column, self.layers) for column in squares.T)
        with np.errstate(invalid="ignore", divide="ignore"):
            found = np.where(size > 0, np.sqrt(change / size), math.nan)
        odd = ~((squares > SMALLEST) & (squares < LARGEST))
        is_double = np.array([parameter.dtype == np.float64 for parameter in self.parameters])
        odd &= (squares != 0) | is_double[:, None]  # of smaller types no square is lost
        for layer in set(self.owners[odd.any(axis=1)].tolist()):
            after = [parameter._data for parameter in self.parameters]
            found[layer] = statistics.relative_change(*self._joined(layer, self._before, after))
        row[:, COLUMN["update_ratio"]] = found

    def _joined(self, layer: int, *sources: Sequence[Array]) -> list[Array]:
        """All weights of one layer that are there as one flat array, from each source."""
        members = [i for i in (self.owners == layer).nonzero()[0] if sources[0][i] is not None]
        xp = device_of(sources[0][members[0]]).xp
        return [xp.concatenate([source[i].reshape(-1) for i in members]) for source in sources]


def _copied(array: Array, memory: Array | None) -> Array:
    """A copy, in memory that is there already if it fits."""
    if memory is None or memory.shape != array.shape or memory.dtype != array.dtype:
        return array.copy()
    memory[...] = array
    return memory
