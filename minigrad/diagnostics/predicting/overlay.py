"""A prediction laid over a measurement: layer by layer, what was predicted and what came."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minigrad.diagnostics.probing.recording import Recording
from minigrad.diagnostics.probing.way import Way, factor_per_layer, way_of
from minigrad.errors import ArgumentError

FLOAT = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Overlay:
    """What was predicted and what was measured, of the layers that both know.

    Attributes:
        layers: their paths.
        linear: per layer, whether it is a Linear layer.
        z_rms, dz_rms: measured root mean squares of the layer's output and of dL/dz; NaN where
            nothing arrived.
        z_rms_predicted: as it says.
        dz_rms_predicted: likewise, beginning with what was measured at the last Linear layer:
            the size of the gradient there is up to the loss.
        way: which of them every signal passes, see `probing.way`; and `dtype`, what was computed
            in: a factor per layer is of these layers, and of numbers that are normal in it.
        only_predicted, only_measured: paths that the other side does not have.
        notes: those of the prediction.
    """

    layers: tuple[str, ...]
    linear: tuple[bool, ...]
    z_rms: FLOAT
    z_rms_predicted: FLOAT
    dz_rms: FLOAT
    dz_rms_predicted: FLOAT
    only_predicted: tuple[str, ...]
    only_measured: tuple[str, ...]
    way: Way
    dtype: str = "float32"
    notes: tuple[str, ...] = ()

    @property
    def factor_per_layer(self) -> float:
        """What the measured rms of dL/dz is multiplied by on each step towards the input.

        The geometric mean over the hidden layers on the way; of a residual network over its
        blocks.
        """
        return self._factor(self.dz_rms)

    @property
    def factor_per_layer_predicted(self) -> float:
        """The same of the prediction, over the same layers."""
        return self._factor(self.dz_rms_predicted)

    def _factor(self, dz_rms: FLOAT) -> float:
        # Those in underflow are left out of both.
        whole = self.dz_rms >= np.finfo(self.dtype).tiny
        return factor_per_layer(np.where(whole, dz_rms, 0.0)[list(self.way.steps)])

    def table(self) -> str:
        """Both as text, one line per layer, with the ratio measured / predicted."""
        width = max(map(len, ["layer", *self.layers]))
        lines = [
            f"{'':<{width}}" + "rms z".rjust(20) + "rms dL/dz".rjust(30),
            f"{'layer':<{width}}" + f"{'measured':>11}{'predicted':>11}{'ratio':>8}" * 2,
        ]
        for i, name in enumerate(self.layers):
            cells = ""
            for got, said in (
                (self.z_rms[i], self.z_rms_predicted[i]),
                (self.dz_rms[i], self.dz_rms_predicted[i]),
            ):
                cells += f"{_cell(got, '.2e'):>11}{_cell(said, '.2e'):>11}"
                cells += f"{_cell(got / said if said else math.nan, '.3f'):>8}"
            lines.append(f"{name:<{width}}{cells}")
        measured, predicted = self.factor_per_layer, self.factor_per_layer_predicted
        if math.isfinite(measured) and math.isfinite(predicted):
            lines.append(
                f"dL/dz per {self.way.unit}: measured x {measured:.3f}, "
                f"predicted x {predicted:.3f} ({100 * (measured / predicted - 1):+.1f} %)"
            )
        for title, names in (
            ("not measured", self.only_predicted), ("not predicted", self.only_measured),
        ):  # fmt: skip
            if names:
                lines.append(f"{title}: {_some(names)}")
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    __repr__ = table


def _some(names: Sequence[str]) -> str:
    """Names for a reader: the first three, and how many there are."""
    if len(names) <= 4:
        return ", ".join(names)
    return f"{', '.join(names[:3])}, ... ({len(names)} layers)"


def _cell(value: float, form: str) -> str:
    return "-" if math.isnan(value) else format(value, form)


def _times_power_of_ten(number: float, log10: FLOAT) -> FLOAT:
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(number * 10.0**log10)


def check_same_network(
    asked: str, prediction: Any, layers: Sequence[str], meta: Mapping[str, Any]
) -> None:
    """Raise an ArgumentError where the Linear layers predicted are not those of a recording.

    Names alone do not tell: "layer1.linear" is in every `deep_mlp`.

    Arguments:
        asked: what to name in the error.
        prediction: a `Prediction`.
        layers, meta: of the recording. Its meta says which layers are Linear, and which the model
            has beside those that were looked at; where it does not, as in a CSV file, nothing is
            checked.
    """
    pairs = zip(prediction.layers, prediction.linear, strict=True)
    predicted = [name for name, linear in pairs if linear]
    known = {*layers, *meta.get("left_out", predicted)}
    kinds = meta.get("kinds", {})
    unpredicted = [n for n in layers if kinds.get(n) == "Linear" and n not in predicted]
    unknown = [name for name in predicted if name not in known]
    if unpredicted or unknown:
        of, names = ("recorded", unpredicted) if unpredicted else ("predicted", unknown)
        other = "predicted" if unpredicted else "in the network that was recorded"
        raise ArgumentError(
            f"{asked}: the prediction is of another network: of the Linear layers {of}, "
            f"{_some(names)} {'is' if len(names) == 1 else 'are'} not {other}; pass "
            "predict(model) of the model that was recorded"
        )


def lay_over(prediction: Any, recording: Any, record: int) -> Overlay:
    """See `Prediction.over`."""
    if not isinstance(recording, Recording):
        raise ArgumentError(
            f"Prediction.over: takes a Probe or a Recording, got {type(recording).__name__}; "
            "measure with `with Probe(model) as probe:`, or read a file with Recording.load"
        )
    series = {name: recording.series(name) for name in ("z_rms", "dz_rms")}
    count = len(series["z_rms"])
    if not isinstance(record, int | np.integer) or not -count <= record < count:
        raise ArgumentError(
            f"Prediction.over: no record {record!r}: {count} were made; run forward and backward "
            "inside `with probe:`"
        )
    place = {name: i for i, name in enumerate(recording.layers)}
    common = [i for i, name in enumerate(prediction.layers) if name in place]
    if not any(prediction.linear[i] for i in common):
        raise ArgumentError(
            f"Prediction.over: predicted are {_some(prediction.layers)}, measured "
            f"{_some(recording.layers)}; no Linear layer is in both. Is it the same network?"
        )
    check_same_network("Prediction.over", prediction, recording.layers, recording.meta)
    columns = [place[prediction.layers[i]] for i in common]
    z_rms, dz_rms = (series[name][record, columns] for name in ("z_rms", "dz_rms"))
    linear = tuple(prediction.linear[i] for i in common)
    last = max(i for i, is_linear in enumerate(linear) if is_linear)
    if not 0 < dz_rms[last] < math.inf:
        raise ArgumentError(
            f"Prediction.over: record {record} has no finite dL/dz above 0 at "
            f"'{prediction.layers[common[last]]}', from where the prediction would begin; run a "
            "backward inside `with probe:`"
        )
    relative = prediction.log10_dz_rms[common] - prediction.log10_dz_rms[common[last]]
    names = tuple(prediction.layers[i] for i in common)
    return Overlay(
        names,
        linear,
        z_rms,
        prediction.z_rms[common],
        dz_rms,
        _times_power_of_ten(dz_rms[last], relative),
        tuple(name for name in prediction.layers if name not in place),
        tuple(name for name in recording.layers if name not in names),
        way_of(names, prediction.kinds),
        str(recording.meta.get("dtype", "float32")),
        prediction.notes,
    )
