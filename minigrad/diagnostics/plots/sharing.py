"""One scale for several runs, which a run that diverged does not take from the others.

A loss of 1e12 beside one of 2.3 makes a flat line of the second. So the runs that did not diverge
say how far the scale reaches, and of one that did it shows a part: where its curve leaves, an
arrow at the edge says so, and how far the curve goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minigrad.diagnostics.plots.style import DARK, log10_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FLOAT = NDArray[np.float64]

RAN_AWAY = 10.0  # times the first loss
MOST = 2.0  # heights of the other runs that a diverged one may take beyond them; if it needs more,
ROOM = 0.25  # it gets so much, enough to see where it goes
EDGE = 0.05  # of the height stays free beyond what is drawn


class Values(NamedTuple):
    """What one run has to show on a scale, in the units of the axis; and whether it diverged."""

    numbers: FLOAT
    diverged: bool


def diverges_at(losses: FLOAT) -> int | None:
    """The place from which a loss is lost: no finite number, or ten times the first and more.

    It must stay so up to the end: of a peak that a run recovers from nobody says that it diverged.

    Arguments:
        losses: (points,).

    >>> diverges_at(np.array([2.3, 40.0, 0.5])), diverges_at(np.array([2.3, 3.0, 40.0, np.nan]))
    (None, 2)
    """
    finite = np.isfinite(losses)
    if not finite.any():  # NaN alone: perhaps no loss was noted
        return 0 if np.isinf(losses).any() else None
    first = float(losses[finite][0])
    kept = finite & (losses <= first + (RAN_AWAY - 1) * abs(first))
    if kept[-1]:
        return None
    return int(np.flatnonzero(kept)[-1]) + 1


def shared_limits(runs: Sequence[Values], *, log: bool = False) -> tuple[float, float] | None:
    """From where to where a scale reaches, in the units of the axis; None: over everything.

    A scale is limited where some runs diverged and others did not.

    Arguments:
        runs: what each has to show; what is not finite (or, with `log`, not above 0) has no place.
        log: whether the axis is logarithmic.

    >>> calm, wild = np.array([0.5, 2.5]), np.array([2.5, 1e12])
    >>> shared_limits([Values(calm, False), Values(wild, True)])
    (0.4, 3.0)
    """
    calm = _placed([_on_axis(run.numbers, log) for run in runs if not run.diverged])
    every = _placed([_on_axis(run.numbers, log) for run in runs])
    if not calm.size or every.size == calm.size:
        return None
    low, high = float(calm.min()), float(calm.max())
    height = max(high - low, 1.0 if log else 0.2 * max(abs(low), abs(high)))
    beyond = low - float(every.min()), float(every.max()) - high
    below, above = (_room(side, height) for side in beyond)
    ends = low - below, high + above
    return (10.0 ** ends[0], 10.0 ** ends[1]) if log else ends


def limit(ax: Axes, limits: tuple[float, float]) -> bool:
    """Limit the y axis; where a curve leaves it, an arrow says so, and how far the curves go.

    Arguments:
        ax: whose curves are all drawn. Marks, and lines across all of it, count for nothing.
        limits: of the y axis, in its units.

    Returns:
        Whether a curve leaves.
    """
    ax.set_ylim(limits)
    log = ax.get_yscale() == "log"
    low, high = _on_axis(np.array(limits), log)
    curves = [
        line for line in ax.lines
        if line.get_transform() == ax.transData and line.get_linestyle() != "None"
    ]  # fmt: skip
    leaving = False
    for edge, sign, marker in ((low, -1, "v"), (high, 1, "^")):
        arrows: list[float] = []
        farthest = float(edge)
        for curve in curves:
            x, y = (np.asarray(numbers, dtype=np.float64) for numbers in curve.get_data())
            y = _on_axis(y, log)
            if np.any(sign * y > sign * edge):
                arrows.append(_crossing(x, y, edge, sign))
                farthest = float(sign * np.nanmax(np.append(sign * y, sign * farthest)))
                ax.plot(
                    arrows[-1], 0.5 + 0.485 * sign, marker=marker, markersize=7, zorder=4,
                    color=curve.get_color(), markeredgecolor=DARK, linestyle="none",
                    transform=ax.get_xaxis_transform(), label=f"{curve.get_label()}, leaves",
                )  # fmt: skip
        if arrows:
            _tell(ax, min(arrows), sign, 10.0**farthest if log else farthest)
            leaving = True
    return leaving


def leaving_handle() -> Any:
    """What the arrows mean."""
    from matplotlib.lines import Line2D

    return Line2D([], [], color="0.6", markeredgecolor=DARK, linestyle="none", marker="^",
                  markersize=7, label="leaves the scale")  # fmt: skip


def _on_axis(numbers: FLOAT, log: bool) -> FLOAT:
    """Numbers as an axis has them, NaN for what has no place on it."""
    placed: FLOAT = log10_of(numbers) if log else np.where(np.isfinite(numbers), numbers, np.nan)
    return placed


def _placed(runs: Sequence[FLOAT]) -> FLOAT:
    found: FLOAT = np.concatenate([np.empty(0), *(run.ravel() for run in runs)])
    numbers: FLOAT = found[~np.isnan(found)]
    return numbers


def _room(beyond: float, height: float) -> float:
    """How much of the axis follows on what the other runs need."""
    return ROOM * height if beyond > MOST * height else beyond + EDGE * height


def _crossing(x: FLOAT, y: FLOAT, edge: float, sign: int) -> float:
    """Where a curve first leaves at an edge."""
    place = int(np.argmax(sign * y > sign * edge))
    if place == 0 or np.isnan(y[place - 1]):
        return float(x[place])
    share = (edge - y[place - 1]) / (y[place] - y[place - 1])
    return float(x[place - 1] + share * (x[place] - x[place - 1]))


def _tell(ax: Axes, x: float, sign: int, farthest: float) -> None:
    """Write beside an arrow how far the curve goes."""
    left, right = ax.get_xlim()
    is_left = x < (left + right) / 2
    ax.annotate(
        f"{'up' if sign > 0 else 'down'} to {farthest:.3g}", (x, 0.5 + 0.485 * sign),
        xycoords=ax.get_xaxis_transform(), xytext=(8 if is_left else -8, -4 * sign),
        textcoords="offset points", ha="left" if is_left else "right",
        va="top" if sign > 0 else "bottom", fontsize="small", color=DARK, zorder=5,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.0},
    )  # fmt: skip
