"""The look that all house figures share: colours, markers, lines, legends.

Colours are those of Okabe & Ito, which colour-blind readers tell apart; markers do the same in
grey print.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from minigrad.errors import ArgumentError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Neighbours differ in lightness as well as in hue.
CURVES = (
    ("#0072B2", "o"), ("#E69F00", "s"), ("#009E73", "^"), ("#CC79A7", "D"), ("#D55E00", "v"),
    ("#56B4E9", "P"),
)  # fmt: skip
DARK = "#222222"
DOTS = (0, (1, 2.5))  # far enough apart that the measured line shows between them

NARROW = 180.0  # points
_COMPACT: dict[str, Any] = {
    "fontsize": "x-small", "handlelength": 1.4, "handletextpad": 0.4, "columnspacing": 0.8,
    "labelspacing": 0.3,
}  # fmt: skip

LAYER_AXIS = "layer (1 = nearest the input)"


def look(place: int) -> tuple[str, str]:
    """Colour and marker of a curve; after six curves the colours return with other markers."""
    turn, k = divmod(place, len(CURVES))
    return CURVES[k][0], CURVES[(k + turn) % len(CURVES)][1]


def darker(colour: str) -> str:
    """The colour of a curve for dots on it: they show on the line, and still say whose they are."""
    from matplotlib.colors import to_hex, to_rgb

    red, green, blue = to_rgb(colour)
    return to_hex((0.5 * red, 0.5 * green, 0.5 * blue))


def axes_or_current(ax: Axes | None) -> Axes:
    """`ax`, or without one the current axes; a figure made for them has room for a legend."""
    import matplotlib.pyplot as plt

    if ax is None and not plt.get_fignums():
        plt.figure(layout="constrained")
    return plt.gca() if ax is None else checked_axes(ax)


def checked_axes(ax: Any) -> Axes:
    """`ax`, if it is that.

    Raises:
        ArgumentError: a figure, several axes, or something else.
    """
    from matplotlib.axes import Axes

    if isinstance(ax, Axes):
        return ax
    got, cure = f"a {type(ax).__name__}", "leave it out to draw in the current ones"
    if isinstance(ax, np.ndarray | list | tuple):
        got, cure = f"{np.size(ax)} of them", "pick one, such as axes.flat[0]"
    elif hasattr(ax, "add_subplot"):
        cure = "take some of it, ax=figure.add_subplot()"
    raise ArgumentError(f"plots: ax must be one Axes of Matplotlib, got {got}; {cure}")


def log10_of(values: Sequence[float | None] | NDArray[np.float64]) -> NDArray[np.float64]:
    """log10, and NaN where there is no place on such an axis: for 0, negatives, NaN, infinity.

    >>> log10_of([100.0, 0.0, None]).tolist()
    [2.0, nan, nan]
    """
    array = np.array(values, dtype=np.float64)
    usable = np.isfinite(array) & (array > 0)
    return np.log10(array, out=np.full(array.shape, np.nan), where=usable)


def grid(ax: Axes) -> None:
    """The thin grid behind the curves."""
    ax.grid(alpha=0.25, linewidth=0.6)


def layer_numbers(depth: int) -> list[int]:
    """Where an axis of layers 1 to depth has its ticks; there is no layer 0.

    >>> layer_numbers(50)
    [1, 10, 20, 30, 40, 50]
    """
    from matplotlib.ticker import MaxNLocator

    ticks = MaxNLocator(6, integer=True).tick_values(1, depth)
    return [1, *(int(tick) for tick in ticks if 1 < tick <= depth)]


def ticks_that_fit(axis: Any, places: Sequence[float], labels: Sequence[str], size: float) -> None:
    """Ticks with labels, of which so many are left out that none lies over the next.

    How much room there is, is known when the figure is drawn: a layout may still move the axes.

    Arguments:
        axis: `ax.xaxis` or `ax.yaxis`.
        places, labels: from the first on every k-th is shown.
        size: of the letters, in points.
    """
    from matplotlib.ticker import FixedLocator, FuncFormatter

    names = dict(zip((float(place) for place in places), labels, strict=True))
    across = axis.axis_name == "x"
    needed = (0.65 * max(map(len, labels), default=1) + 0.6 if across else 1.25) * size

    class Fitting(FixedLocator):  # within, as Matplotlib is loaded only now
        def __call__(self) -> Any:
            box, dpi = axis.axes.bbox, axis.axes.figure.dpi
            low, high = sorted(axis.get_view_interval())
            room = (box.width if across else box.height) * 72 / dpi / max(high - low, 1e-9)
            gap = min((abs(b - a) for a, b in pairwise(places)), default=1.0)
            return np.array(places, dtype=np.float64)[
                :: max(1, math.ceil(needed / max(room * gap, 1e-9)))
            ]

    axis.set_major_locator(Fitting(places))
    axis.set_major_formatter(FuncFormatter(lambda place, _: names.get(float(place), "")))
    axis.set_tick_params(labelsize=size)


def ranked_ticks(axis: Any, places: Sequence[float], labels: Sequence[str], needed: float) -> None:
    """Ticks along x, the most important first: each that keeps so far from all before it.

    Arguments:
        axis: `ax.xaxis`.
        places, labels: in the order of their importance.
        needed: from the middle of one label to the next, in points.
    """
    from matplotlib.ticker import FixedLocator, FuncFormatter

    names = dict(zip(places, labels, strict=True))

    class Ranked(FixedLocator):  # within, as Matplotlib is loaded only now
        def __call__(self) -> Any:
            low, high = sorted(axis.get_view_interval())
            gap = needed / max(width_in_points(axis.axes), 1e-9) * (high - low)
            kept: list[float] = []
            for place in places:
                if low <= place <= high and all(abs(place - other) >= gap for other in kept):
                    kept.append(place)
            return np.array(sorted(kept))

    axis.set_major_locator(Ranked(places))
    axis.set_major_formatter(FuncFormatter(lambda place, _: names.get(place, "")))


def whole_numbers_that_fit(axis: Any, longest: int) -> None:
    """Ticks along x at round whole numbers of up to so many digits, six or as many as fit."""
    from matplotlib.ticker import MaxNLocator

    class Fitting(MaxNLocator):  # within, as Matplotlib is loaded only now
        def __call__(self) -> Any:
            room = width_in_points(axis.axes) / (10.0 * (0.65 * longest + 0.6))
            self.set_params(nbins=int(min(6, max(1, room))))
            return super().__call__()

    axis.set_major_locator(Fitting(6, integer=True))


def width_in_points(ax: Axes) -> float:
    """How wide axes are; a layout may still change it."""
    return float(ax.bbox.width * 72 / ax.figure.dpi)


def is_narrow(ax: Axes) -> bool:
    """Whether legends, and names of layers, would take most of the room."""
    return width_in_points(ax) < NARROW


def write_label(ax: Axes, axis: Any, text: str) -> None:
    """Label an axis, in as many lines as it takes to be no longer than the axes.

    They become somewhat smaller yet, when the layout makes room for what is around them.

    Arguments:
        ax: the axes.
        axis: one of theirs, or of a colour bar beside them.
        text: the label.
    """
    room = width_in_points(ax) if axis.axis_name == "x" else ax.bbox.height * 72 / ax.figure.dpi
    how: dict[str, Any] = {"fontsize": "small"} if is_narrow(ax) else {}
    letter = 4.3 if how else 5.2
    axis.set_label_text(
        textwrap.fill(
            text, max(8, int(room / letter) - 3), break_long_words=False, break_on_hyphens=False
        ),
        **how,
    )
    if how and axis.axes is not ax:
        axis.set_tick_params(labelsize="small")


def nothing_finite(ax: Axes) -> bool:
    """Where no curve holds a finite number, say so, and show no ticks that nothing stands for."""
    for line in ax.lines:
        if line.get_transform() == ax.transData and np.isfinite(line.get_ydata(orig=False)).any():
            return False
    ax.tick_params(axis="y", left=False, labelleft=False)
    ax.text(0.5, 0.5, "no finite\nnumber above 0", transform=ax.transAxes, ha="center",
            va="center", fontsize="small", color=DARK, zorder=5,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 2.0})  # fmt: skip
    return True


def layer_ticks(ax: Axes, depth: int) -> None:
    """Ticks and label of an x axis of layers 1 to depth, which it shows all."""
    counting_axis(ax, depth, LAYER_AXIS)


def counting_axis(ax: Axes, last: int, label: str) -> None:
    """An x axis that counts from 1 and reaches over all, also where a curve ends before."""
    ax.update_datalim([(1, 0), (last, 0)], updatey=False)
    ax.autoscale_view()
    numbers = layer_numbers(last)
    ticks_that_fit(ax.xaxis, numbers, [str(number) for number in numbers], 10.0)
    write_label(ax, ax.xaxis, label)


def step_axis(ax: Axes, steps: Sequence[float], unit: str = "step") -> None:
    """Label and ticks of an x axis of training steps; few have a tick each, as far as they fit.

    It reaches over all of them, also where a curve ends before.
    """
    ax.update_datalim([(min(steps), 0), (max(steps), 0)], updatey=False)
    ax.autoscale_view()
    span = max(steps) - min(steps)
    labels = [f"{step:.10g}" for step in steps]
    if len(steps) <= 6 and all(b - a >= span / 12 for a, b in pairwise(sorted(steps))):
        ticks_that_fit(ax.xaxis, steps, labels, 10.0)
    else:
        whole_numbers_that_fit(ax.xaxis, max(map(len, labels)))
    ax.set_xlabel(unit)


def isolated(values: NDArray[np.float64]) -> list[int]:
    """Places of numbers with NaN on both sides: a line between neighbours does not show them.

    >>> isolated(np.array([1.0, np.nan, 2.0, 3.0]))
    [0]
    """
    there = np.pad(~np.isnan(values), 1)
    return [int(i) for i in np.flatnonzero(there[1:-1] & ~there[:-2] & ~there[2:])]


def told(text: str) -> Any:
    """A line of a legend that is nothing but words, for what curves cannot show."""
    from matplotlib.lines import Line2D

    return Line2D([], [], linestyle="none", label=textwrap.fill(text, 48))


def ranges(numbers: Iterable[int]) -> str:
    """Numbers of layers in words.

    >>> ranges([1, 2, 3, 7]), ranges([4])
    ('layers 1-3, 7', 'layer 4')
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    told = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)
    return f"layer{'' if told.isdigit() else 's'} {told}"


