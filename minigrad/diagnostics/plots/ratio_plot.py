"""The ratio plot: how large each layer's updates are against its weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from minigrad.diagnostics.plots.layer_lines import layer_lines
from minigrad.diagnostics.plots.quantities import in_words, scaled
from minigrad.diagnostics.plots.runs import NothingToDraw, OneRun, Run
from minigrad.diagnostics.plots.style import (
    DARK,
    axes_or_current,
    grid,
    legend,
    nothing_finite,
    ranges,
    step_axis,
    told,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RULE = -3.0


def update_ratio(data: OneRun, *, ax: Axes | None = None, colorbar: bool = True) -> Axes:
    """Draw log10 of the update-to-weight ratio of every layer over the steps.

    The ratio is rms(W after - W before) / rms(W before) of one step of the optimizer. The line
    at -3 is a rule of thumb: far below it a layer hardly learns, far above it its weights are
    thrown about. Layers run from dark (nearest the input) to light. Layers whose ratio is 0 or no
    number have no place on the axis and are named in the legend.

    Arguments:
        data: a recording with an optimizer, the path of a saved one, or a list of these (seeds of
            one network, whose mean is drawn).
        ax: where to draw; by default the current axes.
        colorbar: beside more than six layers, show which colour is which layer.

    Raises:
        NothingToDraw: no update was recorded.
        ArgumentError: something else than recordings.

    Source of the rule: Karpathy, CS231n (2016), Neural networks part 3, "Ratio of weights:updates".

    >>> from minigrad.diagnostics import Recording, plots
    >>> run = Recording(["first", "second"])
    >>> run.add(0, {"update_ratio": [1e-3, 1e-2]})
    >>> plots.update_ratio(run).get_ylabel()
    'log10 of update / weight'
    """
    run = Run("update_ratio", data)
    places, there = run.places_with("update_ratio"), run.arrived("update_ratio").any(axis=0)
    if not places.size:
        raise NothingToDraw(
            "plots.update_ratio: no update was recorded; give the probe the optimizer, "
            "Probe(model, optimizer), and step it inside `with probe:`"
        )
    ax = axes_or_current(ax)
    ratios = run.mean("update_ratio")[places][:, there]
    steps, numbers = [run.steps[place] for place in places], np.flatnonzero(there) + 1
    logs = scaled("update_ratio", ratios)
    handles = layer_lines(ax, steps, logs, numbers, colorbar=colorbar)
    rule = ax.axhline(RULE, color=DARK, linestyle="--", linewidth=1.2, label="-3: rule of thumb")
    step_axis(ax, steps)
    ax.set_ylabel(in_words("update_ratio"))
    grid(ax)
    arrived = run.arrived("update_ratio")[places][:, there]
    off_the_axis = {"ratio 0": ratios == 0, "no number": ~np.isfinite(ratios) & arrived}
    nothing_finite(ax)
    legend(ax, [*handles, rule, *map(told, _in_words(off_the_axis, numbers))], inside=False)
    return ax


def _in_words(found: Mapping[str, NDArray[np.bool_]], numbers: NDArray[np.int64]) -> list[str]:
    """In which layers something was found at all steps, or at times."""
    lines = []
    for what, where in found.items():
        always, sometimes = where.all(axis=0), where.any(axis=0)
        for when, which in (("", always), (" at times", sometimes & ~always)):
            if which.any():
                lines.append(f"{what}{when}: {ranges(numbers[which])}")
    return lines
