"""The spectrum of a Jacobian: which directions it stretches, and which it loses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from minigrad.diagnostics.plots.bands import (
    FLOAT,
    Band,
    as_numbers,
    band,
    band_handle,
    curve_handles,
    draw_band,
)
from minigrad.diagnostics.plots.layer_lines import colour_bar, colour_of
from minigrad.diagnostics.plots.runs import NothingToDraw
from minigrad.diagnostics.plots.style import (
    CURVES,
    DARK,
    axes_or_current,
    counting_axis,
    grid,
    legend,
    log10_of,
    look,
    told,
)
from minigrad.diagnostics.spectrum import JacobianSpectrum
from minigrad.errors import ArgumentError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KINDS = ("sorted", "histogram")

KEPT = "0: length kept"
KEPT_LOOK: dict[str, Any] = {"color": DARK, "linestyle": "--", "linewidth": 1.0}


def spectrum(data: Any, *, kind: str = "sorted", ax: Axes | None = None) -> Axes:
    """Draw log10 of singular values.

    The line at 0 is where a direction keeps its length (dynamical isometry: all values there).
    Values that are exactly 0 have no place on the axis; their number is noted.

    Arguments:
        data: singular values (n,), or (examples, n) with a band from the smallest to the largest
            example; what `jacobian_spectrum` returns, of which the spectrum end to end is drawn;
            or a dict of such by name, as its `to_output` and `own` are. More than six run from
            dark to light.
        kind: "sorted" (from the largest down) or "histogram" (of the values of all examples).
        ax: where to draw; by default the current axes.

    Raises:
        NothingToDraw: no finite value above 0.
        ArgumentError: another kind, or no such array.

    Source of the term: Saxe, McClelland and Ganguli (2014), Exact solutions to the nonlinear
    dynamics of learning in deep linear neural networks.

    >>> from minigrad.diagnostics import plots
    >>> plots.spectrum([1.0, 10.0]).get_xlabel()
    'singular value (1 = the largest)'
    """
    from matplotlib.lines import Line2D

    if kind not in KINDS:
        raise ArgumentError(f"plots.spectrum: kind must be one of {', '.join(KINDS)}, got {kind!r}")
    spectra = _spectra(data)
    if not any((np.isfinite(values) & (values > 0)).any() for values in spectra.values()):
        raise NothingToDraw("plots.spectrum: there is no finite singular value above 0")
    ax = axes_or_current(ax)
    if kind == "sorted":
        _draw_sorted(ax, spectra)
    else:
        _draw_histogram(ax, spectra)
    grid(ax)
    handles = curve_handles(list(spectra)) if _few(spectra) else []
    handles.append(Line2D([], [], label=KEPT, **KEPT_LOOK))
    if not _few(spectra):
        first, *_, last = spectra
        colour_bar(ax, len(spectra), f"1: {first}, {len(spectra)}: {last}")
    if kind == "sorted" and _few(spectra) and any(len(values) > 1 for values in spectra.values()):
        handles.append(band_handle("range over examples"))
    missing = [_missing(label, values) for label, values in spectra.items()]
    legend(ax, [*handles, *map(told, filter(None, missing))])
    return ax


def _spectra(data: Any) -> dict[str, FLOAT]:
    """By label, (examples, values)."""
    given = data if isinstance(data, Mapping) else {"": data}
    if not given:
        raise ArgumentError("plots.spectrum: the dict of spectra is empty")
    return {str(label): _values(one) for label, one in given.items()}


def _values(given: Any) -> FLOAT:
    spectrum = given.end_to_end if isinstance(given, JacobianSpectrum) else given
    values = as_numbers("plots.spectrum", "singular values", spectrum)
    if values.ndim not in (1, 2) or np.any(values < 0):
        raise ArgumentError(
            f"plots.spectrum: takes singular values (n,) or (examples, n), none below 0, not an "
            f"array of shape {values.shape}"
        )
    return np.atleast_2d(values)


def _few(spectra: Mapping[str, FLOAT]) -> bool:
    """Whether each can have a colour and marker of its own."""
    return len(spectra) <= len(CURVES)


def _draw_sorted(ax: Axes, spectra: Mapping[str, FLOAT]) -> None:
    for place, (label, values) in enumerate(spectra.items()):
        places = np.arange(1, values.shape[1] + 1, dtype=np.float64)
        found = band(places, -np.sort(-values, axis=1))
        logs = Band(places, *(log10_of(curve) for curve in found[1:]))
        label = label or "singular values"
        if _few(spectra):
            draw_band(ax, logs, place, "-", label)
        else:
            colour = colour_of(place + 1, len(spectra))
            ax.plot(places, logs.mean, color=colour, linewidth=0.9, label=label)
    ax.axhline(0, label=KEPT, **KEPT_LOOK)
    most = max(values.shape[1] for values in spectra.values())
    counting_axis(ax, most, "singular value (1 = the largest)")
    ax.set_ylabel("log10 of the singular value")


def _draw_histogram(ax: Axes, spectra: Mapping[str, FLOAT]) -> None:
    logs = {label: log10_of(values.ravel()) for label, values in spectra.items()}
    every = np.concatenate(list(logs.values()))
    low, high = float(np.nanmin(every)), float(np.nanmax(every))
    # Equal values, as of an orthogonal network, still get bins of some width. The outermost two
    # are empty, so that every outline is closed.
    width = max((high - low) / 28, 0.01)
    edges = low + width * (np.arange(32) - 1.5)
    for place, (label, values) in enumerate(logs.items()):
        share = np.histogram(values[np.isfinite(values)], edges)[0] / max(1, values.size)
        colour, marker = look(place)
        if not _few(spectra):
            colour, marker = colour_of(place + 1, len(spectra)), ""
        ax.plot(
            (edges[1:] + edges[:-1]) / 2, share, drawstyle="steps-mid", color=colour,
            marker=marker, markersize=5, markevery=(place % 3, 3),
            linewidth=1.8 if marker else 0.9, label=label or "singular values",
        )  # fmt: skip
    ax.axvline(0, label=KEPT, **KEPT_LOOK)
    ax.set(xlabel="log10 of the singular value", ylabel="share of the values")


def _missing(label: str, values: FLOAT) -> str:
    """In words, what has no place on a logarithmic axis."""
    counts = {"are 0": (values == 0).sum(), "not finite": (~np.isfinite(values)).sum()}
    found = [f"{count} of {values.size} {what}" for what, count in counts.items() if count]
    return f"{label}: {', '.join(found)}".removeprefix(": ") if found else ""
