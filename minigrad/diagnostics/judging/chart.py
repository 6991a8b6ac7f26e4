"""A recording as the rules of `illnesses` want it: which layers can be compared, and with which."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from minigrad import nn
from minigrad.backend import Array, device_of
from minigrad.diagnostics.probing.functional import UNSEEN
from minigrad.diagnostics.probing.recording import Recording
from minigrad.diagnostics.probing.statistics import FLOAT
from minigrad.diagnostics.probing.way import NO_STEPS, way_of
from minigrad.nn.saturation import flat_parts

# Whose z is no output of a linear layer, or whose weight is a factor that may well start at 0.
NOT_COMPARED = (*NO_STEPS, "Residual")

# From here on an activation is off half of the time by its nature, as ReLU is.
RECTIFIER = 0.4


class Chart:
    """What was recorded of a network, layer by layer and record by record.

    Attributes:
        layers: their names.
        kinds: per layer the class name of its module; "" where that was not recorded.
        unseen: numbers of the hidden layers that have an activation of which no more is known.
        way: numbers of the layers that every signal passes, in order, but those that were never
            called; `norms`, the normalizations that it passes; and `holders`, the modules that
            hold a layer on the way: see `probing.way`.
        unit: what a step on the way goes past: "layer", "block" or "layer or block".
        hidden: these without the last, the output layer, whose width and loss set its gradient.
        broken_weights: the layers whose weights held NaN or infinity before any recorded step.
        zero_weights: the layers whose weights were all 0 then. Both are empty where the weights
            of that time are not known.
        modules: of the model as it is now, by their paths; empty if it is not at hand.
        smallest: the smallest normal number of the dtype.
        largest: its largest number.
    """

    def __init__(
        self,
        recording: Recording,
        weights: Mapping[str, list[Array]],
        model: nn.Module | None = None,
    ) -> None:
        """Of a recording; per layer the weights it began with, empty if not known; the model."""
        self.recording = recording
        self.modules = {} if model is None else dict(model.named_modules())
        self._series: dict[str, FLOAT] = {}
        self.layers = recording.layers
        self.activations = [recording.activations.get(name, "") for name in self.layers]
        kinds = recording.meta.get("kinds", {})
        self.kinds = [str(kinds.get(name, "")).removeprefix("Parametrized") for name in self.layers]
        dtype = np.finfo(recording.meta.get("dtype", "float32"))
        self.dtype = str(dtype.dtype)
        self.smallest, self.largest = float(dtype.tiny), float(dtype.max)
        called = [self._was_called(k) for k in range(len(self.layers))]
        way = way_of(self.layers, kinds, called)
        self.way, self.norms, self.holders = list(way.steps), list(way.norms), way.holders
        self.unit = way.unit
        self.hidden = self.way[:-1]
        skipped = recording.skipped
        self.unseen = [k for k in self.hidden if skipped.get(self.layers[k], "").startswith(UNSEEN)]
        of_layers = [weights.get(name, []) for name in self.layers]
        noted = recording.meta.get("broken_weights", [])
        self.broken_weights = {
            k
            for k, arrays in enumerate(of_layers)
            if self.layers[k] in noted or any(not device_of(x).xp.isfinite(x).all() for x in arrays)
        }
        matrices = [[x for x in arrays if x.ndim > 1] for arrays in of_layers]
        self.zero_weights = {
            k for k, found in enumerate(matrices) if found and not any(x.any() for x in found)
        }

    def _was_called(self, layer: int) -> bool:
        """Whether anything went through this layer, or came back to it, in any record."""
        names = ("z_rms", "z_nans", "dz_rms", "dz_nans")
        return any(not np.isnan(self.series(name)[:, layer]).all() for name in names)

    def __len__(self) -> int:
        return len(self.recording)

    def series(self, name: str) -> FLOAT:
        """As `Recording.series`; and `z_bad` and its like, the shares of NaN and infinity."""
        if name not in self._series:
            signal, _, statistic = name.partition("_")
            if statistic == "bad":
                nans, infs = (self.recording.series(f"{signal}_{s}") for s in ("nans", "infs"))
                self._series[name] = np.nan_to_num(nans) + np.nan_to_num(infs)
            else:
                self._series[name] = self.recording.series(name)
        return self._series[name]

    def window(self, record: int) -> str:
        """Over which records `dead` was counted in this one, in words."""
        asked = self.recording.meta.get("window")
        if asked is None:
            return "a window of records"
        count = min(asked, record + 1)
        return f"the last {count} records" if count > 1 else "this record"

    def step(self, record: int) -> int:
        return self.recording.steps[record]


@lru_cache
def natural_share(activation: str) -> float:
    """The share of an activation's flat parts among normal numbers: 0.03 for tanh, 0.5 for ReLU.

    Arguments:
        activation: class name. 0 for one that `nn` does not have, or that learns its shape.

    >>> round(natural_share("Tanh"), 2), natural_share("ReLU")
    (0.03, 0.5)
    """
    kind = getattr(nn, activation, None)
    if not (isinstance(kind, type) and issubclass(kind, nn.Activation)):
        return 0.0
    flat = flat_parts(kind())
    below = NormalDist().cdf
    return 0.0 if flat is None else sum(below(high) - below(low) for low, high in flat.saturated)
