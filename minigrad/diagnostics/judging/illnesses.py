"""What ails a network, as it shows in one record: the rules, each with its threshold and why.

What shows only in how records follow each other is in `course`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from minigrad.diagnostics.decay import TRAINABLE
from minigrad.diagnostics.judging.chart import RECTIFIER, Chart, natural_share
from minigrad.diagnostics.probing.statistics import FLOAT
from minigrad.diagnostics.probing.way import factor_per_layer

# Half of what the activation should have left to live on lies where it is flat.
SATURATED = 0.5

# In a deep network all examples become alike, and then by chance half of all ReLUs are off for all
# of them, the other half on for all: that is no illness. Dead units have left no such other half.
DEAD, MOSTLY_OFF = 0.5, 0.8


@dataclass(frozen=True)
class Sign:
    """An illness as it shows in one record.

    Attributes:
        verdict: its name.
        layers: numbers of those that have it.
        evidence: in words.
        numbers: the same for programs.
        record: the first record in which it showed.
        over_time: does it show from one time of a sequence to the next? Else, over depth.
    """

    verdict: str
    layers: tuple[int, ...]
    evidence: str
    numbers: dict[str, float] = field(default_factory=dict)
    record: int = 0
    over_time: bool = False


class Record:
    """The numbers of one record.

    Attributes:
        dz, dz_norm, dw, z: rms of dL/dz, L2 norm of dL/dz, rms of dL/dW and of z, per layer.
        saturated, dead: shares.
        arrived: whether a gradient did, finite or not.
        way, hidden, chains: as in the chart, of the layers at which a gradient arrived. A chain is
            the hidden layers, or the normalization layers: dL/dz of layers in one can be compared,
            while dL/dz before and after a normalization differ by its scale.
        faded: the layers whose z has become 0 by getting too small on its way.
    """

    def __init__(self, chart: Chart, record: int) -> None:
        self.chart, self.record = chart, record
        self.dz, self.dz_norm, self.dw, self.z, self.saturated, self.dead = (
            chart.series(name)[record]
            for name in ("dz_rms", "dz_norm", "dw_rms", "z_rms", "saturated", "dead")
        )
        # Where every number of a rectifier is off, no window of records is needed to know it.
        self.dead = np.where(self.saturated == 1, 1.0, self.dead)
        self.arrived = ~np.isnan(self.dz) | (chart.series("dz_bad")[record] > 0)
        self.way = [k for k in chart.way if self.arrived[k]]
        self.hidden = self.way[:-1]
        norms = [k for k in chart.norms if self.arrived[k]]
        self.chains = [chain for chain in (self.hidden, norms) if len(chain) > 1]
        self.faded = self._faded(self.z, self.way)

    def signs(self) -> list[Sign]:
        """All that ails the network in this record."""
        found = [self._saturated(), self._dead()]
        cut_off = set() if found[1] is None else set(found[1].layers)
        found += [self._exploding(), self._vanishing(cut_off), self._underflow(cut_off)]
        shown = [sign for sign in found if sign is not None]
        if not shown and (silenced := self._silenced()) is not None:
            return [silenced]
        return shown

    def _faded(self, rms: FLOAT, way: list[int]) -> set[int]:
        """Where an rms that has come near the bottom already is 0.

        A 0 that comes from dead units or zero weights comes at once.
        """
        found: set[int] = set()
        before = 0.0
        for k in way:
            if rms[k] == 0 and 0 < before < math.sqrt(self.chart.smallest):
                found.add(k)
            else:
                before = float(rms[k])
        return found

    # -- units -------------------------------------------------------------------------------

    def _saturated(self) -> Sign | None:
        """More than half of the units that are live by nature are flat."""
        normal = np.array([natural_share(name) for name in self.chart.activations])
        limit = normal + SATURATED * (1 - normal)
        ill = np.flatnonzero((self.saturated > limit) & (normal < RECTIFIER))
        if not ill.size:
            return None
        worst = int(ill[self.saturated[ill].argmax()])
        return Sign(
            "saturated", numbered(ill),
            f"in {self._name(worst)} {self.saturated[worst]:.0%} of all activations lie where "
            f"{self.chart.activations[worst]} is flat, more than {limit[worst]:.0%} "
            f"({counted(ill, self.chart.layers)})",
            {"share": float(self.saturated[worst]), "z_rms": float(self.z[worst])},
        )  # fmt: skip

    def _dead(self) -> Sign | None:
        """Half of the units and more pass nothing for any example, and hardly any is ever on."""
        normal = np.array([natural_share(name) for name in self.chart.activations])
        off = (self.dead >= DEAD) & (self.saturated >= MOSTLY_OFF) & (normal >= RECTIFIER)
        # A ReLU is off at 0, too: what has faded is no dead unit.
        off[list(self.faded)] = False
        off &= ~((self.z > 0) & (self.z < self.chart.smallest))
        ill = np.flatnonzero(off)
        if not ill.size:
            return None
        worst = int(ill[self.dead[ill].argmax()])
        evidence = (
            f"in {self._name(worst)} {self.dead[worst]:.0%} of the units pass nothing for any "
            f"example of {self._over(worst)} ({counted(ill, self.chart.layers)})"
        )
        below = self._cut_off_below(ill.tolist())
        if below:
            evidence += f"; no gradient reaches {self._name(below[0])}"
            evidence += f" to {self._name(below[-1])}" if len(below) > 1 else ""
        return Sign("dead", numbered({*ill.tolist(), *below}), evidence,
                    {"share": float(self.dead[worst])})  # fmt: skip

    def _over(self, layer: int) -> str:
        """Of which batches that is said: of one if all of it is off, else of a window of them."""
        return "its batch" if self.saturated[layer] == 1 else self.chart.window(self.record)

    def _cut_off_below(self, ill: list[int]) -> list[int]:
        """The layers before a wholly dead one, as far as no gradient comes there."""
        ends = [k for k in ill if self.dead[k] == 1]
        if not ends:
            return []
        return [k for k in range(max(ends)) if k not in ill and self.dz[k] == 0]

    def _silenced(self) -> Sign | None:
        """dL/dz is exactly 0 in every hidden layer, for a cause that no activation showed.

        While the output weights are still 0, as Fixup begins, that is no illness: what comes to
        the output layer gives these weights a gradient, and after a step the others theirs.
        """
        if not self.hidden or any(self.dz[k] != 0 for k in self.hidden):
            return None
        top = self.way[-1]
        begins_at_zero = top in self.chart.zero_weights or self.z[top] == 0
        if self.dw[top] != 0 and begins_at_zero:
            return None
        last = self.hidden[-1]
        evidence = (
            f"dL/dz is {self.dz[top]:.1e} in {self._name(top)} and exactly 0 in every hidden layer "
            f"({counted(self.hidden, self.chart.layers)}): nothing gets back past "
            f"{self._name(last)}"
        )
        if not self.chart.activations[last]:
            evidence += (
                "; its activation was not seen, so no units were counted: modules are seen, such "
                "as nn.ReLU(), and a few functions, such as F.relu"
            )
        return Sign("dead", tuple(self.hidden), evidence, {"dz_rms": 0.0})

    # -- the gradient over depth -------------------------------------------------------------

    def _ratios(self, chain: list[int]) -> FLOAT:
        """dL/dz of each layer of a chain over that of its last, in rms or norm: the milder.

        They differ where widths do: with weights scaled by fan_in it is the norm that a healthy
        network keeps, with weights scaled by fan_out the rms. NaN where the last gets nothing.
        """
        if self.dz[chain[-1]] == 0:
            return np.full(len(chain), math.nan)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            rms = self.dz[chain] / self.dz[chain[-1]]
            norm = self.dz_norm[chain] / self.dz_norm[chain[-1]]
            milder = abs(np.log(norm)) < abs(np.log(rms))
        return np.asarray(np.where(milder, norm, rms))

    def _exploding(self) -> Sign | None:
        """In some hidden layer dL/dz is more than e^3 = 20 times what it is in the last."""
        ill = [k for c in self.chains for k, r in _pairs(c, self._ratios(c)) if r > TRAINABLE]
        if not ill:
            return None
        top = self._last_of_chain(ill[0])
        factor = self.factor_per_layer()
        return Sign(
            "exploding", tuple(sorted(ill)),
            f"dL/dz grows from {self.dz[top]:.1e} in {self._name(top)} to "
            f"{self.dz[ill[0]]:.1e} in {self._name(ill[0])}{self._each(factor)}",
            {"first": float(self.dz[ill[0]]), "last": float(self.dz[top]), "factor": factor},
        )  # fmt: skip

    def _vanishing(self, cut_off: set[int]) -> Sign | None:
        """In some hidden layer dL/dz is less than e^-3 = 1/20 of what it is in the last.

        At that ratio a network is six depth scales deep, the most that trained in Schoenholz et
        al. (2017). Nothing is said where not even the last hidden layer gets a gradient, because
        the weights after it are still 0, as Fixup begins: unless no signal comes there either.
        """
        ill = [
            k
            for chain in self.chains
            for k, ratio in _pairs(chain, self._ratios(chain))
            if k not in cut_off and ratio < 1 / TRAINABLE
        ]
        if not ill:
            silent = [k for k in self.hidden if self.z[k] == 0 and self.dz[k] == 0]
            if not silent or cut_off or self.faded:
                return None
            return Sign("vanishing", tuple(silent), "z and dL/dz are exactly 0 from "
                        f"{self._name(silent[0])} to {self._name(silent[-1])}: the weights are 0",
                        {"factor": 0.0})  # fmt: skip
        top = self._last_of_chain(ill[0])
        factor = self.factor_per_layer()
        evidence = (
            f"dL/dz shrinks from {self.dz[top]:.1e} in {self._name(top)} to "
            f"{self.dz[ill[0]]:.1e} in {self._name(ill[0])}{self._each(factor)}"
        )
        return Sign("vanishing", tuple(sorted(ill)), evidence, {
            "first": float(self.dz[ill[0]]), "last": float(self.dz[top]), "factor": factor,
        })  # fmt: skip

    def _last_of_chain(self, layer: int) -> int:
        return next(chain[-1] for chain in self.chains if layer in chain)

    def factor_per_layer(self) -> float:
        """See `probing.way.factor_per_layer`."""
        return factor_per_layer(self.dz[self.way], self.chart.dtype)

    def _each(self, factor: float) -> str:
        if math.isnan(factor):
            return ""
        return f", by a factor of {factor:.3g} per {self.chart.unit}"

    # -- numbers too small for the dtype -----------------------------------------------------

    def _underflow(self, cut_off: set[int]) -> Sign | None:
        """The rms of dL/dz, dL/dW or z is no normal number any more: it has lost its digits.

        Or it is 0 because it got too small, and with it, where z is 0, every gradient before it.
        """
        smallest, way = self.chart.smallest, self.way
        names = {"z": self.z, "dL/dz": self.dz, "dL/dW": self.dw}
        ill = {k for x in names.values() for k in np.flatnonzero((x > 0) & (x < smallest)).tolist()}
        ill |= self.faded | self._faded(self.dz, way[::-1])
        if self.faded:
            ill |= {k for k in way if self.dz[k] == 0}
        if way and self.dz[way[-1]] == 0:
            return Sign("underflow", tuple(way),
                        "no gradient leaves the loss: it is at its minimum, or too small for "
                        f"{self.chart.dtype}", {"dz_rms": 0.0})  # fmt: skip
        ill -= cut_off
        if not ill:
            return None
        last = max(ill)
        what, value = next(
            ((n, x[last]) for n, x in names.items() if x[last] < smallest), ("dL/dz", 0.0)
        )
        return Sign(
            "underflow", tuple(sorted(ill)),
            f"in {self._name(last)} the rms of {what} is {value:.1e}, below {smallest:.1e}, the "
            f"smallest normal number of {self.chart.dtype} ({counted(ill, self.chart.layers)})",
            {"rms": float(value)},
        )  # fmt: skip

    def _name(self, layer: int) -> str:
        return self.chart.layers[layer]


# -- words ---------------------------------------------------------------------------------------


def _pairs(chain: list[int], ratios: FLOAT) -> Iterable[tuple[int, float]]:
    return zip(chain, ratios.tolist(), strict=True)


def numbered(layers: Iterable[int]) -> tuple[int, ...]:
    return tuple(sorted(int(k) for k in layers))


def counted(ill: Iterable[int], layers: list[str]) -> str:
    count = len(list(ill))
    return f"{count} of {len(layers)} layers" if len(layers) > 1 else "the only layer"
