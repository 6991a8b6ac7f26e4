"""One unit of an infinitely wide layer, drawn many times: how signals and gradients pass modules.

In an infinitely wide random network all units of a layer are alike and independent. So a layer is
known from how the numbers of one unit are distributed, and that is kept here as a crowd of some
ten thousand members, each a possible unit. What acts element by element acts on every member; a
Linear layer mixes all units, after which its output is Gaussian, and all that it needs to know of
its input is the mean square.

Each rule gives the signal after a module, and the way back: the mean square of dL/d(output), one
for each member, made into that of dL/d(input). It assumes what mean-field theory always assumes:
that the weights met on the way back are independent of those on the way forward.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minigrad import nn
from minigrad.errors import ArgumentError
from minigrad.meanfield import value_and_slope
from minigrad.nn.dropout import SELU_FLOOR

FLOAT = NDArray[np.float64]

MEMBERS = 2**14


class Power(NamedTuple):
    """Mean squares of a gradient, one per member, as array * exp(log): 200 layers underflow."""

    array: FLOAT
    log: float

    def mean_log(self) -> float:
        """The logarithm of the mean over the members."""
        mean = float(self.array.mean())
        return -math.inf if mean == 0 else self.log + math.log(mean)

    def __mul__(self, factor: Any) -> Power:
        return Power(self.array * factor, self.log)

    def plus(self, other: Power) -> Power:
        """The sum: gradients that come by independent ways add up in the mean square."""
        log = max(self.log, other.log)
        if log == -math.inf:
            return self
        scaled = (p.array * math.exp(p.log - log) for p in (self, other))
        return Power(sum(scaled, np.zeros(MEMBERS)), log)


Back = Callable[[Power], Power]


@dataclass(frozen=True)
class Signal:
    """What the units of one layer show to two examples of a batch.

    Attributes:
        values: shape (2, MEMBERS): a member's number for either example.
        common: shape (MEMBERS,): a member's mean over a large batch. None where it is unknown.
        gaussian: is a member's number Gaussian?
        sources: which random draws are in it.
    """

    values: FLOAT
    common: FLOAT | None
    gaussian: bool
    sources: frozenset[int]

    @property
    def square(self) -> float:
        """Mean square over the members."""
        return float(np.mean(self.values[0] ** 2))

    @property
    def product(self) -> float:
        """Mean product of the two examples' numbers."""
        if self.common is not None:
            return float(np.mean(self.common**2))
        # As good as the mean of their product, and better where the two are almost one.
        return self.square - 0.5 * float(np.mean((self.values[0] - self.values[1]) ** 2))


# -- drawing -------------------------------------------------------------------------------------


@cache
def _normal() -> FLOAT:
    """MEMBERS normal numbers, ascending: the means of equal shares, with variance 1."""
    normal = NormalDist()
    borders = [normal.inv_cdf(i / MEMBERS) for i in range(1, MEMBERS)]
    # The integral of z times its density is minus the density.
    density = np.array([0.0, *map(normal.pdf, borders), 0.0])
    values = -np.diff(density)
    values /= math.sqrt(float(np.mean(values**2)))
    return values


@lru_cache(maxsize=64)
def _three_draws(source: int) -> FLOAT:
    """Three times the normal numbers, each in an order of its own, uncorrelated: (3, MEMBERS)."""
    generator = np.random.default_rng(source)
    draws = np.stack([generator.permutation(_normal()) for _ in range(3)])
    for i in (1, 2):
        for j in range(i):
            draws[i] -= draws[j] * np.mean(draws[i] * draws[j])
        draws[i] /= math.sqrt(float(np.mean(draws[i] ** 2)))
    return draws


def gaussian(square: float, product: float, source: int) -> Signal:
    """A Gaussian signal.

    Arguments:
        square: its variance, for either example.
        product: the covariance of the two examples.
        source: number of the draw; another number gives independent members.
    """
    product = min(max(product, 0.0), square)
    if square == 0:
        zero = np.zeros((2, MEMBERS))
        return Signal(zero, zero[0], True, frozenset({source}))
    one, two, three = _three_draws(source)
    first = math.sqrt(square) * one
    common = product / square * first + math.sqrt(product * (1 - product / square)) * two
    second = common + math.sqrt(square - product) * three
    return Signal(np.stack([first, second]), common, True, frozenset({source}))


