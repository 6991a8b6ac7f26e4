"""On a GPU everything is computed there and comes back in one transfer a record.

No GPU is needed: the arrays here are NumPy's behind a class that refuses, as CuPy does, to become
one without being asked, and that counts who asks.
"""

from __future__ import annotations

import operator
from types import SimpleNamespace

import numpy as np
import pytest

from minigrad import backend, nn
from minigrad.diagnostics.probing.gauge import CHUNK, fetched
from minigrad.diagnostics.probing.names import MEASURED
from minigrad.diagnostics.probing.signals import SEEN, Signals
from minigrad.diagnostics.probing.weights import Weights
from minigrad.tape import Node

LAYERS = 3


class Away:
    """An array on a pretended GPU."""

    __cuda_array_interface__ = True
    device = SimpleNamespace(id=0)

    def __init__(self, array):
        self.array = array

    def __getattr__(self, name):
        value = getattr(self.array, name)
        return _wrapped(value) if callable(value) else value

    def __array__(self, *args, **kwargs):
        raise TypeError("implicit conversion to a NumPy array is not allowed")

    def __getitem__(self, index):
        return _away(self.array[index])

    def __setitem__(self, index, value):
        self.array[index] = _here(value)


def _binary(operation):
    return lambda self, other: _away(operation(self.array, _here(other)))


ARITHMETIC = ("add", "sub", "mul", "truediv", "rshift", "isub", "iadd")
LOGIC = ("and_", "or_", "iand", "ior", "le", "ge", "lt", "gt", "eq", "ne")
for _name in ARITHMETIC + LOGIC:
    setattr(Away, f"__{_name.strip('_')}__", _binary(getattr(operator, _name)))
Away.__abs__ = lambda self: _away(abs(self.array))
Away.__neg__ = lambda self: _away(-self.array)
Away.__invert__ = lambda self: _away(~self.array)
Away.__hash__ = object.__hash__


def _here(value):
    if isinstance(value, Away):
        return value.array
    if isinstance(value, list | tuple):
        return type(value)(map(_here, value))
    return value


def _away(value):
    return Away(np.asarray(value)) if isinstance(value, np.ndarray | np.generic) else value


def _wrapped(function):
    def call(*args, **kwargs):
        return _away(function(*_here(args), **{k: _here(v) for k, v in kwargs.items()}))

    return call


class Library:
    """`numpy`, taking and returning arrays that are away."""

    def __getattr__(self, name):
        value = getattr(np, name)
        return value if isinstance(value, type) else _wrapped(value)


@pytest.fixture
def transfers(monkeypatch) -> list[int]:
    """Counts what is brought to the host, in elements."""
    sizes: list[int] = []

    def to_host(array):
        sizes.append(array.size)
        return array.array

    device = backend.Device("cuda:0", Library(), upload=_away, to_host=to_host)
    monkeypatch.setattr(backend, "_cuda", lambda number: device)
    for asked in ("__float__", "__int__", "__bool__"):

        def count(self, asked=asked):
            sizes.append(1)
            return getattr(self.array, asked)()

        monkeypatch.setattr(Away, asked, count, raising=False)
    return sizes


def output(array):
    """What stands for a Tensor that a layer returned."""
    return SimpleNamespace(_data=array, _node=Node(None, (), (), (), array.shape, array.dtype))


def one_record(place, rng, full: bool) -> tuple[np.ndarray, np.ndarray | None]:
    """A step of pretended layers, with all that is measured of it."""
    signals = Signals(LAYERS, window=2)
    activations = [nn.Tanh(), nn.ReLU(), nn.ELU()]
    values = [rng.normal(size=(4, 6)) for _ in range(LAYERS)]
    parameters = [SimpleNamespace(_data=place(v.copy()), _grad=None, dtype=v.dtype) for v in values]
    weights = Weights(parameters, range(LAYERS), LAYERS)
    row = np.full((LAYERS, len(MEASURED)), np.nan)
    for _ in range(2):  # the second has a gradient before it to be compared with
        signals.clear()
        weights.clear()
        signals.gauge.full = weights.gauge.full = full
        for layer, activation in enumerate(activations):
            shape = (CHUNK // 100, 150) if layer == 2 else (5, 7)
            z = output(place(3 * rng.normal(size=shape)))
            a = output(place(np.tanh(rng.normal(size=shape))))
            signals.see_z(layer, z)
            signals.see_activation(activation, z, a)
            signals.see_gradient(layer, place(rng.normal(size=shape)))
        for parameter, value in zip(parameters, values, strict=True):
            gradient = rng.normal(size=value.shape)
            parameter._grad = SimpleNamespace(_data=place(gradient))
        weights.note_gradients()
        weights.note_values()
        for parameter in parameters:
            parameter._data = place(_here(parameter._data) - 0.1 * _here(parameter._grad._data))
        weights.note_update()
        away = [signals.away(), weights.away()]
        here = fetched([*away[0], *away[1]])
        signals.record(row, here[: len(away[0])])
        weights.record(row, here[len(away[0]) :])
    if not full:
        return row, None
    return row, np.concatenate([signals.gauge.histograms(len(SEEN) * LAYERS), weights.histograms()])


@pytest.mark.parametrize("full", [False, True])
def test_a_record_takes_one_transfer_and_says_the_same_as_on_the_host(transfers, full):
    expected, counts = one_record(lambda x: x, np.random.default_rng(0), full)
    assert transfers == []
    found, found_counts = one_record(Away, np.random.default_rng(0), full)
    assert len(transfers) == 2, "one for each of two records"
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)
    assert np.isfinite(expected[:, [MEASURED.index("dw_cosine"), MEASURED.index("dead")]]).all()
    if full:
        np.testing.assert_array_equal(found_counts, counts)


def test_what_needs_care_is_brought_besides(transfers):
    signals = Signals(1, window=1)
    signals.see_z(0, output(Away(np.array([1.0, np.nan, 0.0, np.inf]))))
    row = np.full((1, len(MEASURED)), np.nan)
    signals.record(row, fetched(signals.away()))
    found = dict(zip(MEASURED, row[0], strict=True))
    assert (found["z_nans"], found["z_infs"], found["z_zeros"]) == (0.25, 0.25, 0.25)
    assert len(transfers) > 1
