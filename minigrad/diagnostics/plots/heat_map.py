"""The heat map: one quantity over layers and steps."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from minigrad.diagnostics.plots.bands import FLOAT
from minigrad.diagnostics.plots.layer_lines import name_rows
from minigrad.diagnostics.plots.quantities import in_words, is_size, scaled
from minigrad.diagnostics.plots.runs import NothingToDraw, OneRun, Run
from minigrad.diagnostics.plots.style import axes_or_current, legend, step_axis, write_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Cells without a place on the colour bar are white, and lie outside it in grey print, too.
HATCHED = "0.4"
HATCHES = {"0": "...", "NaN": "xxx", "infinite": "///", "above": "||", "below": "--"}


def heatmap(
    data: OneRun,
    series: str = "dz_rms",
    *,
    ax: Axes | None = None,
    vmin: float | None = None,
    vmax: float | None = None,
    colorbar: bool = True,
    names: bool = True,
) -> Axes:
    """Draw one quantity as colour, over the layers (upwards) and the steps.

    Sizes are drawn as log10 of their magnitude, shares and cosines as they are. Where a size is
    0, NaN or infinite, the cell is hatched; where nothing was measured, it stays empty. What lies
    beyond `vmin` or `vmax` has the last colour, and is hatched as well. Records in which this
    series was measured in no layer are left out.

    Arguments:
        data: a recording, the path of a saved one, or a list of these (seeds of one network,
            whose mean is drawn).
        series: what to draw, such as "dz_rms", "z_std", "saturated"; see `Recording`.
        ax: where to draw; by default the current axes.
        vmin, vmax: ends of the colour scale, as drawn; by default those of the data.
        colorbar: add one beside the axes.
        names: write the paths of up to 24 layers beside their numbers.

    Raises:
        NothingToDraw: nothing of this series was recorded.
        ArgumentError: something else than recordings, or no such series.

    >>> from minigrad.diagnostics import Recording, plots
    >>> run = Recording(["first", "second"])
    >>> run.add(0, {"dz_rms": [1e-3, 1.0]})
    >>> run.add(10, {"dz_rms": [1e-4, 1.0]})
    >>> plots.heatmap(run).get_ylabel()
    'layer (1 = nearest the input)'
    """
    from matplotlib.patches import Patch

    run = Run("heatmap", data)
    places = run.places_with(series)
    if not places.size:
        raise NothingToDraw(f"plots.heatmap: of {series!r} nothing was recorded")
    values, arrived = run.mean(series)[places].T, run.arrived(series)[places].T
    ax = axes_or_current(ax)
    steps, unit = [run.steps[place] for place in places], "step"
    if any(after <= before for before, after in pairwise(steps)):
        steps, unit = list(range(len(steps))), "record"
    across, up = cell_edges(steps), cell_edges(range(1, len(run.layers) + 1))
    drawn = np.ma.masked_invalid(scaled(series, values))
    low, high = _limits(drawn, vmin, vmax)
    mesh = ax.pcolormesh(across, up, drawn, cmap="viridis", vmin=low, vmax=high, rasterized=True)
    marked = {
        "0": (values == 0) & is_size(series),
        "NaN": np.isnan(values) & arrived,
        "infinite": np.isinf(values),
    }
    handles = [_hatch(ax, w, cells, across, up) for w, cells in marked.items() if cells.any()]
    handles += _beyond(ax, drawn, (low, high), across, up)
    if not arrived.all():
        handles.append(Patch(facecolor="white", edgecolor=HATCHED, label="not measured"))
    step_axis(ax, steps, unit)
    ax.set(xlim=across[[0, -1]], ylim=up[[0, -1]])
    name_rows(ax, run.layers, names=names)
    if colorbar and drawn.count():
        bar = ax.figure.colorbar(mesh, ax=ax)
        write_label(ax, bar.ax.yaxis, in_words(series))
    legend(ax, handles, inside=False)
    return ax


def cell_edges(steps: Sequence[int]) -> FLOAT:
    """Where the cells of steps, or of layers, begin and end: halfway to the next.

    >>> cell_edges([0, 10, 30]).tolist()
    [-5.0, 5.0, 20.0, 40.0]
    """
    centres = np.array(steps, dtype=np.float64)
    if len(centres) == 1:
        return np.array([centres[0] - 0.5, centres[0] + 0.5])
    between = (centres[1:] + centres[:-1]) / 2
    first, last = 2 * centres[0] - between[0], 2 * centres[-1] - between[-1]
    return np.concatenate([[first], between, [last]])


def _limits(drawn: Any, vmin: float | None, vmax: float | None) -> tuple[float, float]:
    """Ends of the colour scale, apart also where all numbers are the same."""
    low = vmin if vmin is not None else float(drawn.min()) if drawn.count() else 0.0
    high = vmax if vmax is not None else float(drawn.max()) if drawn.count() else 0.0
    return (low, high) if low < high else (low - 0.5, low + 0.5)


def _beyond(ax: Axes, drawn: Any, ends: tuple[float, float], across: FLOAT, up: FLOAT) -> list[Any]:
    """Hatch, over their colour, what has none of its own; returns what belongs into the legend."""
    handles = []
    for what, cells, end in (
        ("below", drawn < ends[0], ends[0]),
        ("above", drawn > ends[1], ends[1]),
    ):
        cells = np.ma.filled(cells, False)
        if cells.any():
            farthest = drawn.max() if what == "above" else drawn.min()
            label = f"{what} {end:.3g} (to {farthest:.3g})"
            handles.append(_hatch(ax, what, cells, across, up, label=label, facecolor="none"))
    return handles


def _hatch(
    ax: Axes, what: str, cells: NDArray[np.bool_], across: FLOAT, up: FLOAT, *, label: str = "",
    facecolor: str = "white",
) -> Any:  # fmt: skip
    """Hatch some cells; returns what belongs into the legend."""
    from matplotlib.patches import Patch, PathPatch
    from matplotlib.path import Path

    # Per row, where hatched cells begin and where they end. All are one path, and an artist that
    # the limits of the axes are not computed from: thousands of patches take minutes.
    change = np.diff(np.pad(cells, ((0, 0), (1, 1))).astype(int), axis=1)
    (row, begin), (_, end) = np.nonzero(change == 1), np.nonzero(change == -1)
    left, right, low, high = across[begin], across[end], up[row], up[row + 1]
    corners = [(left, low), (right, low), (right, high), (left, high), (left, low)]
    path = Path(
        np.transpose(corners, (2, 0, 1)).reshape(-1, 2),
        np.tile([Path.MOVETO, *[Path.LINETO] * 3, Path.CLOSEPOLY], len(row)).astype(np.uint8),
    )
    look: dict[str, Any] = {
        "facecolor": facecolor, "edgecolor": HATCHED, "hatch": HATCHES[what], "label": label or what
    }  # fmt: skip
    ax.add_artist(PathPatch(path, linewidth=0, **look))
    return Patch(linewidth=0.5, **look)