def of_data(x: FLOAT, source: int) -> Signal:
    """The numbers of a batch as a signal: each member one feature, as two examples show it.

    Arguments:
        x: shape (examples, features).
        source: number of the draw.
    """
    generator = np.random.default_rng(source)
    feature = np.resize(generator.permutation(x.shape[1]), MEMBERS)
    examples = generator.integers(0, len(x), (2, MEMBERS))
    values = x[examples, feature]
    scale = np.sqrt(np.mean(x**2) / np.maximum(np.mean(values**2, axis=1, keepdims=True), 1e-300))
    return Signal(values * scale, x.mean(axis=0)[feature], False, frozenset({source}))


# -- what modules do -----------------------------------------------------------------------------


def elementwise(signal: Signal, phi: Callable[[Any], Any]) -> tuple[Signal, Back]:
    """An activation: every member by itself; on the way back times phi'^2."""
    values, slopes = value_and_slope(phi, signal.values)
    # Where examples have nothing in common but one number for all units, that stays so.
    alike = signal.common is not None and np.ptp(signal.common) == 0
    common = np.full(MEMBERS, values[0].mean()) if alike else None
    square = slopes[0] ** 2
    return Signal(values, common, False, signal.sources), lambda power: power * square


def scaled(signal: Signal, shift: Any, factor: Any) -> tuple[Signal, Back]:
    """(signal - shift) * factor, with numbers, or arrays of one number for each member."""
    common = None if signal.common is None else (signal.common - shift) * factor
    centred = np.ndim(factor) == 0 and (np.ndim(shift) == 1 or shift == 0)
    back = np.square(factor)
    return (
        replace(
            signal,
            values=(signal.values - shift) * factor,
            common=common,
            gaussian=signal.gaussian and centred,
        ),
        lambda power: power * back,
    )


def affine(signal: Signal, layer: Any) -> tuple[Signal, Back]:
    """A normalization's own scale and shift, one each per feature."""
    weight, bias = (laid_out(getattr(layer, name, None)) for name in ("weight", "bias"))
    out, back = scaled(signal, 0.0, 1.0 if weight is None else weight)
    if bias is None or not np.any(bias):
        return out, back
    common = None if out.common is None else out.common + bias
    return replace(out, values=out.values + bias, common=common, gaussian=False), back


def laid_out(parameter: Any) -> Any:
    """A parameter per feature as one number, if all are equal, else as one for each member."""
    if parameter is None:
        return None
    numbers = host(parameter)
    if np.ptp(numbers) == 0:
        return float(numbers.flat[0])
    return np.random.default_rng(0).permutation(np.resize(numbers, MEMBERS))


def host(tensor: Any) -> FLOAT:
    """A tensor's numbers as a NumPy array of float64."""
    return np.asarray(tensor.detach().cpu().data, dtype=np.float64)


def batch_norm(signal: Signal, layer: Any) -> tuple[Signal, Back]:
    """Subtract what the examples have in common, divide by how they vary; see `theory`."""
    if not (layer.training or layer.running_mean is None):
        mean, var = host(layer.running_mean), host(layer.running_var)
        factor = 1 / np.sqrt(var + layer.eps)
        if np.ptp(mean) == np.ptp(var) == 0:
            mean, factor = mean[0], factor[0]
        else:
            order = np.random.default_rng(0).permutation(MEMBERS)
            mean, factor = (np.resize(each, MEMBERS)[order] for each in (mean, factor))
        out, divided = scaled(signal, mean, factor)
    else:
        signal = _with_common(signal)
        spread = float(np.mean((signal.values[0] - signal.common) ** 2))
        out, divided = scaled(signal, signal.common, _over_root(spread + layer.eps))
        out = _as_gaussian(out)
    out, multiplied = affine(out, layer)
    return out, lambda power: divided(multiplied(power))


def _over_root(x: float) -> float:
    """1 / sqrt(x); NaN at 0, as a normalization without eps makes NaN of a signal of 0."""
    return 1 / math.sqrt(x) if x else math.nan


