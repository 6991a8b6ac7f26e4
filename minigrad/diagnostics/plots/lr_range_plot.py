"""The learning-rate range test: where the loss falls, and where it runs away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from minigrad.diagnostics.loss_surface.lr_range import LRRange
from minigrad.diagnostics.plots.runs import NothingToDraw
from minigrad.diagnostics.plots.sharing import Values, leaving_handle, limit, shared_limits
from minigrad.diagnostics.plots.style import DARK, axes_or_current, grid, legend, look
from minigrad.errors import ArgumentError

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def lr_range(result: LRRange, *, ax: Axes | None = None) -> Axes:
    """Draw the loss over the learning rate: what `lr_range_test` found.

    Thin is the loss of each batch, thick the moving average that the test goes by. The dashed line
    is at the rate which the test suggests, where the loss falls most steeply; the dotted one where
    the loss ran away. How far it went does not stretch the scale: an arrow marks where it leaves.

    Arguments:
        result: what `lr_range_test` returns.
        ax: where to draw; by default the current axes.

    Raises:
        NothingToDraw: no finite loss.
        ArgumentError: something else than an `LRRange`.

    Source: Smith (2017), Cyclical learning rates for training neural networks, section 3.3.

    >>> import numpy as np
    >>> from minigrad.diagnostics import LRRange, plots
    >>> losses = np.array([2.0, 1.0, 4.0])
    >>> found = LRRange(np.array([0.01, 0.1, 1.0]), losses, losses, 0.1, diverged=True)
    >>> plots.lr_range(found).get_xlabel()
    'learning rate'
    """
    if not isinstance(result, LRRange):
        raise ArgumentError(
            f"plots.lr_range: takes what lr_range_test returns, not a {type(result).__name__}"
        )
    if not np.isfinite(result.smoothed).any():
        raise NothingToDraw("plots.lr_range: no finite loss; is one of the inputs NaN?")
    ax = axes_or_current(ax)
    colour, marker = look(0)
    handles = ax.plot(result.lrs, result.losses, color="0.6", linewidth=0.9, label="loss")
    handles += ax.plot(
        result.lrs, result.smoothed, color=colour, linewidth=1.8, marker=marker, markersize=5,
        markevery=max(1, len(result.lrs) // 8), label="moving average",
    )  # fmt: skip
    if result.suggestion is not None:
        label = f"suggestion: {result.suggestion:.2g}"
        handles.append(
            ax.axvline(result.suggestion, color=DARK, linestyle="--", linewidth=1.2, label=label)
        )
    if result.diverged:
        label = f"runs away at {result.lrs[-1]:.2g}"
        handles.append(
            ax.axvline(result.lrs[-1], color=DARK, linestyle=":", linewidth=1.6, label=label)
        )
    ax.set_xscale("log")
    ax.set(xlabel="learning rate", ylabel="loss")
    grid(ax)
    # The average before the end, and what the loss does at any time.
    before = result.smoothed[: len(result.smoothed) - int(result.diverged)]
    limits = shared_limits([Values(before, False), Values(result.losses, result.diverged),
                            Values(result.smoothed, result.diverged)])  # fmt: skip
    if limits is not None and limit(ax, limits):
        handles.append(leaving_handle())
    legend(ax, handles)
    return ax