def makes_room(ax: Axes) -> bool:
    """Whether the figure's layout makes room for what is beside the axes."""
    return ax.figure.get_layout_engine() is not None


def legend(ax: Axes, handles: Sequence[Any], *, inside: bool = True) -> None:
    """A legend below the axes if the figure makes room there; else inside, or above them."""
    if not handles:
        return
    if inside and not makes_room(ax):
        how = _COMPACT if is_narrow(ax) else {"fontsize": "small"}
        ax.legend(handles=handles, loc="best", framealpha=0.8, **how)
        return
    where: dict[str, Any] = {"loc": "lower right", "bbox_to_anchor": (1, 1)}
    if makes_room(ax):
        # Below the label of the axis; the distance counts in letters of the legend.
        where = {"loc": "upper center", "bbox_to_anchor": (0.5, 0), "handleheight": 1.2,
                 "borderaxespad": 4.5}  # fmt: skip
    looks: list[tuple[int, dict[str, Any]]] = [(4, {}), (3, {}), (2, {}), (1, {})]
    if is_narrow(ax) and len(handles) > 1:
        compact = {**_COMPACT, "borderaxespad": where.get("borderaxespad", 0.5) * 1.2}
        looks[3:] = [(3, compact), (2, compact), (1, compact)]
    for ncols, how in looks:
        found = ax.legend(
            handles=handles, ncols=ncols, frameon=False, **{"fontsize": "small", **where, **how}
        )
        if found.get_window_extent().width <= ax.bbox.width or (ncols, how) == looks[-1]:
            return


def legend_below(figure: Figure, handles: list[Any]) -> None:
    """A legend below all panels, in as many columns as the figure is wide enough for."""
    for ncols in (5, 4, 3, 2, 1):
        legend = figure.legend(
            handles=handles, loc="outside lower center", ncols=ncols, frameon=False,
            fontsize="small",
        )  # fmt: skip
        if legend.get_window_extent().width <= figure.bbox.width or ncols == 1:
            return
        legend.remove()
