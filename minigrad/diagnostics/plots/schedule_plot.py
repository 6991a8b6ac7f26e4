"""The learning rate that a schedule will set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from minigrad.diagnostics.plots.bands import curve_handles
from minigrad.diagnostics.plots.runs import NothingToDraw
from minigrad.diagnostics.plots.style import axes_or_current, grid, legend, look, step_axis
from minigrad.errors import ArgumentError
from minigrad.ops.creation import zeros
from minigrad.optim import SGD
from minigrad.optim.lr_scheduler import LRScheduler

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Schedule = LRScheduler | Callable[[Any], LRScheduler] | Sequence[float]


def schedule(
    data: Schedule | Mapping[str, Schedule],
    *,
    steps: int | None = None,
    lr: float = 0.1,
    log: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Draw the learning rate of one schedule, or of several, over the steps.

    Arguments:
        data: a scheduler, whose steps ahead are drawn, without it or its optimizer moving on; a
            function that takes an optimizer and returns a scheduler; or a sequence of rates. Or a
            dict of several of these by name.
        steps: how many to look ahead; by default 100, or as many as the scheduler has.
        lr: that of the stand-in optimizer which functions are called with.
        log: logarithmic axis.
        ax: where to draw; by default the current axes.

    Returns:
        The axes, with one line for each schedule, or for each parameter group whose rate differs.

    Raises:
        NothingToDraw: no finite rate.
        ArgumentError: none of these, or rates that depend on a metric (`ReduceLROnPlateau`).

    >>> from minigrad.diagnostics import plots
    >>> from minigrad.optim.lr_scheduler import StepLR
    >>> ax = plots.schedule(lambda optimizer: StepLR(optimizer, 2), steps=3, lr=1.0)
    >>> ax.lines[-1].get_ydata().tolist()
    [1.0, 1.0, 0.1, 0.1]
    """
    given = data if isinstance(data, Mapping) else {"": data}
    curves = {
        label: curve
        for name, one in given.items()
        for label, curve in _lines(str(name), *_rates(one, steps, lr)).items()
    }
    if not curves:
        raise ArgumentError("plots.schedule: the dict of schedules is empty")
    if not any(np.isfinite(rates).any() for _, rates in curves.values()):
        raise NothingToDraw("plots.schedule: none of the learning rates is a finite number")
    ax = axes_or_current(ax)
    for place, (label, (x, rates)) in enumerate(curves.items()):
        colour, marker = look(place)
        ax.plot(
            x, rates, color=colour, marker=marker, markersize=5, linewidth=1.8,
            markevery=max(1, len(x) // 6), label=label or "learning rate",
        )  # fmt: skip
    if log:
        ax.set_yscale("log", nonpositive="mask")
    step_axis(ax, sorted({step for x, _ in curves.values() for step in x.tolist()}))
    ax.set_ylabel("learning rate")
    grid(ax)
    legend(ax, curve_handles(list(curves)))
    return ax


def _rates(one: Any, steps: int | None, lr: float) -> tuple[int, NDArray[np.float64]]:
    """The first step, and the rates from there on, (steps, groups)."""
    scheduler = one
    if callable(one) and not isinstance(one, LRScheduler):
        scheduler = one(SGD([zeros(1, requires_grad=True)], lr=lr, momentum=0.9))
    if isinstance(scheduler, LRScheduler):
        return scheduler.last_epoch, np.array(scheduler.preview(steps), dtype=np.float64)
    try:
        rates = np.asarray(scheduler, dtype=np.float64)
    except (TypeError, ValueError):
        rates = np.empty(0)
    if rates.ndim != 1 or not rates.size:
        raise ArgumentError(
            "plots.schedule: takes a scheduler, a function from an optimizer to a scheduler, or "
            f"a sequence of learning rates, not {type(scheduler).__name__}"
        )
    return 0, rates[:, None] if steps is None else rates[: steps + 1, None]


def _lines(
    name: str, start: int, rates: NDArray[np.float64]
) -> dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """By label, steps and rates of those groups that differ."""
    x = np.arange(start, start + len(rates))
    groups: dict[tuple[float, ...], list[str]] = {}
    for number, column in enumerate(rates.T):
        groups.setdefault(tuple(column.tolist()), []).append(str(number))
    if len(groups) == 1:
        return {name: (x, rates[:, 0])}
    return {
        ", ".join([*filter(None, [name]), f"group {', '.join(numbers)}"]): (x, np.array(line))
        for line, numbers in groups.items()
    }
