"""Gradient decay: how large the gradient is in every layer of a fresh deep network."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigrad import nn
from minigrad.data import Dataset, standardize
from minigrad.diagnostics.inputs import chosen_inputs
from minigrad.diagnostics.predicting.prediction import predict
from minigrad.diagnostics.probing.probe import Probe
from minigrad.diagnostics.probing.recording import Recording
from minigrad.diagnostics.probing.way import factor_per_layer, way_of
from minigrad.errors import ArgumentError
from minigrad.models import deep_mlp
from minigrad.ops.creation import tensor
from minigrad.random import Generator

# Networks train while they are no deeper than six depth scales xi, with chi^xi = 1/e (Schoenholz
# et al. 2017). There the mean square of the gradient has changed by e^6 and its rms by e^3.
TRAINABLE = math.exp(3)

DTYPES = ("float32", "float64")


@dataclass(frozen=True)
class DecayConfig:
    """What to measure; the names are those of `models.deep_mlp`.

    Attributes:
        depth: number of Linear layers, at least 3.
        width: width of all but the last.
        activation, init, norm: by name.
        batch_size: how many examples the loss is the mean of.
        seeds: one network and one batch per seed.
        dtype: "float32" or "float64".
        data: "digits", "iris", "random" or the path of an .npz file.
        residual: "none", "pre" or "post".
    """

    depth: int = 50
    width: int = 128
    activation: str = "tanh"
    init: str = "xavier"
    norm: str = "none"
    batch_size: int = 128
    seeds: tuple[int, ...] = (0, 1, 2)
    dtype: str = "float32"
    data: str = "digits"
    residual: str = "none"


@dataclass(frozen=True)
class Spread:
    """Mean, smallest and largest over the seeds; NaN where a seed gave no number."""

    mean: float
    min: float
    max: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        # Python's min and max overlook a NaN, depending on where it stands.
        return cls(*(float(f(values)) for f in (np.mean, np.min, np.max)))


@dataclass(frozen=True)
class LayerDecay:
    """One layer, over the seeds.

    Attributes:
        index: counted from the input, from 1.
        name: path in the network.
        z_rms, dz_rms, dw_rms: rms of the layer's output, of the gradient there, and of the
            gradient of its weights.
        dz_rms_theory: what mean-field theory says dz_rms is, starting from the last layer (see
            `predict`); None where it says nothing, as of constant weights.
    """

    index: int
    name: str
    z_rms: Spread
    dz_rms: Spread
    dw_rms: Spread
    dz_rms_theory: float | None


@dataclass(frozen=True)
class DecayResult:
    """What `measure_decay` found.

    Attributes:
        config: what was measured.
        layers: a `LayerDecay` per Linear layer, from the input on.
        factor_per_layer: what the rms of dL/dz is multiplied by on each step towards the input,
            the geometric mean over the hidden layers. 0.5: it halves; 1: it stays. Layers in
            underflow are left out. NaN where fewer than two are left. With residual connections
            it is per block: compared are the sums at the ends of the blocks.
        unit: what that is per, "layer" or "block".
        verdict: "vanishing", "exploding" or "healthy"; see `verdict`.
        underflow_layer: the layer nearest the output whose rms of dL/dz is below the smallest
            normal number of the dtype (1.2e-38 in float32): from there to the input the gradient
            loses its digits and then is 0. None where there is no such layer.
    """

    config: DecayConfig
    layers: tuple[LayerDecay, ...]
    factor_per_layer: float
    verdict: str
    underflow_layer: int | None
    unit: str = "layer"


def measure_decay(config: DecayConfig, data: Dataset | None = None) -> DecayResult:
    """Measure signal and gradient in every layer of a network as it was initialized.

    Per seed, one forward and one backward of the mean cross-entropy over one random batch of the
    data, whose features are standardized first.

    Arguments:
        config: the network, the batch and the seeds.
        data: the data set to use in place of the one that `config.data` names.

    Raises:
        ArgumentError: a value in `config` that is not allowed; it names the valid ones.

    >>> from minigrad.diagnostics import DecayConfig, measure_decay
    >>> found = measure_decay(DecayConfig(depth=20, activation="sigmoid", seeds=(0,)))
    >>> found.verdict, round(found.factor_per_layer, 1)
    ('vanishing', 0.2)
    """
    if not isinstance(config, DecayConfig):
        raise ArgumentError(
            "measure_decay: config must be a DecayConfig, such as DecayConfig(depth=20), got "
            f"{type(config).__name__}"
        )
    data = chosen_inputs("measure_decay", config.data, data)
    check_config(config, len(data.x))
    x = standardize(data.x).astype(config.dtype)
    # An overflow in an exploding network is a finding, not an accident.
    with np.errstate(over="ignore", invalid="ignore"):
        runs = [_one_seed(config, seed, x, data.y) for seed in config.seeds]
    first = runs[0][0]
    kinds = first.meta["kinds"]
    means = {
        series: [Spread.of(values) for values in _of_first_records(runs, series)]
        for series in ("z_rms", "dz_rms", "dw_rms")
    }
    numbers = [k for k, name in enumerate(first.layers) if kinds[name] != "Residual"]
    layers = tuple(
        LayerDecay(
            place + 1,
            first.layers[k],
            **{series: spreads[k] for series, spreads in means.items()},
            dz_rms_theory=_mean_or_none([theory[place] for _, theory in runs if theory]),
        )
        for place, k in enumerate(numbers)
    )
    way = way_of(first.layers, kinds)
    on_the_way = [means["dz_rms"][k].mean for k in way.steps]
    return DecayResult(
        config,
        layers,
        factor_per_layer(on_the_way, config.dtype),
        verdict(on_the_way),
        underflow_layer([layer.dz_rms.mean for layer in layers], config.dtype),
        way.unit,
    )


def _of_first_records(
    runs: Sequence[tuple[Recording, Any]], series: str
) -> Iterator[tuple[float, ...]]:
    """Per layer, its number of every seed."""
    return zip(*(probe.series(series)[0].tolist() for probe, _ in runs), strict=True)


def network_and_batch(
    config: DecayConfig, seed: int, x: np.ndarray, y: np.ndarray
) -> tuple[nn.Module, np.ndarray, np.ndarray]:
    """The network and the batch (x, y) that `measure_decay` looks at for one seed.

    Arguments:
        config: what to measure.
        seed: one of its seeds.
        x, y: all examples, (n, features), and their classes, (n,).
    """
    generator = Generator(seed)
    chosen = generator.fork("batch").permutation(len(x))[: config.batch_size]
    model = deep_mlp(
        config.depth,
        config.width,
        config.activation,
        config.init,
        config.norm,
        in_features=x.shape[1],
        out_features=int(y.max()) + 1,
        generator=generator,
        dtype=np.dtype(config.dtype),
        residual=config.residual,
    )
    return model, x[chosen], y[chosen]


def _one_seed(
    config: DecayConfig, seed: int, x: np.ndarray, y: np.ndarray
) -> tuple[Probe, list[float] | None]:
    """What the probe saw, and per layer what theory predicts."""
    model, x, y = network_and_batch(config, seed, x, y)
    looked_at = [nn.Linear] if config.residual == "none" else [nn.Linear, nn.Residual]
    with Probe(model, include=looked_at, full=0) as probe:
        nn.functional.cross_entropy(model(tensor(x)), tensor(y)).backward()
    return probe, _theory(model, x, probe)


def _theory(model: nn.Module, x: np.ndarray, probe: Probe) -> list[float] | None:
    """The predicted rms of dL/dz of each Linear layer, from the measured one of the last on.

    None for none.
    """
    try:
        over = predict(model, x).over(probe)
    except ArgumentError:  # theory does not cover this network, or it overflowed
        return None
    found = zip(over.dz_rms_predicted, over.linear, strict=True)
    return [float(rms) for rms, is_linear in found if is_linear]


def verdict(dz_rms: Sequence[float]) -> str:
    """What the rms of dL/dz of every layer on the way, from the input on, says about the network.

    Compared are the first and the last hidden layer. "vanishing": the first has less than
    e^-3 = 1/20 of the last; "exploding": more than e^3 = 20 times, or no finite number any more;
    else "healthy". At that ratio the depth is six depth scales, the most that still trains
    (Schoenholz et al. 2017).

    >>> verdict([0.001, 0.03, 1.0, 1.0]), verdict([0.5, 0.7, 1.0, 1.0])
    ('vanishing', 'healthy')
    """
    first, last = dz_rms[0], dz_rms[-2]
    if not all(map(math.isfinite, dz_rms)) or first > last * TRAINABLE:
        return "exploding"
    # Both may be 0, where even the last hidden layer is in underflow.
    if first < last / TRAINABLE or first == 0:
        return "vanishing"
    return "healthy"


def underflow_layer(dz_rms: Sequence[float], dtype: str) -> int | None:
    """The layer nearest the output, counted from 1, whose rms is no normal number of the dtype.

    >>> underflow_layer([0.0, 1e-39, 1e-30], "float32")
    2
    """
    below = [index for index, g in enumerate(dz_rms, start=1) if g < np.finfo(dtype).tiny]
    return max(below, default=None)


def _mean_or_none(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def check_config(config: DecayConfig, examples: int) -> None:
    """Raise an ArgumentError for what `deep_mlp` would not refuse itself.

    Arguments:
        config: the configuration.
        examples: number of examples in its data.
    """
    if not isinstance(config.depth, int) or config.depth < 3:
        raise ArgumentError(
            f"depth: must be a whole number of at least 3, got {config.depth!r}; decay is "
            "measured from one hidden layer to the next"
        )
    if config.residual != "none" and (config.depth < 4 or config.depth % 2):
        raise ArgumentError(
            f"depth: with residual connections it must be an even number of at least 4, got "
            f"{config.depth}; between the first and the last layer stand blocks of two"
        )
    if not isinstance(config.batch_size, int) or not 1 <= config.batch_size <= examples:
        raise ArgumentError(
            f"batch size: must be from 1 to {examples}, the number of examples in "
            f"{config.data!r}, got {config.batch_size!r}"
        )
    if config.dtype not in DTYPES:
        raise ArgumentError(f"dtype: unknown {config.dtype!r}; use one of {', '.join(DTYPES)}")
    if not isinstance(config.seeds, tuple | list | range) or not config.seeds:
        raise ArgumentError(
            f"seeds: a tuple of at least one, such as seeds=(0,), got {config.seeds!r}"
        )
