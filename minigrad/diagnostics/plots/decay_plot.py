"""The decay plot: the gradient of every layer, over the depth."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from minigrad.diagnostics.decay import DecayResult
from minigrad.diagnostics.plots.bands import (
    FLOAT,
    Band,
    band_handle,
    curve_handles,
    draw_band,
    line_handles,
)
from minigrad.diagnostics.plots.runs import OneRun, Run, no_gradient, runs_of
from minigrad.diagnostics.plots.sharing import Values, leaving_handle, limit, shared_limits
from minigrad.diagnostics.plots.style import (
    DARK,
    DOTS,
    axes_or_current,
    darker,
    grid,
    layer_ticks,
    legend_below,
    log10_of,
    look,
    nothing_finite,
    write_label,
)
from minigrad.diagnostics.plots.style import legend as draw_legend
from minigrad.diagnostics.predicting.overlay import check_same_network
from minigrad.diagnostics.predicting.prediction import Prediction
from minigrad.diagnostics.report import describe, varying
from minigrad.errors import ArgumentError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Results: TypeAlias = DecayResult | Sequence[DecayResult]

SOLID_AND_DASHED = {"dL/dz": "-", "dL/dW": "--"}

# Gradients this many times the smallest normal number of the dtype are near it.
NEAR_UNDERFLOW = 1e4


def decay(
    data: Results | OneRun | Mapping[str, OneRun],
    *,
    ax: Axes | None = None,
    labels: Sequence[str] | None = None,
    legend: bool = True,
    step: int | None = None,
    prediction: Any = None,
) -> Axes:
    """Draw the gradient of every layer: the decay plot.

    Over the layers, log10 of the rms of dL/dz (solid) and of dL/dW (dashed), with a band from the
    smallest to the largest seed; thinly dotted what mean-field theory says of dL/dz; and, where
    curves come near it, the smallest normal number of the dtype. Gradients that are 0 are marked
    along the lower edge, NaN and infinite ones along the upper one. Among several curves, one of a
    run that diverged does not stretch the scale that the others need; an arrow marks where it
    leaves. Between layers of other kinds normalization layers are dots beside the line: they see
    signals of another size, and a line through both would go up and down.

    Arguments:
        data: what `measure_decay` returns, one or several. Or a recording, the path of a saved
            one, or a list of these (seeds of one network); or several of these by name.
        ax: where to draw; by default the current axes.
        labels: a name per curve. A label keeps its colour by its place in this list.
        legend: add a legend.
        step: which step of recordings to draw; by default the last.
        prediction: of dL/dz in recordings: what `predict` returns, laid over the last layer that
            was measured; or the rms of each layer. For several runs by name, a dict of these.

    Raises:
        NothingToDraw: recordings without any gradient.
        ArgumentError: neither results nor recordings, not one label per curve, a prediction of
            another length or network, or a step that was not recorded.

    >>> from minigrad.diagnostics import DecayConfig, measure_decay, plots
    >>> found = measure_decay(DecayConfig(depth=5, width=16))
    >>> import matplotlib.pyplot as plt
    >>> plots.decay(found, ax=plt.figure().gca()).get_xlabel()
    'layer (1 = nearest the input)'
    """
    curves = _curves(data, step)
    if labels is not None:
        if len(labels) != len(curves):
            raise ArgumentError(f"plots.decay: {len(curves)} results, but {len(labels)} labels")
        curves = [replace(c, label=label) for c, label in zip(curves, labels, strict=True)]
    if prediction is not None:
        curves = [_with_prediction(curve, prediction) for curve in curves]
    return draw_curves(axes_or_current(ax), curves, legend=legend)


def decay_panels(results: Results) -> Figure:
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

    results = [results] if isinstance(results, DecayResult) else list(results)
    curves = _curves_of_results(results, told_elsewhere=["activation"])
    panels: dict[str, list[Curve]] = {}
    for result, curve in zip(results, curves, strict=True):
        panels.setdefault(result.config.activation, []).append(curve)
    labels = list(dict.fromkeys(curve.label for curve in curves))

    figure, axes = plt.subplots(
        1, len(panels), figsize=(max(6.0, 4.0 * len(panels)), 5.0), sharey=True, squeeze=False,
        layout="constrained",
    )  # fmt: skip
    for ax, (activation, members) in zip(axes[0], panels.items(), strict=True):
        for curve in members:
            _draw(ax, curve, labels.index(curve.label), alone=len(members) == 1)
        ax.set_title(activation)
    limits = shared_limits([curve.values for curve in curves])
    leaves = []
    for ax in axes[0]:
        _finish(ax, curves)
        ax.label_outer()
        if limits is not None and limit(ax, limits):
            leaves = [leaving_handle()]
    figure.suptitle(textwrap.fill(_what_is_shared(results), 60 * len(panels)), fontsize="medium")
    legend_below(figure, [*curve_handles(labels), *_style_handles(curves), *leaves])
    return figure


# -- what is drawn ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Curve:
    """The gradient of one network, over its seeds.

    Attributes:
        label: its name.
        layers: their names.
        dz, dw: rms over the layers.
        theory: log10 of what dz should be in each layer, NaN where it is not known; or None.
        seeds: how many there are.
        dtype: of the network.
        apart: numbers of the layers that are no part of the line.
        diverged: whether the run lost its loss, or a gradient is not finite.
        meta: of the recording; says of which kinds the layers are.
    """

    label: str
    layers: Sequence[str]
    dz: Band
    dw: Band
    theory: FLOAT | None
    seeds: int
    dtype: str
    diverged: bool
    apart: frozenset[int] = frozenset()
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def values(self) -> Values:
        """What it has to show on an axis of log10."""
        rms = np.concatenate([found for b in (self.dz, self.dw) for found in (b.low, b.high)])
        return Values(log10_of(rms), self.diverged)

    @property
    def smallest(self) -> float:
        """The smallest normal number of the dtype; below it, digits are lost, and then all is 0."""
        return float(np.finfo(self.dtype).tiny)

    @property
    def underflows(self) -> bool:
        """Whether a gradient comes near the smallest normal number."""
        found = np.concatenate([self.dz.low, self.dw.low])
        return bool(np.any((found > 0) & (found < NEAR_UNDERFLOW * self.smallest)))


def _curves(data: Any, step: int | None) -> list[Curve]:
    listed = [data] if isinstance(data, DecayResult) else data
    if isinstance(listed, Sequence) and any(isinstance(one, DecayResult) for one in listed):
        return _curves_of_results(listed, told_elsewhere=[])
    return [curve_of(run, label, step) for label, run in runs_of("decay", data).items()]


def curve_of(run: Run, label: str, step: int | None) -> Curve:
    """The gradient in recordings, at one step."""
    dz, dw = (run.over_layers(name, step) for name in ("dz_rms", "dw_rms"))
    if not dz.x.size and not dw.x.size:
        raise no_gradient("decay")
    diverged = run.diverged is not None or not _finite(dz, dw)
    return Curve(
        label, run.layers, dz, dw, None, run.seeds, run.dtype, diverged, _apart(run, dz, dw),
        run.recordings[0].meta,
    )  # fmt: skip


def _apart(run: Run, *bands: Band) -> frozenset[int]:
    """The normalization layers, where there is something else as well."""
    numbers = frozenset((np.flatnonzero(run.normalizing) + 1).tolist())
    measured = frozenset(int(x) for found in bands for x in found.x)
    return numbers if measured - numbers else frozenset()


def _curves_of_results(results: Sequence[Any], told_elsewhere: Sequence[str]) -> list[Curve]:
    if not results:
        raise ArgumentError("plots: no results to draw; pass what measure_decay returns")
    for result in results:
        if not isinstance(result, DecayResult):
            raise ArgumentError(
                f"plots.decay: a {type(result).__name__} among results of measure_decay; draw "
                "them in two calls, on the same ax"
            )
    names = [n for n in varying([r.config for r in results]) if n not in told_elsewhere] or ["init"]
    return [_curve_of_result(result, describe(result.config, names)) for result in results]


def _curve_of_result(result: DecayResult, label: str) -> Curve:
    numbers = np.array([layer.index for layer in result.layers], dtype=np.float64)
    dz, dw = (
        Band(numbers, *np.transpose([(s.mean, s.min, s.max) for s in spreads]))
        for spreads in zip(*((layer.dz_rms, layer.dw_rms) for layer in result.layers), strict=True)
    )
    known = result.layers[0].dz_rms_theory is not None
    theory = log10_of([layer.dz_rms_theory for layer in result.layers]) if known else None
    names = [layer.name for layer in result.layers]
    seeds, dtype = len(result.config.seeds), result.config.dtype
    return Curve(label, names, dz, dw, theory, seeds, dtype, not _finite(dz, dw))


def _finite(*bands: Band) -> bool:
    return all(bool(np.isfinite(found.high).all()) for found in bands)


def _with_prediction(curve: Curve, prediction: Any) -> Curve:
    if isinstance(prediction, Mapping):
        if curve.label not in prediction:
            return curve
        prediction = prediction[curve.label]
    if isinstance(prediction, Prediction):
        return replace(curve, theory=_laid_over(curve, prediction))
    rms = np.asarray(prediction, dtype=np.float64)
    if rms.shape != (len(curve.layers),):
        raise ArgumentError(
            f"plots.decay: prediction has shape {rms.shape}; it takes one number for each of the "
            f"{len(curve.layers)} layers"
        )
    return replace(curve, theory=log10_of(rms))


def _laid_over(curve: Curve, prediction: Prediction) -> FLOAT:
    """log10 per layer, beginning at the last layer that was both predicted and measured.

    What a gradient is there is up to the loss, and not predicted.
    """
    predicted = dict(zip(prediction.layers, prediction.log10_dz_rms, strict=True))
    logs = np.array([predicted.get(layer, np.nan) for layer in curve.layers])
    measured = np.full(logs.shape, np.nan)
    measured[curve.dz.x.astype(int) - 1] = log10_of(curve.dz.mean)
    both = np.flatnonzero(np.isfinite(logs) & np.isfinite(measured))
    if not both.size:
        raise ArgumentError(
            f"plots.decay: of the layers predicted ({', '.join(prediction.layers[:3])}, ...) none "
            f"was measured ({', '.join(curve.layers[:3])}, ...); is it the same network?"
        )
    check_same_network("plots.decay", prediction, curve.layers, curve.meta)
    return np.where(np.isfinite(logs), logs - logs[both[-1]] + measured[both[-1]], np.nan)


def _what_is_shared(results: Sequence[DecayResult]) -> str:
    shown = ["depth", "width", "norm", "data", "batch_size", "dtype"]
    if results[0].config.residual != "none":
        shown.insert(3, "residual")
    differing = varying([r.config for r in results])
    shared = describe(results[0].config, [n for n in shown if n not in differing])
    return f"Gradient at initialization: {shared}"


# -- how it is drawn -------------------------------------------------------------------------


def draw_curves(ax: Axes, curves: Sequence[Curve], *, legend: bool = True) -> Axes:
    """Draw curves, each with a colour and marker of its own."""
    for place, curve in enumerate(curves):
        _draw(ax, curve, place, alone=len(curves) == 1)
    _finish(ax, curves)
    limits = shared_limits([curve.values for curve in curves])
    leaves = [leaving_handle()] if limits is not None and limit(ax, limits) else []
    if legend:
        handles = [*curve_handles([c.label for c in curves]), *_style_handles(curves)]
        draw_legend(ax, [*handles, *leaves])
    return ax


def _draw(ax: Axes, curve: Curve, place: int, *, alone: bool) -> None:
    for found, line, name in ((curve.dz, "-", "dz_rms"), (curve.dw, "--", "dw_rms")):
        logs = Band(found.x, *(log10_of(values) for values in found[1:]))
        apart = np.isin(found.x, list(curve.apart))
        label = f"{curve.label}, {name}".removeprefix(", ")
        draw_band(ax, Band(*(values[~apart] for values in logs)), place, line, label)
        if apart.any():
            colour, _ = look(place)
            ax.plot(
                found.x[apart], logs.mean[apart], linestyle="none", marker="o", markersize=2.5,
                color=colour, markerfacecolor=colour if line == "-" else "white",
                label=f"{label}, normalization",
            )  # fmt: skip
    if curve.theory is not None:
        label = f"{curve.label}, theory".removeprefix(", ")
        numbers = np.arange(1, len(curve.layers) + 1)
        known = ~np.isnan(curve.theory)
        shade = DARK if alone else darker(look(place)[0])
        ax.plot(numbers[known], curve.theory[known], color=shade, linestyle=DOTS, linewidth=1.2,
                label=label)  # fmt: skip
    for edge, (where, marker, label) in enumerate(_off_the_axis(curve)):
        if not where.size:
            continue
        height = 0.02 + 0.035 * place
        ax.plot(
            where, np.full(where.shape, 1 - height if edge else height), linestyle="none",
            marker=marker, markersize=4, color=look(place)[0], label=label,
            transform=ax.get_xaxis_transform(),
        )  # fmt: skip


def _off_the_axis(curve: Curve) -> tuple[tuple[FLOAT, str, str], ...]:
    """Layers without a place on a logarithmic axis, with marker and meaning: below it, above it."""
    layers, rms = curve.dz.x, curve.dz.mean
    return (
        (layers[rms == 0], "v", "dL/dz is 0"),
        (layers[~np.isfinite(rms)], "x", "dL/dz is NaN or infinite"),
    )


def _finish(ax: Axes, curves: Sequence[Curve]) -> None:
    layer_ticks(ax, max(len(curve.layers) for curve in curves))
    write_label(ax, ax.yaxis, "log10 of the rms gradient")
    grid(ax)
    nothing_finite(ax)
    for dtype, smallest in _underflowing(curves).items():
        ax.axhline(np.log10(smallest), color="0.5", linewidth=1.0, label=f"{dtype} underflow")


def _underflowing(curves: Sequence[Curve]) -> dict[str, float]:
    """The dtypes in which some gradient underflows, and their smallest normal numbers."""
    return {curve.dtype: curve.smallest for curve in curves if curve.underflows}


def _style_handles(curves: Sequence[Curve]) -> list[Any]:
    from matplotlib.lines import Line2D

    handles = line_handles(SOLID_AND_DASHED)
    if any(curve.theory is not None for curve in curves):
        name = "theory of dL/dz"
        handles.append(Line2D([], [], color=DARK, linestyle=DOTS, linewidth=1.2, label=name))
    if any(curve.apart for curve in curves):
        handles.append(Line2D([], [], color=DARK, linestyle="none", marker="o", markersize=2.5,
                              label="normalization layers"))  # fmt: skip
    seeds = max(curve.seeds for curve in curves)
    if seeds > 1:
        handles.append(band_handle(f"range over {seeds} seeds"))
    for dtype in _underflowing(curves):
        name = f"{dtype} underflows below"
        handles.append(Line2D([], [], color="0.5", linewidth=1.0, label=name))
    for edge in zip(*map(_off_the_axis, curves), strict=True):
        if any(where.size for where, _, _ in edge):
            _, marker, name = edge[0]
            mark = Line2D([], [], color=DARK, linestyle="none", marker=marker, markersize=4)
            mark.set_label(name)
            handles.append(mark)
    return handles
