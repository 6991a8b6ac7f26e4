"""How measurements are drawn: the house figures.

Functions that take `ax` draw into it (by default the current axes) and return it; the others
return a new figure. None of them shows anything or touches Matplotlib's settings. Colours are
those of Okabe & Ito, which colour-blind readers tell apart; markers do the same in grey print.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from minigrad.diagnostics.decay import DecayResult, LayerDecay
from minigrad.diagnostics.report import describe, varying
from minigrad.errors import ArgumentError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Neighbours differ in lightness as well as in hue.
_CURVES = (
    ("#0072B2", "o"), ("#E69F00", "s"), ("#009E73", "^"), ("#CC79A7", "D"), ("#D55E00", "v"),
    ("#56B4E9", "P"),
)  # fmt: skip
_DARK = "#222222"
_DOTS = (0, (1, 2.5))  # far enough apart that the measured line shows between them


def decay(
    results: DecayResult | Sequence[DecayResult],
    *,
    ax: Axes | None = None,
    labels: Sequence[str] | None = None,
    legend: bool = True,
) -> Axes:
    """Draw the gradient of every layer: the decay plot.

    Over the layers, log10 of the rms of dL/dz (solid) and of dL/dW (dashed), with a band from the
    smallest to the largest seed; thinly dotted what mean-field theory says of dL/dz; and, where
    curves come near it, the smallest normal number of the dtype. Zeros are left out.

    Arguments:
        results: one result of `measure_decay`, or several.
        ax: where to draw.
        labels: a name per result. A label keeps its colour by its place in this list.
        legend: add a legend below the axes.

    Raises:
        ArgumentError: no result, or not one label per result.

    >>> from minigrad.diagnostics import DecayConfig, measure_decay, plots
    >>> found = measure_decay(DecayConfig(depth=5, width=16))
    >>> plots.decay(found).get_xlabel()
    'layer (1 = nearest the input)'
    """
    import matplotlib.pyplot as plt

    results = _as_list(results)
    labels = _labels(results, []) if labels is None else list(labels)
    if len(labels) != len(results):
        raise ArgumentError(f"plots.decay: {len(results)} results, but {len(labels)} labels")
    ax = plt.gca() if ax is None else ax
    for place, (result, label) in enumerate(zip(results, labels, strict=True)):
        _draw_result(ax, result, label, place)
    _finish(ax, results)
    if legend:
        handles = [*_curve_handles(labels), *_style_handles(results)]
        ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=3,
                  frameon=False, fontsize="small")  # fmt: skip
    return ax


def decay_panels(results: DecayResult | Sequence[DecayResult]) -> Figure:
    """One decay plot per activation, side by side on one scale, with one legend.

    Arguments:
        results: from `measure_decay`.

    Raises:
        ArgumentError: no result.

    >>> from minigrad.diagnostics import DecayConfig, measure_decay, plots
    >>> found = [measure_decay(DecayConfig(5, 16, activation=a)) for a in ("tanh", "relu")]
    >>> [ax.get_title() for ax in plots.decay_panels(found).axes]
    ['tanh', 'relu']
    """
    import matplotlib.pyplot as plt

    results = _as_list(results)
    panels: dict[str, list[DecayResult]] = {}
    for result in results:
        panels.setdefault(result.config.activation, []).append(result)
    named = dict(zip(map(id, results), _labels(results, ["activation"]), strict=True))
    every_label = list(dict.fromkeys(named.values()))

    figure, axes = plt.subplots(
        1, len(panels), figsize=(max(6.0, 4.0 * len(panels)), 5.0), sharey=True, squeeze=False,
        layout="constrained",
    )  # fmt: skip
    for ax, (activation, members) in zip(axes[0], panels.items(), strict=True):
        for result in members:
            label = named[id(result)]
            _draw_result(ax, result, label, every_label.index(label))
        ax.set_title(activation)
    for ax in axes[0]:
        _finish(ax, results)
        ax.label_outer()
    figure.suptitle(textwrap.fill(_what_is_shared(results), 60 * len(panels)), fontsize="medium")
    _legend_below(figure, [*_curve_handles(every_label), *_style_handles(results)])
    return figure


def _legend_below(figure: Figure, handles: list[Any]) -> None:
    """A legend below all panels, in as many columns as the figure is wide enough for."""
    for ncols in (5, 4, 3, 2, 1):
        legend = figure.legend(
            handles=handles, loc="outside lower center", ncols=ncols, frameon=False,
            fontsize="small",
        )  # fmt: skip
        if legend.get_window_extent().width <= figure.bbox.width or ncols == 1:
            return
        legend.remove()


def _as_list(results: DecayResult | Sequence[DecayResult]) -> list[DecayResult]:
    listed = [results] if isinstance(results, DecayResult) else list(results)
    if not listed:
        raise ArgumentError("plots: no results to draw; pass what measure_decay returns")
    return listed


def _labels(results: Sequence[DecayResult], told_elsewhere: Sequence[str]) -> list[str]:
    names = [n for n in varying([r.config for r in results]) if n not in told_elsewhere] or ["init"]
    return [describe(result.config, names) for result in results]


def _what_is_shared(results: Sequence[DecayResult]) -> str:
    shown = ["depth", "width", "norm", "data", "batch_size", "dtype"]
    differing = varying([r.config for r in results])
    shared = describe(results[0].config, [n for n in shown if n not in differing])
    return f"Gradient at initialization: {shared}"


def _look(place: int) -> tuple[str, str]:
    """Colour and marker of a curve; after six curves the colours return with other markers."""
    turn, k = divmod(place, len(_CURVES))
    return _CURVES[k][0], _CURVES[(k + turn) % len(_CURVES)][1]


# -- one curve -------------------------------------------------------------------------------


def _draw_result(ax: Axes, result: DecayResult, label: str, place: int) -> None:
    colour, marker = _look(place)
    layers = result.layers
    index = [layer.index for layer in layers]
    # A marker on every layer of a deep network would hide the line.
    every = max(1, len(layers) // 6)
    start = place * every // 3
    for series, line in (("dz_rms", "-"), ("dw_rms", "--")):
        ax.plot(
            index, _log10(layers, series, "mean"), line, color=colour, marker=marker,
            markersize=5, markerfacecolor=colour if line == "-" else "white",
            markevery=((start if line == "-" else start + every // 2) % every, every),
            linewidth=1.8 if line == "-" else 1.2, label=f"{label}, {series}",
        )  # fmt: skip
        ax.fill_between(
            index, _log10(layers, series, "min"), _log10(layers, series, "max"),
            color=colour, alpha=0.18, linewidth=0,
        )  # fmt: skip
    if layers[0].dz_rms_theory is not None:
        theory = _log10_of([layer.dz_rms_theory for layer in layers])
        ax.plot(
            index, theory, color=_DARK, linestyle=_DOTS, linewidth=1.2, label=f"{label}, theory"
        )


def _log10(layers: Sequence[LayerDecay], series: str, which: str) -> NDArray[np.float64]:
    return _log10_of([getattr(getattr(layer, series), which) for layer in layers])


def _log10_of(values: Sequence[float | None]) -> NDArray[np.float64]:
    array = np.array(values, dtype=np.float64)
    # Infinity has no place on an axis either; a NaN leaves a gap.
    usable = np.isfinite(array) & (array > 0)
    return np.log10(array, out=np.full(array.shape, np.nan), where=usable)


# -- what surrounds the curves ---------------------------------------------------------------


def _finish(ax: Axes, results: Sequence[DecayResult]) -> None:
    from matplotlib.ticker import MaxNLocator

    depth = max(result.config.depth for result in results)
    ticks = MaxNLocator(6, integer=True).tick_values(1, depth)
    ax.set_xticks([1, *(int(t) for t in ticks if 1 < t <= depth)])  # there is no layer 0
    ax.set_xlabel("layer (1 = nearest the input)")
    ax.set_ylabel("log10 of the rms gradient")
    ax.grid(alpha=0.25, linewidth=0.6)
    for dtype in _underflowing(results):
        smallest = float(np.log10(np.finfo(dtype).tiny))
        ax.axhline(smallest, color="0.5", linewidth=1.0, label=f"{dtype} underflow")


def _underflowing(results: Sequence[DecayResult]) -> list[str]:
    """The dtypes in which some gradient underflows."""
    return list(dict.fromkeys(r.config.dtype for r in results if r.underflow_layer is not None))


def _curve_handles(labels: Sequence[str]) -> list[Any]:
    from matplotlib.lines import Line2D

    curves = [_look(place) for place in range(len(labels))]
    return [
        Line2D([], [], color=colour, marker=marker, markersize=5, linewidth=1.8, label=label)
        for (colour, marker), label in zip(curves, labels, strict=True)
    ]


def _style_handles(results: Sequence[DecayResult]) -> list[Any]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = [
        Line2D([], [], color=_DARK, linestyle="-", linewidth=1.8, marker="o", markersize=5,
               label="dL/dz"),
        Line2D([], [], color=_DARK, linestyle="--", linewidth=1.2, marker="o", markersize=5,
               markerfacecolor="white", label="dL/dW"),
    ]  # fmt: skip
    if any(result.layers[0].dz_rms_theory is not None for result in results):
        name = "theory of dL/dz"
        handles.append(Line2D([], [], color=_DARK, linestyle=_DOTS, linewidth=1.2, label=name))
    seeds = len(results[0].config.seeds)
    if seeds > 1:
        handles.append(Patch(color="0.5", alpha=0.3, label=f"range over {seeds} seeds"))
    for dtype in _underflowing(results):
        name = f"{dtype} underflows below"
        handles.append(Line2D([], [], color="0.5", linewidth=1.0, label=name))
    return handles
