"""A curve with the band of its seeds around it, and what legends say of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minigrad.diagnostics.plots.style import DARK, isolated, look
from minigrad.errors import ArgumentError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FLOAT = NDArray[np.float64]


def as_numbers(figure: str, what: str, given: Any) -> FLOAT:
    """An array of numbers.

    Raises:
        ArgumentError: something else.
    """
    try:
        return np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise ArgumentError(
            f"{figure}: {what} must be numbers, in rows of equal length, not {given!r:.60}"
        ) from None


class Band(NamedTuple):
    """A curve over x, and how far it spreads."""

    x: FLOAT
    mean: FLOAT
    low: FLOAT
    high: FLOAT


def band(x: FLOAT, seeds: FLOAT) -> Band:
    """Mean, smallest and largest of (seeds, points); NaN where one of them is NaN."""
    with np.errstate(over="ignore", invalid="ignore"):
        return Band(x, seeds.mean(axis=0), seeds.min(axis=0), seeds.max(axis=0))


def draw_band(ax: Axes, curve: Band, place: int, line: str, label: str) -> None:
    """Draw one.

    Arguments:
        ax: where to draw.
        curve: as it stands on the axes.
        place: of the run among those in the figure; it has one colour and marker.
        line: "-" or "--"; the dashed curve of a run has hollow markers.
        label: of the line.
    """
    colour, marker = look(place)
    # A marker on every layer of a deep network would hide the line.
    every = max(1, len(curve.x) // 6)
    start = place * every // 3 + (0 if line == "-" else every // 2)
    markers = [*range(start % every, len(curve.x), every), *isolated(curve.mean)]
    ax.plot(
        curve.x, curve.mean, line, color=colour, marker=marker, markersize=5,
        markerfacecolor=colour if line == "-" else "white", markevery=markers,
        linewidth=1.8 if line == "-" else 1.2, label=label,
    )  # fmt: skip
    if np.any(curve.low < curve.high):
        ax.fill_between(curve.x, curve.low, curve.high, color=colour, alpha=0.18, linewidth=0)


def curve_handles(labels: Sequence[str]) -> list[Any]:
    """Which colour and marker is which run; a run without a name needs none."""
    from matplotlib.lines import Line2D

    return [
        Line2D([], [], color=colour, marker=marker, markersize=5, linewidth=1.8, label=label)
        for (colour, marker), label in ((look(i), label) for i, label in enumerate(labels))
        if label
    ]


def line_handles(kinds: Mapping[str, Any]) -> list[Any]:
    """What solid and dashed mean: label and line of each."""
    from matplotlib.lines import Line2D

    return [
        Line2D([], [], color=DARK, linestyle=line, marker="o", markersize=5, label=label,
               markerfacecolor=DARK if line == "-" else "white",
               linewidth=1.8 if line == "-" else 1.2)
        for label, line in kinds.items()
    ]  # fmt: skip


def band_handle(label: str) -> Any:
    """What the band means."""
    from matplotlib.patches import Patch

    return Patch(color="0.5", alpha=0.3, label=label)