# Up to this share of what examples have in common, a unit's own mean and variance over the batch
# are taken to be those of all units.
_NOTHING_IN_COMMON = 0.05


def _with_common(signal: Signal) -> Signal:
    if signal.common is not None:
        return signal
    mean = float(signal.values[0].mean())
    variance = signal.square - mean**2
    if signal.product - mean**2 > _NOTHING_IN_COMMON * variance:
        raise ArgumentError(
            "it stands after an activation, and before that the examples have so much in common "
            "that each unit's mean over the batch is another; theory here knows batch norm "
            "between a Linear layer and its activation"
        )
    return replace(signal, common=np.full(MEMBERS, mean))


def _as_gaussian(signal: Signal) -> Signal:
    """A Gaussian signal whose members keep their order, but lie exactly as Gaussian numbers do."""
    if not signal.gaussian:
        return signal
    values = signal.values.copy()
    values[0, np.argsort(values[0])] = _normal() * math.sqrt(signal.square)
    return replace(signal, values=values)


def layer_norm(signal: Signal, layer: Any) -> tuple[Signal, Back]:
    """Layer and group norm: mean 0 and variance 1 over the units."""
    mean = 0.0 if signal.gaussian else float(signal.values[0].mean())
    variance = max(signal.square - mean**2, 0.0)
    out, divided = scaled(signal, mean, _over_root(variance + layer.eps))
    out, multiplied = affine(out, layer)
    return out, lambda power: divided(multiplied(power))


def rms_norm(signal: Signal, layer: Any) -> tuple[Signal, Back]:
    """RMS norm: mean square 1 over the units."""
    eps = float(np.finfo(np.float32).eps) if layer.eps is None else layer.eps
    out, divided = scaled(signal, 0.0, _over_root(signal.square + eps))
    out, multiplied = affine(out, layer)
    return out, lambda power: divided(multiplied(power))


def dropout(signal: Signal, layer: Any, source: int) -> tuple[Signal, Back]:
    """Dropout: the mean square becomes 1/(1 - p) times what it was, forwards and backwards.

    Alpha dropout also: what is left out becomes a number below 0, then all is scaled.
    """
    p = layer.p
    if not layer.training or p == 0:
        return signal, lambda power: power
    generator = np.random.default_rng(source)
    members = np.arange(MEMBERS) >= round(p * MEMBERS)
    kept = np.stack([generator.permutation(members) for _ in range(2)])
    if isinstance(layer, nn.AlphaDropout) and p < 1:
        factor = 1 / math.sqrt((1 - p) * (1 + p * SELU_FLOOR**2))
        floor, shift = SELU_FLOOR, -factor * p * SELU_FLOOR
    else:
        factor, floor, shift = (1 / (1 - p) if p < 1 else 0.0), 0.0, 0.0
    values = factor * np.where(kept, signal.values, floor) + shift
    common = signal.common
    if common is not None:
        common = factor * ((1 - p) * common + p * floor) + shift
    square = (factor * kept[0]) ** 2
    out = Signal(values, common, False, signal.sources | {source})
    return out, lambda power: power * square


def added(skip: Signal, branch: Signal, scale: float | FLOAT) -> Signal:
    """skip + scale * branch, for a branch that is independent of the skip but for chance."""
    values = np.stack(list(map(_uncorrelated, branch.values, skip.values)))
    common = None
    if skip.common is not None and branch.common is not None:
        common = skip.common + scale * _uncorrelated(branch.common, skip.common)
    out = Signal(
        skip.values + scale * values,
        common,
        skip.gaussian and branch.gaussian and np.ndim(scale) == 0,
        skip.sources | branch.sources,
    )
    return _as_gaussian(out)


def _uncorrelated(own: FLOAT, other: FLOAT) -> FLOAT:
    """Some numbers without what they have in common with others by chance, else as they were."""
    mean, size, around = own.mean(), own.std(), other - other.mean()
    if size == 0 or not np.any(around):
        return own
    rest = own - mean
    rest = rest - around * (float(around @ rest) / float(around @ around))
    out: FLOAT = mean + rest * (size / rest.std())
    return out
