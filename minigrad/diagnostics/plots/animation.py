"""The decay plot over training: as a film, in a GIF or an HTML page."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from minigrad.diagnostics.plots.runs import OneRun, Run, no_gradient, runs_of
from minigrad.diagnostics.plots.style import (
    DARK,
    grid,
    layer_ticks,
    legend,
    log10_of,
    look,
    nothing_finite,
    write_label,
)
from minigrad.errors import ArgumentError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

_SERIES = (("dz_rms", "-", 1.8), ("dw_rms", "--", 1.2))


def animate(
    data: OneRun | Mapping[str, OneRun],
    path: str | Path,
    *,
    fps: int = 8,
    most_frames: int = 100,
    size: tuple[float, float] = (6.4, 4.4),
) -> Path:
    """Write a film of how the gradient of every layer changes in training.

    Each frame is the decay plot of one recorded step: log10 of the rms of dL/dz (solid) and of
    dL/dW (dashed) over the layers, all on one scale; thin and grey, for comparison, dL/dz of the
    first. Of several seeds the mean is shown. Of runs that recorded other steps, each frame shows
    what was recorded last.

    Arguments:
        data: a recording (a Probe is one) or the path of a saved one; a list of these, seeds of
            one network; or a dict of such by name, to compare runs.
        path: where to write, ending in .gif, or in .html for a page with a player.
        fps: frames a second.
        most_frames: of more recorded steps, so many are shown, evenly spaced, the first and the
            last among them.
        size: width and height in inches, at 100 pixels each.

    Returns:
        The path.

    Raises:
        NothingToDraw: no gradient was recorded.
        ArgumentError: another suffix, a folder that does not exist, or numbers out of range.

    >>> import tempfile
    >>> from minigrad.diagnostics import Recording, plots
    >>> rec = Recording(["first", "second"])
    >>> for step in range(3):
    ...     rec.add(step, {"dz_rms": [0.1**step, 1.0]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     plots.animate(rec, folder + "/decay.gif").name
    'decay.gif'
    """
    path = Path(path)
    if path.suffix.lower() not in (".gif", ".html"):
        raise ArgumentError(f"plots.animate: {path} must end in .gif or .html")
    if not path.parent.is_dir():
        raise ArgumentError(f"plots.animate: there is no folder {path.parent}; make it first")
    for name, number in (("fps", fps), ("most_frames", most_frames)):
        if not isinstance(number, int | np.integer) or number < 1:
            raise ArgumentError(
                f"plots.animate: {name} must be a whole number of at least 1, got {number!r}"
            )
    from matplotlib.animation import FuncAnimation, PillowWriter
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    runs = runs_of("animate", data)
    if not any(run.places_with(name).size for run in runs.values() for name, _, _ in _SERIES):
        raise no_gradient("animate")
    # Not through pyplot: it would show the figure, or keep it.
    figure = Figure(figsize=size, dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    frames = DecayFrames(figure.add_subplot(), runs)
    steps = frames.steps(most_frames)
    frames.show(steps[-1])
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # from here on nothing is to move but the curves
    film = FuncAnimation(figure, frames.show, frames=steps, interval=1000 // fps)
    if path.suffix.lower() == ".gif":
        film.save(path, writer=PillowWriter(fps=fps))
    else:
        path.write_text(film.to_jshtml(fps=fps), encoding="utf-8")
    return path


class DecayFrames:
    """The decay plot of recordings, of which one step after another can be shown.

    Arguments:
        ax: where to draw.
        runs: by label.
    """

    def __init__(self, ax: Axes, runs: Mapping[str, Run]) -> None:
        self.ax, self.runs = ax, runs
        self.losses = {label: run.loss().mean(axis=0) for label, run in runs.items()}
        self.curves = {
            (label, name): _Curve(run, name)
            for label, run in runs.items()
            for name, _, _ in _SERIES
        }
        self.lines: dict[tuple[str, str], Any] = {}
        for place, (label, run) in enumerate(runs.items()):
            self._add_lines(label, *look(place), every=max(1, len(run.layers) // 8))
        layer_ticks(ax, max(len(run.layers) for run in runs.values()))
        write_label(ax, ax.yaxis, "log10 of the rms gradient")
        grid(ax)
        ax.set_ylim(*_limits([curve.sizes for curve in self.curves.values()]))
        if not any(np.isfinite(curve.sizes).any() for curve in self.curves.values()):
            nothing_finite(ax)
        legend(ax, self._handles())

    def _add_lines(self, label: str, colour: str, marker: str, every: int) -> None:
        first = self.curves[label, "dz_rms"].at(0)
        self.ax.plot(*first, "-", color="0.6", linewidth=0.8, label="_first")
        for name, line, width in _SERIES:
            (self.lines[label, name],) = self.ax.plot(
                [], [], line, color=colour, marker=marker, markersize=4.5, linewidth=width,
                markerfacecolor=colour if line == "-" else "white", markevery=every,
                label=f"{label}, {name}" if label else name,
            )  # fmt: skip

    def _handles(self) -> list[Any]:
        from matplotlib.lines import Line2D

        looks: list[tuple[str, dict[str, Any]]] = [
            ("dL/dz", {"color": DARK, "linewidth": 1.8}),
            ("dL/dW", {"color": DARK, "linewidth": 1.2, "linestyle": "--"}),
            ("dL/dz, first step", {"color": "0.6", "linewidth": 0.8}),
        ]
        for place, label in enumerate(self.runs):
            colour, marker = look(place)
            if label:
                looks.append((label, {"color": colour, "marker": marker, "markersize": 4.5}))
        return [Line2D([], [], label=label, **how) for label, how in looks]

    def steps(self, most: int) -> list[int]:
        """The steps to show: of all that were recorded at most so many, evenly spaced."""
        recorded = sorted({step for run in self.runs.values() for step in run.steps})
        places = np.linspace(0, len(recorded) - 1, min(most, len(recorded)))
        return [recorded[round(place)] for place in places]

    def show(self, step: int) -> None:
        """Draw what was recorded last up to `step`."""
        losses = []
        for label, run in self.runs.items():
            place = bisect_right(run.steps, step) - 1
            if place < 0:
                continue
            for name, _, _ in _SERIES:
                self.lines[label, name].set_data(*self.curves[label, name].at(place))
            loss = float(self.losses[label][place])
            if not np.isnan(loss):
                losses.append(f"loss {loss:.3g}" + (f" ({label})" if label else ""))
        self.ax.set_title(", ".join([f"step {step}", *losses]), fontsize="medium")


class _Curve:
    """log10 of a series, over records and layers; and where anything arrived."""

    def __init__(self, run: Run, name: str) -> None:
        self.sizes = log10_of(run.mean(name))
        self.arrived = run.arrived(name)

    def at(self, place: int) -> tuple[Floats, Floats]:
        """Numbers of the layers, from 1, and their sizes, at one record."""
        there = self.arrived[place]
        numbers = np.arange(1, there.size + 1, dtype=np.float64)
        return numbers[there], self.sizes[place][there]


def _limits(sizes: list[Floats]) -> tuple[float, float]:
    """From where to where all frames reach, with some room."""
    every = np.concatenate([values[np.isfinite(values)] for values in sizes])
    if not every.size:
        return -1.0, 1.0
    room = max(0.3, 0.05 * float(np.ptp(every)))
    return float(every.min()) - room, float(every.max()) + room
