"""Probe: per layer and step, how large the signal, its gradient and the update are."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minigrad import nn
from minigrad.errors import ArgumentError, GraphError
from minigrad.tape import RemovableHandle
from minigrad.tensor import Tensor


@dataclass(frozen=True, slots=True)
class LayerRecord:
    """The four numbers of one layer in one step; None where nothing arrived.

    Attributes:
        z_rms: root mean square of z, the layer's output.
        dz_rms: rms of dL/dz. L is the loss as it was given: with a mean over the batch, dL/dz
            holds the factor 1/batch size.
        dw_rms: rms of dL/dW as it stands in `weight.grad` after the step's last backward, before
            any clipping.
        update_ratio: rms(W after - W before) / rms(W before) around `optimizer.step()`, so
            learning rate, momentum and weight decay are all in it.
    """

    z_rms: float | None = None
    dz_rms: float | None = None
    dw_rms: float | None = None
    update_ratio: float | None = None


SERIES = tuple(field.name for field in fields(LayerRecord))


@dataclass(frozen=True, slots=True)
class Record:
    """One recorded step: its number, counted from 0, and a `LayerRecord` per layer name."""

    step: int
    layers: dict[str, LayerRecord]


class Probe:
    """Record the four series of every `nn.Linear` of a model, in any training loop.

    A step ends with `optimizer.step()`. Without an optimizer it ends when, after a backward, the
    next forward begins. The end of the `with` block ends a step that has begun.

    A layer that is called several times in a step (a shared layer, accumulated batches) gets the
    rms over all its calls together; its dL/dW is the sum, as in `weight.grad`. Only numbers are
    kept, no arrays; the hooks are taken off at the end of the block, also after an exception.
    Forwards under `no_grad` are not seen.

    Arguments:
        model: an `nn.Module` with at least one `nn.Linear`.
        optimizer: the one that steps the model; without it `update_ratio` stays None.
        every: record steps 0, every, 2 * every, ...

    Attributes:
        layers: the names of the layers, in the order of `model.named_modules()`.
        records: a `Record` per recorded step.

    Raises:
        ArgumentError: a model without `nn.Linear`, or `every` below 1.
        GraphError: entered while it is already in use.

    >>> import minigrad as mg
    >>> from minigrad.diagnostics import Probe
    >>> model = mg.nn.Sequential(mg.nn.Linear(2, 3), mg.nn.Tanh(), mg.nn.Linear(3, 1))
    >>> with Probe(model) as probe:
    ...     model(mg.ones(5, 2)).sum().backward()
    >>> probe.layers
    ['0', '2']
    >>> probe.records[0].layers["2"].dz_rms
    1.0
    """

    def __init__(self, model: nn.Module, optimizer: Any = None, every: int = 1) -> None:
        if not isinstance(every, int) or every < 1:
            raise ArgumentError(f"Probe: every must be a whole number of at least 1, got {every!r}")
        self._linears = {
            name or type(module).__name__: module
            for name, module in model.named_modules()
            if isinstance(module, nn.Linear)
        }
        if not self._linears:
            raise ArgumentError(
                f"Probe: {type(model).__name__} has no nn.Linear to look at; "
                "pass the module that holds the layers"
            )
        self.layers = list(self._linears)
        self.records: list[Record] = []
        self.every = every
        self._optimizer = optimizer
        self._handles: list[RemovableHandle] = []
        self._of_step: list[RemovableHandle] = []
        self._step = 0
        # What has arrived of the step under way. Of z and dL/dz, per call its rms and size.
        self._z: dict[str, list[tuple[float, int]]] = {}
        self._dz: dict[str, list[tuple[float, int]]] = {}
        self._dw: dict[str, float] = {}
        self._update: dict[str, float] = {}
        self._weights: dict[str, Any] = {}

    def __enter__(self) -> Probe:
        if self._handles:
            raise GraphError("Probe: already in use; leave its `with` block before entering again")
        if self._optimizer is not None:
            self._handles += (
                self._optimizer.register_step_pre_hook(self._before_update),
                self._optimizer.register_step_post_hook(self._after_update),
            )
        for name, linear in self._linears.items():
            see_forward = partial(self._see_forward, name)
            self._handles.append(linear.register_forward_hook(see_forward))
        return self

    def __exit__(self, *exc: object) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        if self._z:
            self._end_step()

    # -- what the hooks do -------------------------------------------------------------------

    @property
    def _recording(self) -> bool:
        return self._step % self.every == 0

    def _see_forward(self, name: str, module: nn.Module, args: Any, z: Tensor) -> None:
        if not z.requires_grad:
            return
        if self._optimizer is None and self._dz:
            self._end_step()
        if self._optimizer is not None and not self._recording:
            return
        weight = self._linears[name].weight
        if self._recording and name not in self._z and weight.requires_grad:
            # For this step only: in the many that are not recorded it would only cost time.
            see_weight = partial(self._see_weight_gradient, name)
            self._of_step.append(weight.register_hook(see_weight))
        # Without an optimizer, forwards and backwards are what counts the steps.
        self._z.setdefault(name, []).append((rms(z.data) if self._recording else 0.0, z.size))
        self._of_step.append(z.register_hook(partial(self._see_gradient, name)))

    def _see_gradient(self, name: str, gradient: Tensor) -> None:
        value = rms(gradient.data) if self._recording else 0.0
        self._dz.setdefault(name, []).append((value, gradient.size))

    def _see_weight_gradient(self, name: str, gradient: Tensor) -> None:
        before = self._linears[name].weight.grad
        total = gradient.data if before is None else before.data + gradient.data
        self._dw[name] = rms(total)

    def _before_update(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if self._recording:
            for name, linear in self._linears.items():
                self._weights[name] = linear.weight.data.copy()

    def _after_update(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        for name, before in self._weights.items():
            step = self._linears[name].weight.data.astype(np.float64) - before
            size = rms(before)
            self._update[name] = rms(step) / size if size else math.nan
        self._end_step()

    def _end_step(self) -> None:
        if self._recording:
            found = {
                name: LayerRecord(
                    together(self._z.get(name)),
                    together(self._dz.get(name)),
                    self._dw.get(name),
                    self._update.get(name),
                )
                for name in self.layers
            }
            self.records.append(Record(self._step, found))
        self._step += 1
        for handle in self._of_step:
            handle.remove()
        self._of_step.clear()
        for arrived in (self._z, self._dz, self._dw, self._update, self._weights):
            arrived.clear()

    # -- what one asks for afterwards --------------------------------------------------------

    def series(self, name: str) -> NDArray[np.float64]:
        """One of the four series over time.

        Arguments:
            name: "z_rms", "dz_rms", "dw_rms" or "update_ratio".

        Returns:
            float64 of shape (records, layers); NaN where nothing arrived.

        Raises:
            ArgumentError: another name.
        """
        if name not in SERIES:
            raise ArgumentError(f"Probe.series: no series {name!r}; use one of {', '.join(SERIES)}")
        rows = [[getattr(r.layers[layer], name) for layer in self.layers] for r in self.records]
        return np.array(rows, dtype=np.float64).reshape(len(rows), len(self.layers))

    def to_dict(self) -> dict[str, Any]:
        """Everything recorded, as lists, dicts, numbers and None."""
        return {"layers": list(self.layers), "records": [asdict(r) for r in self.records]}

    def table(self) -> str:
        """The last record as text, one line per layer; `-` where nothing arrived.

        Raises:
            GraphError: nothing was recorded.
        """
        if not self.records:
            raise GraphError(
                "Probe.table: nothing was recorded; run forward and backward inside `with probe:`"
            )
        record = self.records[-1]
        width = max(map(len, ["layer", *self.layers]))
        titles = ("rms z", "rms dL/dz", "rms dL/dW", "update/W")
        lines = [f"step {record.step}", f"{'layer':<{width}}" + "".join(f"{t:>11}" for t in titles)]
        for name, layer in record.layers.items():
            values = [getattr(layer, series) for series in SERIES]
            cells = "".join(f"{'-':>11}" if v is None else f"{v:>11.2e}" for v in values)
            lines.append(f"{name:<{width}}{cells}")
        return "\n".join(lines)


def rms(array: Any) -> float:
    """Root mean square, in float64 and free of underflow and overflow on the way.

    In float32 the square of 1e-30 is 0, and a gradient that is merely small would look dead.

    Arguments:
        array: real numbers of any shape.

    Returns:
        A float; NaN for an empty array or one that holds NaN.

    >>> rms(np.float32([1e-30, -1e-30]))
    1.0000000031710769e-30
    """
    flat = array.astype(np.float64).ravel()
    if flat.size == 0:
        return math.nan
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        mean_square = float(flat @ flat) / flat.size
    if array.dtype == np.float64 and not 1e-280 < mean_square < 1e280:
        largest = float(abs(flat).max())
        if 0.0 < largest < math.inf:
            return largest * rms(flat / largest)
    return math.sqrt(mean_square)


def together(parts: list[tuple[float, int]] | None) -> float | None:
    """The rms over several arrays, from the rms and the size of each; None for none."""
    if not parts:
        return None
    total = sum(size for _, size in parts)
    # hypot scales by the largest, so nothing is squared into 0 or infinity.
    return math.hypot(*(value * math.sqrt(size / total) for value, size in parts))
