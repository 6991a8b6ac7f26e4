"""Loss curves: how runs compare, and when one breaks down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from minigrad.diagnostics.plots.bands import (
    FLOAT,
    Band,
    as_numbers,
    band,
    band_handle,
    curve_handles,
    draw_band,
    line_handles,
)
from minigrad.diagnostics.plots.runs import NothingToDraw, Run
from minigrad.diagnostics.plots.sharing import (
    Values,
    diverges_at,
    leaving_handle,
    limit,
    shared_limits,
)
from minigrad.diagnostics.plots.style import (
    DARK,
    axes_or_current,
    grid,
    legend,
    look,
    step_axis,
    told,
)
from minigrad.diagnostics.probing.recording import Recording
from minigrad.errors import ArgumentError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LINES = {"loss": "-", "val_loss": "--"}
_WORDS = {"loss": "training", "val_loss": "validation"}


def loss_curves(
    data: Any, *, ax: Axes | None = None, log: bool = False, smooth: float = 0.0
) -> Axes:
    """Draw the loss over the steps, of one run or of several.

    A band reaches from the smallest to the largest seed. Where a loss stops being a finite number,
    its curve ends in a cross. Among several runs, one whose loss is lost (not finite any more, or
    at its end above ten times the first) does not stretch the scale that the others need: an arrow
    marks where its curve leaves, and the legend says at which step it diverges.

    Arguments:
        data: a run, or a dict of several by name. A run is
            a recording, or the path of a saved one;
            what `train.fit` returns; its validation loss is dashed;
            losses (steps,); or (steps, losses), these of shape (steps,) or (seeds, steps);
            a list of recordings or of histories: seeds of one run.
        ax: where to draw; by default the current axes.
        log: logarithmic axis.
        smooth: in [0, 1). Above 0, draw over the loss its exponential average
            m_t = smooth m_(t-1) + (1 - smooth) loss_t, divided by 1 - smooth^t.

    Raises:
        NothingToDraw: no finite loss (with `log`: none above 0).
        ArgumentError: no run, runs of which one counts steps and one epochs, or another `smooth`.

    >>> from minigrad.diagnostics import plots
    >>> ax = plots.loss_curves({"small": ([0, 10], [2.3, 1.9]), "large": ([0, 10], [2.3, 0.4])})
    >>> [line.get_ydata().tolist() for line in ax.lines[-2:]]
    [[2.3, 1.9], [2.3, 0.4]]
    """
    if not 0 <= smooth < 1:
        raise ArgumentError(f"plots.loss_curves: smooth must lie in [0, 1), got {smooth!r}")
    runs = _losses_of(data)
    units = {curve.unit for run in runs.values() for curve in run.values()}
    if len(units) > 1:
        raise ArgumentError(
            "plots.loss_curves: one run counts steps and another epochs; they have no axis in "
            "common, so draw them in two figures"
        )
    if not any(curve.has_points(log) for run in runs.values() for curve in run.values()):
        raise NothingToDraw(
            f"plots.loss_curves: no {'loss above 0' if log else 'finite loss'}; with a probe, "
            "tell it of the loss of each step: probe.note(loss=loss)"
        )
    ax = axes_or_current(ax)
    for place, (label, run) in enumerate(runs.items()):
        for kind, curve in run.items():
            _draw(ax, curve, place, LINES[kind], f"{label}, {kind}".removeprefix(", "), smooth)
    if log:
        ax.set_yscale("log", nonpositive="mask")
    points = {x for run in runs.values() for curve in run.values() for x in curve.x}
    step_axis(ax, sorted(points), units.pop())
    ax.set_ylabel("loss")
    grid(ax)
    limits = shared_limits([_values(run) for run in runs.values()], log=log)
    leaves = [leaving_handle()] if limits is not None and limit(ax, limits) else []
    lost = [told(f"{label} diverges at {at}") for label, at in _lost(runs).items()]
    top = np.inf if limits is None else limits[1]
    legend(ax, [*_handles(runs, smooth, top), *leaves, *(lost if leaves else [])])
    return ax


class Losses(NamedTuple):
    """One kind of loss of one run.

    Attributes:
        x: steps or epochs.
        seeds: (seeds, points).
        unit: "step" or "epoch".
    """

    x: FLOAT
    seeds: FLOAT
    unit: str

    def has_points(self, log: bool) -> bool:
        """Whether a figure can show any."""
        return bool(np.any(np.isfinite(self.seeds) & (self.seeds > (0 if log else -np.inf))))

    @property
    def end(self) -> int | None:
        """The place of the last point before one seed gives no finite number any more."""
        broken = np.asarray(~np.isfinite(self.seeds).all(axis=0))
        if not broken.size or not broken[-1] or broken.all():
            return None
        return int(np.flatnonzero(~broken)[-1])

    @property
    def lost(self) -> float | None:
        """Where the first seed diverges; None where none does."""
        places = [diverges_at(losses) for losses in self.seeds]
        return min((float(self.x[place]) for place in places if place is not None), default=None)


def _values(run: Mapping[str, Losses]) -> Values:
    """What a run has to show."""
    every = np.concatenate([curve.seeds.ravel() for curve in run.values()])
    return Values(every, any(curve.lost is not None for curve in run.values()))


def _lost(runs: Mapping[str, Mapping[str, Losses]]) -> dict[str, str]:
    """Of the runs that diverge, by label, where they do."""
    found = {}
    for label, run in runs.items():
        at = [(curve.lost, curve.unit) for curve in run.values() if curve.lost is not None]
        if at:
            found[label] = "{1} {0:g}".format(*min(at))
    return found


def _losses_of(data: Any) -> dict[str, dict[str, Losses]]:
    """Per run by name and kind."""
    if isinstance(data, Mapping) and not _is_history(data):
        if not data:
            raise ArgumentError("plots.loss_curves: the dict of runs is empty")
        return {str(label): _of_run(run) for label, run in data.items()}
    return {"": _of_run(data)}


def _of_run(run: Any) -> dict[str, Losses]:
    histories = [run] if _is_history(run) else run
    if isinstance(histories, Sequence) and histories and all(map(_is_history, histories)):
        return _of_histories(histories)
    if isinstance(run, tuple) and len(run) == 2 and not any(map(_is_recording, run)):
        return {"loss": _of_pair(*run)}
    if isinstance(run, list | np.ndarray) and len(run) and all(isinstance(x, Real) for x in run):
        return {"loss": _of_pair(range(len(run)), run)}
    recorded = Run("loss_curves", run)
    return {"loss": Losses(np.array(recorded.steps, float), recorded.loss(), "step")}


def _is_history(run: Any) -> bool:
    return isinstance(run, Mapping) and {"epoch", "loss"} <= set(run)


def _is_recording(run: Any) -> bool:
    return isinstance(run, Recording | str | Path)


def _of_histories(histories: Sequence[Any]) -> dict[str, Losses]:
    """Cut to the epochs that all have: early stopping ends each at another."""
    found = {}
    for kind in LINES:
        lists = [history[kind] for history in histories if kind in history]
        if lists:
            count = min(map(len, lists))
            x = np.array(histories[0]["epoch"][:count], dtype=np.float64)
            seeds = np.array([values[:count] for values in lists], dtype=np.float64)
            found[kind] = Losses(x, seeds, "epoch")
    return found


def _of_pair(steps: Any, losses: Any) -> Losses:
    x = as_numbers("plots.loss_curves", "steps", steps)
    seeds = np.atleast_2d(as_numbers("plots.loss_curves", "losses", losses))
    if x.ndim != 1 or seeds.ndim != 2 or seeds.shape[1] != len(x):
        raise ArgumentError(
            f"plots.loss_curves: steps of shape {x.shape} and losses of shape "
            f"{np.shape(losses)}; give (n,) steps, and (n,) or (seeds, n) losses"
        )
    return Losses(x, seeds, "step")


def smoothed(losses: FLOAT, weight: float) -> FLOAT:
    """The exponential average, corrected for its start; numbers that are not finite are left out.

    >>> smoothed(np.array([1.0, 3.0]), 0.5).tolist()
    [1.0, 2.3333333333333335]
    """
    found = np.full(losses.shape, np.nan)
    total = share = 0.0
    for i, loss in enumerate(losses):
        if np.isfinite(loss):
            total = weight * total + (1 - weight) * loss
            share = weight * share + (1 - weight)
            found[i] = total / share
    return found


def _draw(ax: Axes, curve: Losses, place: int, line: str, label: str, smooth: float) -> None:
    spread = band(curve.x, curve.seeds)
    finite = Band(spread.x, *(np.where(np.isfinite(v), v, np.nan) for v in spread[1:]))
    colour, _ = look(place)
    if smooth:
        ax.plot(finite.x, finite.mean, line, color=colour, linewidth=0.8, alpha=0.4,
                label=f"{label}, raw")  # fmt: skip
        finite = finite._replace(mean=smoothed(finite.mean, smooth))
    draw_band(ax, finite, place, line, label)
    if curve.end is not None:
        ax.plot(curve.x[curve.end], spread.mean[curve.end], "X", color=colour,
                markeredgecolor=DARK, markersize=9, zorder=3, label=f"{label}, end")  # fmt: skip


def _named(label: str, run: Mapping[str, Losses]) -> str:
    """The label; of a run that no curve can show, it says so."""
    shown = any(np.isfinite(curve.seeds).any() for curve in run.values())
    return label if shown or not label else f"{label} (no finite loss)"


def _handles(runs: Mapping[str, Mapping[str, Losses]], smooth: float, top: float) -> list[Any]:
    """What the legend holds, of an axis that reaches up to `top`."""
    from matplotlib.lines import Line2D

    curves = [curve for run in runs.values() for curve in run.values()]
    handles = curve_handles([_named(label, run) for label, run in runs.items()])
    if any("val_loss" in run for run in runs.values()):
        handles += line_handles({_WORDS[kind]: line for kind, line in LINES.items()})
    if any(len(curve.seeds) > 1 for curve in curves):
        handles.append(band_handle("range over seeds"))
    if smooth:
        handles.append(Line2D([], [], color="0.4", alpha=0.6, linewidth=0.8, label="unsmoothed"))
    ends = [curve.seeds[:, curve.end].mean() for curve in curves if curve.end is not None]
    if any(end <= top for end in ends):
        handles.append(Line2D([], [], color=DARK, linestyle="none", marker="X", markersize=8,
                              label="from here on NaN or infinite"))  # fmt: skip
    return handles
