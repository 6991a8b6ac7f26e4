"""One line per layer over the steps, few layers by colour and marker, many from dark to light."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from minigrad.diagnostics.plots.style import (
    CURVES,
    LAYER_AXIS,
    is_narrow,
    isolated,
    layer_numbers,
    look,
    makes_room,
    ticks_that_fit,
    write_label,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

LIGHTEST = 0.88  # of viridis; beyond, lines fade on white paper
MOST_NAMED = 24  # rows; more names are too small to read
LONGEST = 20  # characters of a name
PLAIN, SMALL, TINY = 10.0, 8.3, 6.9  # points


def depth_colours() -> Colormap:
    """From dark, nearest the input, to light; also in grey print."""
    import matplotlib
    from matplotlib.colors import ListedColormap

    return ListedColormap(matplotlib.colormaps["viridis"](np.linspace(0, LIGHTEST, 256)))


def colour_of(number: int, depth: int) -> Any:
    """The colour of a layer, counted from 1."""
    return depth_colours()((number - 1) / max(1, depth - 1))


def layer_lines(
    ax: Axes,
    steps: Sequence[int],
    values: NDArray[np.float64],
    numbers: NDArray[np.int64],
    *,
    colorbar: bool,
) -> list[Any]:
    """Draw (steps, layers) with the steps along x.

    Arguments:
        ax: where to draw.
        steps, values: what to draw.
        numbers: of the layers, counted from 1.
        colorbar: show which colour is which layer, where there are too many for a legend.

    Returns:
        What belongs into a legend: the lines, as long as they are few.
    """
    few = len(numbers) <= len(CURVES)
    lines = []
    for place, number in enumerate(numbers):
        alone = isolated(values[:, place])
        if few:
            colour, marker = look(place)
        else:
            colour, marker = colour_of(number, numbers[-1]), "o"
        lines += ax.plot(
            steps, values[:, place], color=colour, linewidth=1.4 if few else 0.9,
            marker=marker, markersize=4.5, label=f"layer {number}",
            markevery=[*range(0, len(steps) if few else 0, max(1, len(steps) // 8)), *alone],
        )  # fmt: skip
    if few:
        return lines
    if colorbar:
        colour_bar(ax, int(numbers[-1]))
    return []


def colour_bar(ax: Axes, depth: int, label: str = LAYER_AXIS) -> None:
    """Beside the axes, which colour is which layer."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    bar = ax.figure.colorbar(ScalarMappable(Normalize(1, depth), depth_colours()), ax=ax)
    write_label(ax, bar.ax.yaxis, label)
    bar.set_ticks(layer_numbers(depth))


def name_rows(ax: Axes, layers: Sequence[str], *, names: bool = True) -> None:
    """A y axis of layers, counted upwards from 1; up to 24 with their names."""
    if names and len(layers) <= MOST_NAMED:
        name_each_row(ax, range(1, len(layers) + 1), range(1, len(layers) + 1), layers)
    else:
        numbers = layer_numbers(len(layers))
        ticks_that_fit(ax.yaxis, numbers, [str(number) for number in numbers], PLAIN)
        write_label(ax, ax.yaxis, LAYER_AXIS)


def name_each_row(
    ax: Axes, places: Sequence[float], numbers: Sequence[int], names: Sequence[str]
) -> None:
    """A tick for each row that has room; with its name if the figure's layout makes some.

    Narrow axes keep the room for what is drawn.
    """
    labels = [str(number) for number in numbers]
    if makes_room(ax) and not is_narrow(ax):
        labels = [row_name(n, name) for n, name in zip(numbers, names, strict=True)]
    ticks_that_fit(ax.yaxis, places, labels, SMALL if len(labels) <= 12 else TINY)
    write_label(ax, ax.yaxis, LAYER_AXIS)


def row_name(number: int, name: str) -> str:
    """A layer's number and, if it is more than a number, its path; a long one without its middle.

    >>> row_name(3, "4"), row_name(1, "encoder.blocks.0.attention.projection")
    ('3', '1  encoder.b...rojection')
    """
    if len(name) > LONGEST:
        ends = LONGEST // 2 - 1
        name = f"{name[:ends]}...{name[-ends:]}"
    return str(number) if not name or name.isdigit() else f"{number}  {name}"
