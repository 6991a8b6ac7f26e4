"""Loss landscapes: contours, and the paths of optimizers on them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minigrad.diagnostics.loss_surface.landscape import Landscape
from minigrad.diagnostics.plots.style import DARK, axes_or_current, look, told
from minigrad.diagnostics.plots.style import legend as add_legend
from minigrad.errors import ArgumentError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

# Valleys are white, so that paths show there; the heights stop short of the darkness of a line.
_COLOURS = ("#FFFFFF", "#6A8CB0")
LEVELS = 16
OFF_PLANE = 0.7  # of the distance: then more than half of its square is not in the picture


def loss_landscape(
    landscape: Landscape,
    *,
    paths: Mapping[str, ArrayLike] | None = None,
    ax: Axes | None = None,
    colorbar: bool = True,
    legend: bool = True,
) -> Axes:
    """Draw a loss landscape as contours, with the paths that were taken through it.

    Contours crowd at low losses, where the range is wide: half of them lie below the median.
    Hatched is where the loss is no finite number. A path ends where it leaves the picture for good;
    the legend says where it goes, and whether it lies mostly off the plane that is drawn.

    Arguments:
        landscape: from `function_landscape` or `loss_landscape` of `minigrad.diagnostics`.
        paths: by name further paths to those of the landscape, each of shape (places, 2). A name
            keeps its colour by its place in the order.
        ax: where to draw.
        colorbar: add a colour bar, which takes some room from `ax`.
        legend: add a legend of the paths below the axes.

    Raises:
        ArgumentError: something else, or a path of another shape.

    >>> from minigrad.diagnostics import function_landscape, plots
    >>> bowl = function_landscape(lambda w: (w * w).sum(), points=11)
    >>> plots.loss_landscape(bowl, paths={"a step": [(1.0, 1.0), (0.5, 0.5)]}).get_xlabel()
    'x'
    """
    from matplotlib.colors import BoundaryNorm, LinearSegmentedColormap

    if not isinstance(landscape, Landscape):
        raise ArgumentError(
            "plots.loss_landscape: takes what loss_landscape or function_landscape of "
            f"minigrad.diagnostics returns, not a {type(landscape).__name__}"
        )
    ax = axes_or_current(ax)
    drawn = {name: _path(name, p) for name, p in {**landscape.paths, **(paths or {})}.items()}
    ax.patch.set(hatch="xxx", facecolor="white", edgecolor="0.6")
    loss = np.ma.masked_invalid(landscape.loss)
    if loss.count():
        levels = _levels(loss.compressed())
        norm = BoundaryNorm(levels, 256)
        colours = LinearSegmentedColormap.from_list("valleys", _COLOURS)
        at = (landscape.x, landscape.y, loss)
        filled = ax.contourf(*at, levels=levels, cmap=colours, norm=norm)
        ax.contour(*at, levels=levels, colors="0.45", linewidths=0.5, linestyles="solid")
        if colorbar:
            ticks = levels[:: LEVELS // 4]
            bar = ax.figure.colorbar(filled, ax=ax, ticks=ticks)
            bar.ax.set_yticklabels([_in_short(level) for level in ticks])
            bar.set_label("loss")
    ax.set(xlim=landscape.x[[0, -1]], ylim=landscape.y[[0, -1]])
    ax.set_xlabel(landscape.names[0])
    ax.set_ylabel(landscape.names[1])
    for place, (name, path) in enumerate(drawn.items()):
        _draw_path(ax, path, name, place)
    if drawn:
        ax.plot([], [], label="start", **_START)
        ax.plot([], [], label="end", **_END)
    if drawn and legend:
        off = [told(_off_plane(name, share)) for name, share in landscape.off_plane.items()
               if share > OFF_PLANE]  # fmt: skip
        add_legend(ax, [*ax.get_legend_handles_labels()[0], *off])
    return ax


def _levels(loss: Floats) -> Floats:
    """Where to draw contours: from the lowest to the highest loss, half of them below the median.

    Losses of a quadratic bowl get levels whose contours are evenly spaced.

    >>> _levels(np.array([0.0, 1.0, 16.0]))[[0, 8, 16]].round(12).tolist()
    [0.0, 1.0, 16.0]
    """
    low, middle, high = float(loss.min()), float(np.median(loss)), float(loss.max())
    if high <= low:
        return np.array([low, low + max(abs(low), 1.0)])
    share = (middle - low) / (high - low)
    bend = math.log(share) / math.log(0.5) if 0 < share < 1 else 1.0
    steps = np.linspace(0.0, 1.0, LEVELS + 1) ** min(max(bend, 1.0), 8.0)
    return np.unique(low + (high - low) * steps)


def _path(name: str, path: ArrayLike) -> Floats:
    places = np.asarray(path, dtype=np.float64)
    if places.ndim != 2 or places.shape[1] != 2 or not len(places):
        raise ArgumentError(
            f"plots.loss_landscape: the path {name!r} has shape {places.shape}; it must be "
            "(places, 2), x and y of each"
        )
    return places


def _draw_path(ax: Axes, path: Floats, name: str, place: int) -> None:
    from matplotlib import patheffects

    colour, marker = look(place)
    until, stays = _until(path, ax.get_xlim(), ax.get_ylim())
    x, y = path[:until].T
    outline = [patheffects.withStroke(linewidth=3.0, foreground="white")]
    ax.plot(
        x, y, "-", color=colour, marker=marker, markersize=4.5, markevery=max(1, until // 12),
        linewidth=1.5, path_effects=outline, label=f"{name}{_whereto(path, stays)}",
    )  # fmt: skip
    ax.plot(x[:1], y[:1], **_START)
    if stays:
        ax.plot(x[-1:], y[-1:], **{**_END, "markerfacecolor": colour})


_START: dict[str, Any] = {
    "color": DARK, "linestyle": "none", "marker": "o", "markersize": 9, "markerfacecolor": "none",
    "zorder": 4,
}  # fmt: skip
_END: dict[str, Any] = {**_START, "marker": "*", "markersize": 11}


def _until(path: Floats, across: tuple[float, float], up: tuple[float, float]) -> tuple[int, bool]:
    """How many places to draw: to the first one outside for good; and whether there is none."""
    x, y = path.T
    inside = (across[0] <= x) & (x <= across[1]) & (up[0] <= y) & (y <= up[1])
    if not inside.any():  # it may still cross the picture from one place to the next
        broken = np.flatnonzero(~np.isfinite(path).all(axis=1))
        return int(broken[0]) if broken.size else len(path), False
    last = int(inside.nonzero()[0][-1])
    if last == len(path) - 1:
        return len(path), True
    return last + 1 + int(np.isfinite(path[last + 1]).all()), False


def _whereto(path: Floats, stays: bool) -> str:
    """In words, where a path goes that leaves the picture."""
    if stays:
        return ""
    if not np.isfinite(path[-1]).all():
        return " (runs away)"
    x, y = path[-1].tolist()
    return f" (leaves, and ends at {_in_short(x)}, {_in_short(y)})"


def _off_plane(name: str, share: float) -> str:
    return (
        f"{share:.0%} of the way of {name!r} is at a right angle to this plane: what is drawn is "
        'its shadow. directions="path" shows more of it'
    )


def _in_short(number: float) -> str:
    """
    >>> _in_short(2509.0), _in_short(0.01234), _in_short(1.2e9)
    ('2,509', '0.0123', '1.2e+09')
    """
    return f"{number:,.0f}" if 1000 <= abs(number) < 1e6 else f"{number:.3g}"
