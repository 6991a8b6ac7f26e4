"""The way of a signal: which layers all of it passes, and what dL/dz is multiplied by on each step.

Only such layers can be compared with each other. Who tells a factor "per layer" takes it from here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from minigrad import nn
from minigrad.diagnostics.probing.layers import PASSES_ON
from minigrad.diagnostics.probing.recurrence import RECURRENT as SEQUENCES
from minigrad.diagnostics.probing.statistics import FLOAT
from minigrad.nn import normalization

# By the name of the class, as recordings have it.
NORMALIZATIONS = tuple(
    kind.__name__ for kind in PASSES_ON if kind.__module__ == normalization.__name__
)

# Layers that hand a state from one time to the next.
RECURRENT = tuple(kind.__name__ for kind in (*SEQUENCES, nn.RNNCell, nn.LSTMCell, nn.GRUCell))

# Whose z is no output of a linear layer, so that it has another scale than those have.
NO_STEPS = (*NORMALIZATIONS, "PReLU")


@dataclass(frozen=True)
class Way:
    """The layers of a network by their part in the way of a signal; all by number.

    Attributes:
        steps: those that every signal passes, in order. Not among them are normalizations and
            PReLU, layers in residual branches (which a gradient may well leave out), and
            modules that hold a step: these have the z and dL/dz of their last.
        norms: the normalizations that every signal passes.
        holders: the modules that hold a step.
        blocks: the steps that are residual blocks.
    """

    steps: tuple[int, ...]
    norms: tuple[int, ...]
    holders: frozenset[int]
    blocks: frozenset[int]

    @property
    def unit(self) -> str:
        """What a factor from one step to the next is per: "layer", "block", "layer or block".

        On its way from one hidden step to the one before, a gradient passes the former.
        """
        passed = {k in self.blocks for k in self.steps[1:-1]}
        return "layer or block" if len(passed) > 1 else "block" if passed == {True} else "layer"


def way_of(
    layers: Sequence[str], kinds: Mapping[str, str], called: Sequence[bool] | None = None
) -> Way:
    """The way of a signal, from the names and kinds of layers.

    Arguments:
        layers: paths, in the order of the network.
        kinds: per path the class name of the module. Of what is missing here, it is taken that a
            layer that holds others is a residual block.
        called: per layer, whether anything went through it; by default, through all.

    >>> names = ["net", "net.0", "net.1", "net.1.branch", "head"]
    >>> kinds = ["Own", "Linear", "Residual", "Linear", "Linear"]
    >>> found = way_of(names, dict(zip(names, kinds)))
    >>> [names[k] for k in found.steps], found.unit
    (['net.0', 'net.1', 'head'], 'block')
    """
    plain = {name: kinds.get(name, "").removeprefix("Parametrized") for name in layers}
    around = _around(layers, kinds)
    everywhere = [
        k
        for k, name in enumerate(layers)
        if not any(plain[other] in ("Residual", "") for other in around[name])
        if "parametrizations" not in name.split(".")  # those are part of their layer
    ]
    candidates = [
        k for k in everywhere if plain[layers[k]] not in NO_STEPS and (called is None or called[k])
    ]
    holding = {other for k in candidates for other in around[layers[k]]}
    steps = tuple(k for k in candidates if layers[k] not in holding)
    inhabited = {other for others in around.values() for other in others}
    return Way(
        steps,
        tuple(k for k in everywhere if plain[layers[k]] in NORMALIZATIONS),
        frozenset(k for k in candidates if layers[k] in holding),
        frozenset(
            k
            for k in steps
            if plain[layers[k]] == "Residual" or (not plain[layers[k]] and layers[k] in inhabited)
        ),
    )


def _around(layers: Sequence[str], kinds: Mapping[str, str]) -> dict[str, list[str]]:
    """Per layer the others that it lies in."""
    known = set(layers)
    found = {}
    for name in layers:
        parts = name.split(".")
        above = (".".join(parts[:i]) for i in range(1, len(parts)))
        found[name] = [path for path in above if path in known]
    if (network := _network(layers, kinds)) is not None:
        for name in layers:
            if name != network:
                found[name].append(network)
    return found


def _network(layers: Sequence[str], kinds: Mapping[str, str]) -> str | None:
    """The network itself, if it is one of the layers: it goes by the name of its class.

    A layer may be called so, too, in an nn.ModuleDict say: if it is of a class that holds none.
    """
    first = layers[0] if layers else ""
    if kinds.get(first) != first or any(name.startswith(f"{first}.") for name in layers):
        return None
    return first if getattr(nn, first, None) in (None, nn.Residual) else None


# -- the factor ----------------------------------------------------------------------------------


def factor_per_layer(dz_rms: ArrayLike, dtype: DTypeLike = "float64") -> float:
    """What the rms of dL/dz is multiplied by on each step towards the input.

    The geometric mean of dz_rms[l] / dz_rms[l + 1] over the hidden layers. The output layer is
    left out, having another width, and so are layers in underflow; NaN where fewer than two are
    left.

    Arguments:
        dz_rms: of the layers on the way, from the input to the output; see `way_of`.
        dtype: what it was computed in. Below its smallest normal number begins underflow.

    >>> factor_per_layer([1.0, 2.0, 4.0, 100.0])
    0.5
    """
    rms = np.asarray(dz_rms, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return factor_of_logs(np.where(rms >= np.finfo(dtype).tiny, np.log(rms), np.nan))


def factor_of_logs(logs: FLOAT) -> float:
    """The same, of natural logarithms: of numbers that no dtype could hold."""
    usable = np.flatnonzero(np.isfinite(logs[:-1]))
    if len(usable) < 2:
        return math.nan
    first, last = usable[0], usable[-1]
    return math.exp((logs[first] - logs[last]) / (last - first))
