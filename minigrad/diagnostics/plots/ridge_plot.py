"""The ridge plot: how the elements of a signal spread, a row for each layer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minigrad.diagnostics.plots.bands import FLOAT
from minigrad.diagnostics.plots.layer_lines import MOST_NAMED, colour_of, name_each_row
from minigrad.diagnostics.plots.quantities import SIGNAL_WORDS
from minigrad.diagnostics.plots.runs import NothingToDraw, OneRun, Run
from minigrad.diagnostics.plots.style import (
    DARK,
    axes_or_current,
    legend,
    ranked_ticks,
    write_label,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEIGHT = 1.6  # of the highest ridge, in rows: neighbours overlap
TICK = 38.0  # points that the label of a power of ten takes
GAP = 1.5  # octaves between the 0 in the middle and the smallest magnitude shown


def ridge(
    data: OneRun, signal: str = "dz", *, step: int | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the histogram of a signal in every layer, one row above the other.

    The axis is logarithmic on both sides of 0, with one bin an octave. Each row is scaled to its
    own highest bin. Zeros are drawn apart, as a bar in the middle that fills its row at 100 %;
    shares of NaN and infinities are written at the end of the row. Of more than 24 layers, 24
    are shown, evenly spaced.

    Arguments:
        data: a recording, the path of a saved one, or a list of these (seeds of one network,
            whose counts are added up).
        signal: "z", "a", "dz" or "dw".
        step: one whose record holds histograms; by default the last such.
        ax: where to draw; by default the current axes.

    Raises:
        NothingToDraw: no histograms of this signal.
        ArgumentError: something else than recordings, no such signal, or no histogram of that step.

    >>> import minigrad as mg
    >>> from minigrad.diagnostics import Probe, plots
    >>> model = mg.nn.Sequential(mg.nn.Linear(2, 3), mg.nn.Tanh(), mg.nn.Linear(3, 1))
    >>> with Probe(model) as probe:
    ...     model(mg.ones(5, 2)).sum().backward()
    >>> plots.ridge(probe, "z").get_xlabel()
    'z, log scale on both sides of 0'
    """
    run = Run("ridge", data)
    counts, step = run.histogram(signal, step)
    there = run.place(step)
    layers = np.flatnonzero(run.arrived(f"{signal}_rms")[there])
    if not layers.size:
        raise NothingToDraw(f"plots.ridge: of {SIGNAL_WORDS[signal]} nothing was recorded")
    if len(layers) > MOST_NAMED:
        layers = layers[np.linspace(0, len(layers) - 1, MOST_NAMED).round().astype(int)]
    ax = axes_or_current(ax)
    edges = run.recordings[0].bin_edges
    axis = _Axis.of(counts[layers].sum(axis=0), edges[len(edges) // 2 :])
    broken = {name: run.mean(f"{signal}_{name.lower()}s")[there] for name in ("NaN", "inf")}
    for row, layer in enumerate(layers):
        colour = colour_of(int(layer) + 1, len(run.layers))
        look = {"color": colour, "zorder": 3 - row / len(layers)}
        _draw_row(ax, axis, counts[layer], row, f"layer {layer + 1}", look)
        told = [f"{what} {share[layer]:.0%}" for what, share in broken.items() if share[layer] > 0]
        ax.text(0.99, row + 0.1, ", ".join(told), ha="right", fontsize="x-small", color=DARK,
                transform=ax.get_yaxis_transform())  # fmt: skip
    axis.tick(ax)
    write_label(ax, ax.xaxis, f"{SIGNAL_WORDS[signal]}, log scale on both sides of 0")
    names = [run.layers[layer] for layer in layers]
    name_each_row(ax, range(len(layers)), [int(layer) + 1 for layer in layers], names)
    ax.set_ylim(-0.3, len(layers) - 1 + HEIGHT + 0.2)
    _explain_bars(ax, counts[layers])
    return ax


class _Axis(NamedTuple):
    """Octaves on both sides of 0.

    Attributes:
        first: place of the smallest octave shown, among those of the recording.
        octaves: how many are shown.
        exponent: log2 of where the first begins.
        below, above: whether there are elements below 0, and above.
    """

    first: int
    octaves: int
    exponent: float
    below: bool
    above: bool

    @classmethod
    def of(cls, counts: NDArray[np.int64], magnitudes: FLOAT) -> _Axis:
        """As far as there are elements.

        Arguments:
            counts: of all layers, (bins,).
            magnitudes: edges of the bins above 0.
        """
        middle = len(counts) // 2
        used = (counts[middle + 1 :] + counts[:middle][::-1]).nonzero()[0]
        first, last = (int(used[0]), int(used[-1])) if used.size else (0, 0)
        below, above = bool(counts[:middle].any()), bool(counts[middle + 1 :].any())
        return cls(first, last - first + 1, math.log2(magnitudes[first]), below, above)

    @property
    def end(self) -> float:
        """Where the axis ends."""
        return GAP + self.octaves + 1

    def curve(self, counts: NDArray[np.int64]) -> tuple[FLOAT, FLOAT]:
        """Positions and counts of one layer's bins, from 0 over the first to 0 after the last."""
        middle = len(counts) // 2
        shown = slice(self.first, self.first + self.octaves)
        above, below = counts[middle + 1 :][shown], counts[:middle][::-1][shown]
        x = GAP + np.arange(-1, self.octaves + 1) + 0.5
        heights = [np.pad(side, 1).astype(np.float64) for side in (below, above)]
        return np.concatenate([-x[::-1], x]), np.concatenate([heights[0][::-1], heights[1]])

    def tick(self, ax: Axes) -> None:
        """Ticks at 0 and at a few powers of ten on either side, as far as they fit."""
        lowest = math.ceil(self.exponent * math.log10(2))
        highest = math.floor((self.exponent + self.octaves) * math.log10(2))
        powers = list(range(highest, lowest - 1, -max(1, (highest - lowest + 3) // 3)))
        places = [GAP + power / math.log10(2) - self.exponent for power in powers]
        names = [rf"10^{{{power}}}" if power else "1" for power in powers]
        marked = [
            tick for place, name in zip(places, names, strict=True)
            for tick in ((place, f"${name}$"), (-place, f"$-{name}$"))
        ]  # fmt: skip
        marked.insert(2, (0.0, "0"))  # right after the largest
        ranked_ticks(ax.xaxis, [place for place, _ in marked], [name for _, name in marked], TICK)
        ax.set_xlim(-self.end if self.below else -GAP, self.end if self.above else GAP)


def _draw_row(
    ax: Axes, axis: _Axis, counts: NDArray[np.int64], row: int, label: str, look: dict[str, Any]
) -> None:
    x, heights = axis.curve(counts)
    heights *= HEIGHT / max(1.0, heights.max())
    ax.fill_between(x, row, row + heights, edgecolor="white", linewidth=0.8, label=label, **look)
    zeros = counts[len(counts) // 2] / max(1, counts.sum())
    if zeros:
        ax.bar(0, zeros, bottom=row, width=1.0, edgecolor="white", linewidth=0.5, **look)
    ax.axhline(row, color="0.6", linewidth=0.5, zorder=look["zorder"])


def _explain_bars(ax: Axes, counts: NDArray[np.int64]) -> None:
    from matplotlib.patches import Patch

    if counts[:, counts.shape[1] // 2].any():
        legend(ax, [Patch(color="0.4", label="bar at 0: share of zeros, 100 % = one row")],
               inside=False)  # fmt: skip
