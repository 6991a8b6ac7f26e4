"""Which depths train: the loss over depth and weight variance, with the limit of theory."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from minigrad.diagnostics import theory
from minigrad.diagnostics.loss_surface.trainability import Trainability
from minigrad.diagnostics.plots.style import DARK, axes_or_current, is_narrow, write_label
from minigrad.errors import ArgumentError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DEPTH_SCALES = 6  # up to so many the networks of Schoenholz et al. (2017) learned
_LEAST = 1e-6  # for 1 / xi_c at the critical point, instead of 0: a curve cannot go to infinity


def trainability(found: Trainability, *, ax: Axes | None = None, colorbar: bool = True) -> Axes:
    """Draw the loss after training over weight variance and depth, and the limit 6 xi_c.

    Bright cells have learned, dark ones still guess; hatched ones ran away. Below the curve, six
    depth scales of mean-field theory, networks are predicted to learn. It is left out where
    theory has no fixed point, as for ReLU.

    Arguments:
        found: from `measure_trainability`.
        ax: where to draw.
        colorbar: add a colour bar, which takes some room from `ax`.

    Raises:
        ArgumentError: something else.

    Source: Schoenholz et al. (2017), figure 5.

    >>> from minigrad.diagnostics import TrainabilityConfig, measure_trainability, plots
    >>> config = TrainabilityConfig(depths=(5, 10), sigma_w2=(1.0, 1.75), steps=5)
    >>> plots.trainability(measure_trainability(config)).get_ylabel()
    'depth (Linear layers)'
    """
    from matplotlib import patheffects

    if not isinstance(found, Trainability):
        raise ArgumentError(
            "plots.trainability: takes what measure_trainability returns, not a "
            f"{type(found).__name__}"
        )
    ax = axes_or_current(ax)
    config = found.config
    x, y = (_edges(np.array(v, dtype=np.float64)) for v in (config.sigma_w2, config.depths))
    ax.patch.set(hatch="xxx", facecolor="white", edgecolor="0.6")
    loss = np.ma.masked_invalid(found.loss)
    mesh = ax.pcolormesh(x, y, loss, cmap="cividis_r", vmin=0.0, vmax=found.chance)
    lowest = max(float(x[0]), 1e-3 * config.sigma_w2[0])
    sigma_w2, limit = _limit(config.sigma_b2, config.activation, lowest, float(x[-1]), float(y[-1]))
    if limit.size:
        told = "theory" if is_narrow(ax) else "the limit that theory predicts"
        outline = [patheffects.withStroke(linewidth=4.5, foreground="white")]
        ax.plot(
            sigma_w2, limit, color=DARK, linewidth=2.0, path_effects=outline,
            label=f"${DEPTH_SCALES}\\,\\xi_c$, {told}",
        )  # fmt: skip
        ax.legend(
            loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False, fontsize="small"
        )  # fmt: skip
    ax.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    ax.set_yticks(config.depths)
    write_label(ax, ax.xaxis, r"$\sigma_w^2$: fan_in × variance of the weights")
    write_label(ax, ax.yaxis, "depth (Linear layers)")
    if colorbar:
        bar = ax.figure.colorbar(mesh, ax=ax, extend="max")
        guessing = "" if is_narrow(ax) else f" (guessing: {found.chance:.2f})"
        write_label(ax, bar.ax.yaxis, f"loss after {config.steps} steps{guessing}")
    return ax


def _edges(centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where the cells around the centres begin and end."""
    if len(centres) == 1:
        return np.array([centres[0] * 0.5, centres[0] * 1.5])
    middles = (centres[1:] + centres[:-1]) / 2
    first, last = centres[0] - (middles[0] - centres[0]), centres[-1] + (centres[-1] - middles[-1])
    return np.concatenate([[first], middles, [last]])


@cache
def _limit(
    sigma_b2: float, activation: str, low: float, high: float, deepest: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The curve 6 xi_c(sigma_w^2) from low to high; empty where there is none.

    It is drawn through its inverse, which is 0 at the critical point and nearly straight on either
    side, so that a few places do. They begin far from that point and end where the curve leaves
    the picture at the top: near the point theory takes a second for one number.
    """
    places: dict[float, float] = {}
    try:
        critical = theory.critical_sigma_w(sigma_b2**0.5, activation) ** 2
        for end, count in ((low, 40), (high, 16)):
            for s in np.linspace(end, critical, count, endpoint=False).tolist():
                places[s] = max(1 / theory.xi_c(s, sigma_b2, activation), _LEAST)
                if DEPTH_SCALES / places[s] > deepest:
                    break
    except ArgumentError:
        return np.empty(0), np.empty(0)
    places[critical] = _LEAST
    known = sorted(places)
    sigma_w2 = np.linspace(low, high, 400)
    return sigma_w2, DEPTH_SCALES / np.interp(sigma_w2, known, [places[s] for s in known])
