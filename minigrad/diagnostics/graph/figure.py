"""The graph as a figure. Only `draw_graph` loads this file: it needs Matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.textpath import text_to_path

from minigrad.diagnostics.graph.boxes import Box, Graph
from minigrad.diagnostics.graph.layout import Point, Size, arrange
from minigrad.diagnostics.plots.style import DARK, checked_axes

FONT_SIZE = 10.0  # in points, like all lengths, while the figure is as large as the graph
LINE_HEIGHT = 14.0
PADDING = 7.0
MARGIN = 10.0  # around the whole
BEHIND = 4.0  # how far the second box of a pile sticks out

# Operations are round and blue, leaves square and sand-coloured: told apart in grey, too.
_STYLE = {
    "op": ("round,pad=0,rounding_size=9", "#DCEBF7", "#0072B2"),
    "block": ("round,pad=0,rounding_size=9", "#DCEBF7", "#0072B2"),
    "leaf": ("square,pad=0", "#FDF3DC", "#8A6000"),
}


def draw(graph: Graph, ax: Axes | None) -> Axes:
    """Draw boxes and arrows; see `draw_graph`."""
    layout = arrange([_size(box) for box in graph.boxes], graph.arrows)
    width, height = layout.width + 2 * MARGIN, layout.height + 2 * MARGIN
    if ax is None:
        figure = plt.figure(figsize=(width / 72, height / 72))
        ax = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    ax = checked_axes(ax)
    ax.set(xlim=(-MARGIN, width - MARGIN), ylim=(height - MARGIN, -MARGIN), aspect="equal")
    ax.set_axis_off()
    for (x, y), box in zip(layout.centres, graph.boxes, strict=True):
        _draw_box(ax, x, y, box)
    for route in layout.routes:
        ax.add_patch(_arrow(route))
    return ax


def _size(box: Box) -> Size:
    font = FontProperties(size=FONT_SIZE)
    widths = [text_to_path.get_text_width_height_descent(t, font, False)[0] for t in box.lines]
    return max(widths) + 2 * PADDING, LINE_HEIGHT * len(box.lines) + 2 * PADDING


def _draw_box(ax: Axes, x: float, y: float, box: Box) -> None:
    shape, face, edge = _STYLE[box.kind]
    width, height = _size(box)
    left, top = x - width / 2, y - height / 2
    line = 2.2 if box.is_output else 1.0
    for shift in (BEHIND, 0.0) if box.times > 1 else (0.0,):
        ax.add_patch(
            FancyBboxPatch(
                (left + shift, top + shift), width, height, boxstyle=shape, facecolor=face,
                edgecolor=edge, linewidth=line, mutation_aspect=1, zorder=2,
            )
        )  # fmt: skip
    for k, text in enumerate(box.lines):
        ax.add_artist(_Label(x, top + PADDING + LINE_HEIGHT * (k + 0.5), text, k < len(box.title)))


class _Label(Text):
    """Text that keeps its place in its box: it grows and shrinks with the axes."""

    def __init__(self, x: float, y: float, text: str, is_title: bool) -> None:
        # parse_math: a dollar sign in a name is a dollar sign.
        super().__init__(
            x, y, text, ha="center", va="center_baseline", parse_math=False, zorder=3,
            color=DARK if is_title else "0.35", fontsize=FONT_SIZE,
        )  # fmt: skip
        self.set_in_layout(False)

    def draw(self, renderer: Any) -> None:
        assert self.axes is not None
        upper, lower = self.axes.transData.transform([(0.0, 0.0), (0.0, FONT_SIZE)])[:, 1]
        self.set_fontsize((upper - lower) / renderer.points_to_pixels(1.0))
        super().draw(renderer)


def _arrow(route: Sequence[Point]) -> FancyArrowPatch:
    """A curve through the points, upright in each of them."""
    points, codes = [route[0]], [Path.MOVETO]
    for (x0, y0), (x1, y1) in pairwise(route):
        bend = (y1 - y0) / 2
        points += [(x0, y0 + bend), (x1, y1 - bend), (x1, y1)]
        codes += [Path.CURVE4] * 3
    return FancyArrowPatch(
        path=Path(points, codes), arrowstyle="-|>", mutation_scale=8, shrinkA=0, shrinkB=0,
        color="0.3", linewidth=0.9, zorder=1,
    )  # fmt: skip
