"""What goes through the layers in a step, and what comes back: z, a and dL/dz, measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad import nn
from minigrad.backend import Array
from minigrad.diagnostics.probing.functional import ENDS, Way, activation_on, told, ways_from
from minigrad.diagnostics.probing.gauge import RMS, Found, Gauge, merged
from minigrad.diagnostics.probing.names import COLUMN, columns_of
from minigrad.diagnostics.probing.statistics import FLOAT
from minigrad.diagnostics.probing.units import Units
from minigrad.tape import Node
from minigrad.tensor import Tensor

SEEN = ("z", "a", "dz")  # the order in which the gauge numbers them

_NO_RUN = object()


class Signals:
    """Measures the arrays of a step as they come by; none is kept longer than the step.

    Arguments:
        layers: how many there are.
        window: see `Units`.

    Attributes:
        activations: the activation last seen after each layer, by the layer's number.
        steps: after `record`, for each layer that was called several times: the rms of z and of
            dL/dz in every call, float64 (2, runs, calls of a run); NaN where nothing arrived.
    """

    def __init__(self, layers: int, window: int) -> None:
        self.layers = layers
        # What an array belongs to is numbered by layer, then by signal, then by call.
        self._count = len(SEEN) * layers
        self.activations: dict[int, nn.Activation] = {}
        self.gauge = Gauge()
        self._units = Units(layers, window)
        self.steps: dict[int, FLOAT] = {}
        self.clear()

    def clear(self) -> None:
        """Begin a new step."""
        self.gauge.clear()
        self._units.clear()
        # By the identity of an array, the layers whose output it is or comes from. As long as the
        # array is kept, no other has its id.
        self._origins: dict[int, tuple[Array, tuple[int, ...]]] = {}
        # Per layer how often it was called, and which of these calls but the first began a run.
        self._calls = [0] * self.layers
        self._begins: dict[int, list[int]] = {}
        self._runs: dict[int, Any] = {}  # the run under way
        # The nodes of those outputs that no module has taken as its activation, with the outputs.
        self._waiting: dict[Node | None, Array] = {}
        self._outputs: set[int] = set()  # of all their nodes, the serial numbers
        self._held: dict[int, Array] = {}  # gradients to which more may come
        self.unseen: dict[int, str] = {}  # per layer the operations that took its output

    def origins(self, tensor: Tensor) -> tuple[int, ...]:
        """The layers whose output this is, or comes from by a normalization."""
        found = self._origins.get(id(tensor._data))
        return () if found is None else found[1]

    # -- what the hooks call -----------------------------------------------------------------

    def see_z(self, layer: int, z: Tensor, run: Any = None) -> int:
        """A layer has returned z, in a run of calls that ends with a backward, or with another run.

        Returns:
            The number of this call, for `see_gradient`.
        """
        array = z._data
        call = self._calls[layer]
        self._calls[layer] = call + 1
        if call and self._runs.get(layer, _NO_RUN) is not run:
            self._begins.setdefault(layer, []).append(call)
        self._runs[layer] = run
        self.gauge.take(layer + call * self._count, array)
        before = self._origins.get(id(array))
        self._origins[id(array)] = array, (layer,) if before is None else (*before[1], layer)
        self._waiting[z._node] = array
        self._outputs.add(z._node.serial)  # type: ignore[union-attr]
        return call

    def see_passing(self, given: Tensor, out: Tensor) -> None:
        """What stands between layer and activation has returned: a normalization, say."""
        self._origins[id(out._data)] = out._data, self.origins(given)
        if self._waiting.pop(given._node, None) is not None:
            self._waiting[out._node] = out._data

    def see_input(self, x: Tensor) -> None:
        """A layer was given x: was an activation called as a function on the way to it?"""
        for node, ways in ways_from(self._waiting, self._outputs, x._node).items():
            self._take_function(x, node, ways)

    def see_output(self, out: Tensor) -> None:
        """The network has returned this: was an activation called as a function before the end?"""
        if out.ndim == 0:  # a loss
            return
        for node, ways in ways_from(self._waiting, self._outputs, out._node).items():
            if not any(way.bend is not None and way.bend.op.name in ENDS for way in ways):
                self._take_function(out, node, ways)

    def see_enclosing(self, out: Tensor) -> None:
        """A module that holds other layers has returned: those within it are behind its output."""
        for node, ways in ways_from(self._waiting, self._outputs, out._node).items():
            if any(way.bend is not None for way in ways):
                self._take_function(out, node, ways)

    def _take_function(self, x: Tensor, node: Node, ways: list[Way]) -> None:
        array = self._waiting.pop(node)
        layers = self._origins[id(array)][1]
        activation = activation_on(ways)
        if activation is None:
            if took := told(ways):
                self.unseen |= dict.fromkeys(layers, took)
            return
        function = ways[0].taker
        if x._node is function:
            out = x._data
        else:  # something was done to it since
            with np.errstate(over="ignore", under="ignore", invalid="ignore"):
                out = function.op.forward(x.device.xp, array)
        self._take_activation(layers, activation, array, out)

    def see_activation(self, activation: nn.Activation, given: Tensor, out: Tensor) -> None:
        """An activation has returned."""
        self._waiting.pop(given._node, None)
        self._take_activation(self.origins(given), activation, given._data, out._data)

    def _take_activation(
        self, layers: tuple[int, ...], activation: nn.Activation, z: Array, a: Array
    ) -> None:
        for layer in layers:
            self.activations[layer] = activation
            self.gauge.take(self.layers + layer, a)
        self._units.take(layers, activation, z)

    def see_gradient(
        self, layer: int, gradient: Array | Tensor, call: int = 0, more: bool = False
    ) -> None:
        """The gradient has arrived at what a layer returned in its call of that number.

        Arguments:
            more: may another backward through the same graph add to it?
        """
        array = gradient._data if isinstance(gradient, Tensor) else gradient
        owner = 2 * self.layers + layer + call * self._count
        before = self._held.pop(owner, None)
        if before is not None:
            array = before + array
        if more:
            self._held[owner] = array.copy() if before is None else array
        else:
            self.gauge.take(owner, array)

    def end_pass(self) -> None:
        """A backward has ended: what was waited for its activation need not be kept."""
        self._origins.clear()
        self._runs.clear()
        self._waiting.clear()
        self._outputs.clear()

    # -- results -----------------------------------------------------------------------------

    def away(self) -> list[Any]:
        """What may lie on a GPU; `record` wants it fetched."""
        for owner, gradient in self._held.items():
            self.gauge.take(owner, gradient)
        self._held.clear()
        self._of_gauge = self.gauge.away()
        return self._of_gauge + self._units.away()

    def record(self, row: FLOAT, fetched: Sequence[Any]) -> None:
        """Put what was found in this step into a record's row (layers, MEASURED)."""
        count = len(self._of_gauge)
        measured = self.gauge.collect(fetched[:count])
        self.steps = self._by_step(measured)
        found = merged(measured._replace(owners=measured.owners % self._count), self._count)
        for number, signal in enumerate(SEEN):
            first = number * self.layers
            row[:, columns_of(signal)] = found[first : first + self.layers]
        self._units.record(row, fetched[count:])
        lost = row[:, COLUMN["z_nans"]] == 1  # NaN lies in no interval: 0 would say "none is flat"
        for name in ("saturated", "dead", "revived"):
            row[lost, COLUMN[name]] = math.nan

    def _by_step(self, measured: Found) -> dict[int, FLOAT]:
        calls, owners = np.divmod(measured.owners, self._count)
        found = {}
        for layer in [layer for layer, count in enumerate(self._calls) if count > 1]:
            begins = [0, *self._begins.get(layer, [])]
            ends = [*begins[1:], self._calls[layer]]
            longest = max(end - begin for begin, end in zip(begins, ends, strict=True))
            if longest == 1:
                continue
            rms = []
            for signal in ("z", "dz"):
                own = owners == SEEN.index(signal) * self.layers + layer
                of_calls = Found(measured.values[own], measured.sizes[own], calls[own])
                rms.append(merged(of_calls, self._calls[layer])[:, RMS])
            found[layer] = np.full((2, len(begins), longest), math.nan)
            for run, (begin, end) in enumerate(zip(begins, ends, strict=True)):
                found[layer][:, run, : end - begin] = np.array(rms)[:, begin:end]
        return found
