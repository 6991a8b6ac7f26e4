"""The dashboard: one figure that tells what happened in a run, or in several side by side."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from minigrad.diagnostics.arguments import is_number
from minigrad.diagnostics.plots.bands import FLOAT
from minigrad.diagnostics.plots.decay_plot import curve_of, draw_curves
from minigrad.diagnostics.plots.heat_map import heatmap
from minigrad.diagnostics.plots.loss_plot import loss_curves
from minigrad.diagnostics.plots.ratio_plot import update_ratio
from minigrad.diagnostics.plots.runs import NothingToDraw, OneRun, Run
from minigrad.diagnostics.plots.saturation_plot import saturation
from minigrad.diagnostics.plots.sharing import Values, limit, shared_limits
from minigrad.diagnostics.plots.style import DARK, log10_of
from minigrad.errors import ArgumentError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# What one run is laid out as, by the least width in inches that it takes.
LAYOUTS = {
    10.0: (("loss", "decay"), ("heat", "ratio", "shares")),
    7.0: (("loss", "decay"), ("heat", "ratio"), ("shares",)),
    0.0: (("loss",), ("decay",), ("heat",), ("ratio",), ("shares",)),
}
PANELS = ("loss", "decay", "heat", "ratio", "shares")
SHARED = ("loss", "decay", "ratio")  # have the same scale in all runs
WIDE = 50.0  # times the smallest: losses that spread further are drawn on a logarithmic axis

ROW, COLUMN = 3.5, 4.0  # inches
NARROWEST = 3.0  # inches that a run takes at least
ABREAST = 4  # runs side by side; more are wider than a screen


def dashboard(
    data: OneRun | Sequence[OneRun] | Mapping[str, OneRun], *, width: float | None = None
) -> Figure:
    """One figure of a run: loss, gradients, updates, dead and saturated units.

    The panels are `loss_curves`; `decay` at the first and the last step; `heatmap` of dL/dz;
    `update_ratio`; `saturation` at the last step. Several runs stand side by side, at most four in
    a row, on the same scales. A run that diverged does not stretch these beyond what the others
    need; arrows and hatches mark what lies outside. A panel for which nothing was recorded says so.

    Arguments:
        data: a recording or the path of a saved one; or a list of runs, called by the "name" in
            their `meta`; or a dict of runs by name. In a list or dict a run may itself be a list:
            seeds of one network.
        width: of the figure, in inches; by default 12, and 4 for each of several runs in a row.
            There are as many columns as fit.

    Raises:
        NothingToDraw: in no run anything was recorded.
        ArgumentError: something else than recordings, or a width that is not above 0.

    >>> from minigrad.diagnostics import Recording, plots
    >>> run = Recording(["first", "second"])
    >>> run.add(0, {"dz_rms": [1e-3, 1.0]}, loss=2.3)
    >>> plots.dashboard(run).get_suptitle()
    '2 layers, 1 record'
    """
    import matplotlib.pyplot as plt

    if width is not None and not (is_number(width) and width > 0):
        raise ArgumentError(f"plots.dashboard: width must be above 0 inches, got {width!r}")
    runs = _runs(data)
    drawable = [run for run in runs.values() if isinstance(run, Run)]
    figure, columns = _laid_out(len(runs), width)
    common = _Common.of(drawable)
    drawn = 0
    for axes, (label, run) in zip(columns, runs.items(), strict=True):
        for panel, ax in axes.items():
            if panel in SHARED and ax is not columns[0][panel]:
                ax.sharey(columns[0][panel])
            drawn += _draw(ax, panel, run, common)
        _head(figure, next(iter(axes.values())), label, run, alone=len(runs) == 1)
    for axes in columns:
        for panel, limits in common.limits.items():
            limit(axes[panel], limits)
    if not drawn:
        plt.close(figure)
        raise NothingToDraw(
            "plots.dashboard: nothing was recorded; run forward and backward inside `with probe:`"
        )
    return figure


def _runs(data: Any) -> dict[str, Run | NothingToDraw]:
    """By label; in the place of a run without a record, the reason why it cannot be drawn."""
    if isinstance(data, Mapping):
        given = [(str(label), run) for label, run in data.items()]
    else:
        listed = data if isinstance(data, Sequence) and not isinstance(data, str) else [data]
        given = [("", run) for run in listed]
    if not given:
        raise ArgumentError("plots.dashboard: no runs to draw; pass a Recording or several")
    runs: dict[str, Run | NothingToDraw] = {}
    for number, (label, one) in enumerate(given, start=1):
        try:
            run: Run | NothingToDraw = Run("dashboard", one)
        except NothingToDraw as reason:
            run = reason
        name = label or (run.name if isinstance(run, Run) else "")
        name = name or (f"run {number}" if len(given) > 1 else "")
        runs[f"{name} ({number})" if name in runs else name] = run
    return runs


def _laid_out(runs: int, width: float | None) -> tuple[Figure, list[dict[str, Axes]]]:
    """A figure, and per run its axes by panel."""
    return _one(width or 12.0) if runs == 1 else _several(runs, width)


def _one(width: float) -> tuple[Figure, list[dict[str, Axes]]]:
    import matplotlib.pyplot as plt

    layout = next(layout for least, layout in LAYOUTS.items() if width >= least)
    figure = plt.figure(figsize=(width, ROW * len(layout) + 0.4), layout="constrained")
    # Rows of their own: a colour bar in one is no gap in the others.
    rows = figure.subfigures(len(layout), 1, squeeze=False)[:, 0]
    axes: dict[str, Axes] = {}
    for names, row in zip(layout, rows, strict=True):
        axes.update(zip(names, row.subplots(1, len(names), squeeze=False)[0], strict=True))
    return figure, [axes]


def _several(runs: int, width: float | None) -> tuple[Figure, list[dict[str, Axes]]]:
    """A column of panels for each, side by side and in as many rows as that takes."""
    import matplotlib.pyplot as plt

    most = ABREAST if width is None else max(1, int(width / NARROWEST))
    rows = math.ceil(runs / most)
    abreast = math.ceil(runs / rows)
    size = width or COLUMN * abreast, ROW * len(PANELS) * rows
    figure = plt.figure(figsize=size, layout="constrained")
    # One grid: axes that share a scale across subfigures draw the whole figure at each change.
    grid = figure.subplots(len(PANELS) * rows, abreast, squeeze=False)
    columns: list[dict[str, Axes]] = []
    for number in range(rows * abreast):
        row, place = divmod(number, abreast)
        column = grid[row * len(PANELS) : (row + 1) * len(PANELS), place]
        if number < runs:
            columns.append(dict(zip(PANELS, column, strict=True)))
        else:
            for ax in column:
                ax.remove()
    return figure, columns


class _Common(NamedTuple):
    """What the panels of all runs have in common.

    Attributes:
        log: whether losses are drawn on a logarithmic axis.
        limits: by panel the ends of its y axis, where not all that there is is shown.
        vmin, vmax: ends of the colour scale of the heat maps.
    """

    log: bool
    limits: dict[str, tuple[float, float]]
    vmin: float | None
    vmax: float | None

    @classmethod
    def of(cls, runs: Sequence[Run]) -> _Common:
        steady = [run for run in runs if run.diverged is None] or runs
        losses = _finite([run.loss() for run in steady])
        log = bool(losses.size and losses.min() > 0 and losses.max() > WIDE * losses.min())
        shared = {
            "loss": shared_limits(_values(runs, [Run.loss]), log=log),
            "decay": shared_limits(_values(runs, [_ends_of("dz_rms"), _ends_of("dw_rms")])),
            "ratio": shared_limits(_values(runs, [_log10_of_mean("update_ratio")])),
        }
        gradients = _values(runs, [_log10_of_mean("dz_rms")])
        found = shared_limits(gradients)
        finite = _finite([run.numbers for run in gradients])
        if found is None and finite.size:
            found = float(finite.min()), float(finite.max())
        limits = {panel: ends for panel, ends in shared.items() if ends is not None}
        return cls(log, limits, *(found or (None, None)))


def _values(runs: Sequence[Run], what: Sequence[Callable[[Run], FLOAT]]) -> list[Values]:
    """What each run shows of some quantities."""
    return [
        Values(np.concatenate([of(run).ravel() for of in what]), run.diverged is not None)
        for run in runs
    ]


def _log10_of_mean(series: str) -> Callable[[Run], FLOAT]:
    return lambda run: log10_of(run.mean(series))


def _ends_of(series: str) -> Callable[[Run], FLOAT]:
    """log10 at the steps that the decay panel shows."""
    return lambda run: log10_of(run.series(series)[:, [run.place(step) for step in _ends(run)]])


def _ends(run: Run) -> list[int]:
    """The first and the last step with a gradient."""
    places = run.places_with("dz_rms")
    return list(dict.fromkeys(run.steps[place] for place in [*places[:1], *places[-1:]]))


def _finite(arrays: Sequence[FLOAT]) -> FLOAT:
    return np.concatenate([np.empty(0), *(array[np.isfinite(array)] for array in arrays)])


def _draw(ax: Axes, panel: str, run: Run | NothingToDraw, common: _Common) -> bool:
    """Draw one panel; or say in its place why there is nothing to draw, and return False."""
    reason = run
    if isinstance(run, Run):
        try:
            _DRAW[panel](ax, run, common)
            return True
        except NothingToDraw as nothing:
            reason = nothing
    ax.set(xticks=[])
    ax.tick_params(left=False, labelleft=False)
    told = str(reason).partition(": ")[2]
    ax.text(0.5, 0.5, textwrap.fill(told, 34), transform=ax.transAxes, ha="center", va="center",
            fontsize="small", color=DARK)  # fmt: skip
    return False


def _draw_loss(ax: Axes, run: Run, common: _Common) -> None:
    loss_curves(run.recordings, ax=ax, log=common.log)


def _draw_decay(ax: Axes, run: Run, common: _Common) -> None:
    steps = _ends(run)
    if not steps:
        raise NothingToDraw("plots.decay: no dL/dz was recorded; call backward() in the block")
    draw_curves(ax, [curve_of(run, f"step {step}", step) for step in steps])


def _draw_heat(ax: Axes, run: Run, common: _Common) -> None:
    heatmap(run.recordings, ax=ax, vmin=common.vmin, vmax=common.vmax, names=False)


def _draw_ratio(ax: Axes, run: Run, common: _Common) -> None:
    update_ratio(run.recordings, ax=ax)


def _draw_shares(ax: Axes, run: Run, common: _Common) -> None:
    saturation({"": run.recordings}, ax=ax)
    last = max(place for kind in ("saturated", "dead") for place in run.places_with(kind))
    ax.set_title(f"step {run.steps[last]}", fontsize="small")


_DRAW: dict[str, Callable[[Axes, Run, _Common], None]] = {
    "loss": _draw_loss, "decay": _draw_decay, "heat": _draw_heat, "ratio": _draw_ratio,
    "shares": _draw_shares,
}  # fmt: skip


def _head(figure: Figure, ax: Axes, label: str, run: Run | NothingToDraw, *, alone: bool) -> None:
    """Name a run: above the figure, or above its column."""
    if isinstance(run, Run):
        seeds = f", {run.seeds} seeds" if run.seeds > 1 else ""
        lost = "" if run.diverged is None else f", diverges at step {run.diverged}"
        told = f"{_count(run.layers, 'layer')}, {_count(run.steps, 'record')}{seeds}{lost}"
        label = f"{label}: {told}".removeprefix(": ") if alone else f"{label}\n{told}"
    if alone:
        figure.suptitle(label, fontsize="medium")
    else:
        ax.set_title(label, fontsize="medium")


def _count(things: Sequence[Any], name: str) -> str:
    return f"{len(things)} {name}{'' if len(things) == 1 else 's'}"
