"""predict: what theory says of a network as it was initialized, layer by layer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minigrad import nn
from minigrad.diagnostics.predicting import chance
from minigrad.diagnostics.predicting.overlay import Overlay, lay_over
from minigrad.diagnostics.predicting.walk import Walk
from minigrad.diagnostics.probing.way import factor_of_logs, way_of
from minigrad.errors import ArgumentError
from minigrad.tensor import Tensor

FLOAT = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Prediction:
    """What `predict` found.

    Attributes:
        layers: paths of the Linear layers and of the residual blocks, in the order in which a
            signal comes out of them.
        linear: per layer, whether it is a Linear layer.
        z_rms: predicted root mean square of each layer's output.
        correlation: predicted correlation of two examples there: which share of the mean square
            the examples of a batch have in common. NaN where there is no signal.
        log10_dz_rms: log10 of the predicted rms of dL/dz, relative to the last layer: the size
            of a gradient in the last layer is up to the loss. -inf where no gradient arrives.
        notes: where the network is not quite what the theory assumes, and how far off a single
            one may lie for its width, where that is more than 3 % per layer.
    """

    layers: tuple[str, ...]
    linear: tuple[bool, ...]
    z_rms: FLOAT
    correlation: FLOAT
    log10_dz_rms: FLOAT
    notes: tuple[str, ...]

    @property
    def dz_rms(self) -> FLOAT:
        """The predicted rms of dL/dz, where that of the last layer is 1."""
        with np.errstate(over="ignore", under="ignore"):
            return np.asarray(10.0**self.log10_dz_rms)

    @property
    def factor_per_layer(self) -> float:
        """What the rms of dL/dz is multiplied by per step towards the input, in the mean.

        The geometric mean from the last hidden Linear layer to the first; of a residual network
        over its blocks. NaN below two hidden layers.
        """
        steps = list(way_of(self.layers, self.kinds).steps)
        return factor_of_logs(self.log10_dz_rms[steps] * math.log(10))

    @property
    def kinds(self) -> dict[str, str]:
        """Per layer, what it is: "Linear" or "Residual"."""
        kinds = ("Linear" if is_linear else "Residual" for is_linear in self.linear)
        return dict(zip(self.layers, kinds, strict=True))

    def over(self, recording: Any, record: int = 0) -> Overlay:
        """The prediction laid over a measurement.

        Arguments:
            recording: a `Probe` or a `Recording` of the same network.
            record: which record; by default the first, where weights are as initialized.

        Raises:
            ArgumentError: no such record, a recording of another network, or no dL/dz in the last
                layer in common.
        """
        return lay_over(self, recording, record)

    def table(self) -> str:
        """The prediction as text, one line per layer."""
        width = max(map(len, ["layer", *self.layers]))
        lines = [f"{'layer':<{width}}      rms z   correlation   rms dL/dz / last"]
        rows = zip(self.layers, self.z_rms, self.correlation, self.log10_dz_rms, strict=True)
        for name, z, c, dz in rows:
            lines.append(f"{name:<{width}}{z:>11.3g}{c:>14.3f}{_power_of_ten(dz):>19}")
        if not math.isnan(self.factor_per_layer):
            unit = way_of(self.layers, self.kinds).unit
            lines.append(f"dL/dz per {unit}: x {self.factor_per_layer:.3f}")
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    __repr__ = table


def _power_of_ten(log10: float) -> str:
    """10 to a power that may be out of the range of floats, as "1.2e-345"."""
    if not math.isfinite(log10):
        return "0" if log10 < 0 else str(10.0**log10 if log10 > 0 else log10)
    exponent = math.floor(log10)
    return f"{10 ** (log10 - exponent):.2f}e{exponent:+03d}"


def predict(model: nn.Module, x: ArrayLike | Tensor | None = None) -> Prediction:
    """What mean-field theory says of a network with the weights that it has at this moment.

    Read are, of each Linear layer, its size and the mean square of its weights and biases; the
    activations, normalizations, dropout and residual connections between them; and whether a
    module is in training or in evaluation. The network itself is neither run nor changed.

    In a Linear layer the mean square of a signal becomes sigma_w^2 times what it was, plus
    sigma_b^2 (`theory.variance_map`); on the way back that of a gradient is multiplied by fan_out
    times the variance of the weights, and then by phi'^2 (`theory.chi`). A normalization divides
    both by the variance it finds; batch norm, by how much the examples differ; dropout
    multiplies them by 1/(1 - p); at a residual connection they add up. See `ideal` for how.

    It holds for weights as drawn by an initialization, independent and around 0, and the better
    the wider the layers; the notes say where chance may lead far off (see `chance`). What the
    theory says comes out exact to 1e-4 per layer, and to 1e-2 where residual connections go
    around activations.

    Arguments:
        model: `nn.Sequential` and `nn.Residual`, one in another as you like, of Linear layers,
            elementwise activations, BatchNorm1d, LayerNorm, RMSNorm, GroupNorm, Dropout,
            AlphaDropout, Flatten and Identity: so all that `models.deep_mlp` makes. What comes
            after the last Linear layer counts as part of the loss.
        x: a batch like the one that is measured, (examples, ...). By default numbers of mean 0
            and variance 1, independent for every example.

    Returns:
        A `Prediction`; print it, or lay it over a measurement: `predict(model, x).over(probe)`.

    Raises:
        ArgumentError: a module that theory does not cover here, by its path, and why; weights
            that are no independent draws around 0; a batch that does not fit.

    Sources: Schoenholz et al. (2017); Yang et al. (2019) for batch norm; De & Smith (2020) for
    residual connections.

    >>> import minigrad as mg
    >>> from minigrad.diagnostics import predict
    >>> net = mg.models.deep_mlp(4, 200, "relu", "xavier", generator=mg.Generator(0))
    >>> print(predict(net))
    layer              rms z   correlation   rms dL/dz / last
    layer1.linear      0.691         0.000           1.11e-01
    layer2.linear      0.489         0.318           1.57e-01
    layer3.linear      0.346         0.495           2.21e-01
    layer4.linear      0.342         0.607           1.00e+00
    dL/dz per layer: x 0.708
    """
    if not isinstance(model, nn.Module):
        raise ArgumentError(f"predict: model is {type(model).__name__}, not an nn.Module")
    walk = Walk(model, x)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        walk.there_and_back()
        by_chance = _note_of_width(walk, model, x)
    log10 = np.array([row.dz_log for row in walk.rows]) / (2 * math.log(10))
    linear = tuple(row.linear for row in walk.rows)
    last = log10[np.flatnonzero(linear)[-1]]
    return Prediction(
        tuple(row.path for row in walk.rows),
        linear,
        np.sqrt([row.square for row in walk.rows]),
        np.array([row.correlation for row in walk.rows]),
        log10 - last if math.isfinite(last) else log10,
        (*walk.notes(), *by_chance),
    )


def _note_of_width(walk: Walk, model: nn.Module, x: Any) -> list[str]:
    """What a reader should know of the width. Residual blocks are left out: they damp chance."""
    if len(walk.rows) < 3 or not all(row.linear for row in walk.rows):
        return []
    nudged = Walk(model, x, chance.NUDGE)
    nudged.there_and_back()
    told = chance.note(chance.of_width(walk.rows, nudged.rows))
    return [told] if told else []
