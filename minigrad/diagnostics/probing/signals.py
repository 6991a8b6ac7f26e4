"""What goes through the layers in a step, and what comes back: z, a and dL/dz, measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from minigrad import nn
from minigrad.backend import Array
from minigrad.diagnostics.probing.gauge import Gauge, merged
from minigrad.diagnostics.probing.recording import COLUMN, columns_of
from minigrad.diagnostics.probing.statistics import FLOAT
from minigrad.diagnostics.probing.units import Units
from minigrad.tensor import Tensor

SEEN = ("z", "a", "dz")  # the order in which the gauge numbers them


class Signals:
    """Measures the arrays of a step as they come by; none is kept longer than the step.

    Arguments:
        layers: how many there are.
        window: see `Units`.

    Attributes:
        activations: the activation last seen after each layer, by the layer's number.
    """

    def __init__(self, layers: int, window: int) -> None:
        self.layers = layers
        self.activations: dict[int, nn.Activation] = {}
        self.gauge = Gauge()
        self._units = Units(layers, window)
        self.clear()

    def clear(self) -> None:
        """Begin a new step."""
        self.gauge.clear()
        self._units.clear()
        # By the identity of an array, the layers whose output it is or comes from. As long as the
        # array is kept, no other has its id.
        self._origins: dict[int, tuple[Array, tuple[int, ...]]] = {}

    def origins(self, tensor: Tensor) -> tuple[int, ...]:
        """The layers whose output this is, or comes from by a normalization."""
        found = self._origins.get(id(tensor._data))
        return () if found is None else found[1]

    # -- what the hooks call -----------------------------------------------------------------

    def see_z(self, layer: int, z: Tensor) -> None:
        """A layer has returned z."""
        array = z._data
        self.gauge.take(layer, array)
        before = self._origins.get(id(array))
        self._origins[id(array)] = array, (layer,) if before is None else (*before[1], layer)

    def see_passing(self, given: Tensor, out: Tensor) -> None:
        """What stands between layer and activation has returned: a normalization, say."""
        self._origins[id(out._data)] = out._data, self.origins(given)

    def see_activation(self, activation: nn.Activation, given: Tensor, out: Tensor) -> None:
        """An activation has returned."""
        layers = self.origins(given)
        for layer in layers:
            self.activations[layer] = activation
            self.gauge.take(self.layers + layer, out._data)
        self._units.take(layers, activation, given._data)

    def see_gradient(self, layer: int, gradient: Array | Tensor) -> None:
        """The gradient has arrived at a layer's output."""
        array = gradient._data if isinstance(gradient, Tensor) else gradient
        self.gauge.take(2 * self.layers + layer, array)

    def end_pass(self) -> None:
        """A backward has ended: what was waited for its activation need not be kept."""
        self._origins.clear()

    # -- results -----------------------------------------------------------------------------

    def away(self) -> list[Any]:
        """What may lie on a GPU; `record` wants it fetched."""
        self._of_gauge = self.gauge.away()
        return self._of_gauge + self._units.away()

    def record(self, row: FLOAT, fetched: Sequence[Any]) -> None:
        """Put what was found in this step into a record's row (layers, MEASURED)."""
        count = len(self._of_gauge)
        found = merged(self.gauge.collect(fetched[:count]), len(SEEN) * self.layers)
        for number, signal in enumerate(SEEN):
            first = number * self.layers
            row[:, columns_of(signal)] = found[first : first + self.layers]
        self._units.record(row, fetched[count:])
        lost = row[:, COLUMN["z_nans"]] == 1  # NaN lies in no interval: 0 would say "none is flat"
        for name in ("saturated", "dead", "revived"):
            row[lost, COLUMN[name]] = math.nan
