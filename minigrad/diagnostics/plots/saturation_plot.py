"""The saturation plot: how much of each layer passes on no gradient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from minigrad.diagnostics.plots.bands import (
    Band,
    band_handle,
    curve_handles,
    draw_band,
    line_handles,
)
from minigrad.diagnostics.plots.runs import NothingToDraw, OneRun, Run, runs_of
from minigrad.diagnostics.plots.style import axes_or_current, grid, layer_ticks, legend, step_axis
from minigrad.errors import ArgumentError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KINDS = {"saturated": "-", "dead": "--"}
_WORDS = {"saturated": "saturated elements", "dead": "dead units"}


def saturation(
    data: OneRun | Mapping[str, OneRun],
    *,
    over: str = "layers",
    step: int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the shares of saturated elements (solid) and of dead units (dashed).

    Over the layers, at one step, with a band from the smallest to the largest seed; or over the
    steps, as the mean over all layers, with a band from the least to the most of a layer. Which
    layer it is at which step, `heatmap(data, "saturated")` shows. Layers without an activation,
    and those whose activation cannot saturate, are left out.

    Arguments:
        data: a recording, the path of a saved one, or a list of these (seeds of one network); or
            several of these by name.
        over: "layers" or "steps".
        step: which to show over layers; by default the last at which they were measured.
        ax: where to draw; by default the current axes.

    Raises:
        NothingToDraw: neither was recorded.
        ArgumentError: something else than recordings, or no such step.

    >>> from minigrad.diagnostics import Recording, plots
    >>> run = Recording(["first", "second"])
    >>> run.add(0, {"saturated": [0.75, 0.5]})
    >>> plots.saturation(run).lines[-1].get_ydata()
    array([0.75, 0.5 ])
    """
    runs = runs_of("saturation", data)
    if over not in ("layers", "steps"):
        raise ArgumentError(f"plots.saturation: over must be 'layers' or 'steps', got {over!r}")
    found = {
        label: {kind: _over_steps(run, kind) if over == "steps" else run.over_layers(kind, step)
                for kind in KINDS}
        for label, run in runs.items()
    }  # fmt: skip
    shown = [kind for kind in KINDS if any(bands[kind].x.size for bands in found.values())]
    if not shown:
        raise NothingToDraw(
            "plots.saturation: no saturated share and no dead units were recorded; these are "
            "measured at activations such as nn.Tanh and nn.ReLU"
        )
    ax = axes_or_current(ax)
    for place, (label, bands) in enumerate(found.items()):
        for kind in shown:
            draw_band(ax, bands[kind], place, KINDS[kind], f"{label}, {kind}".lstrip(", "))
    if over == "layers":
        layer_ticks(ax, max(len(run.layers) for run in runs.values()))
        around = "range over seeds" if any(run.seeds > 1 for run in runs.values()) else ""
    else:
        step_axis(ax, sorted({step for run in runs.values() for step in run.steps}))
        around = "range over layers"
    ax.set(ylim=(-0.03, 1.03), ylabel="share")
    grid(ax)
    handles = [*curve_handles(list(runs)), *line_handles({_WORDS[k]: KINDS[k] for k in shown})]
    legend(ax, [*handles, band_handle(around)] if around else handles)
    return ax


def _over_steps(run: Run, kind: str) -> Band:
    """Over the layers that have it, of the mean over seeds; steps without any are left out."""
    shares = run.mean(kind)
    places = np.flatnonzero(~np.isnan(shares).all(axis=1))
    steps = np.array(run.steps, dtype=np.float64)[places]
    of_steps = (f(shares[places], axis=1) for f in (np.nanmean, np.nanmin, np.nanmax))
    return Band(steps, *of_steps) if places.size else Band(steps, steps, steps, steps)
