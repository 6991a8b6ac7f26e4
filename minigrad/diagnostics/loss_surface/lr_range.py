"""The learning-rate range test: how large a learning rate a network bears."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minigrad import nn
from minigrad.diagnostics.arguments import is_number
from minigrad.diagnostics.batch_loss import (
    LossFunction,
    batches,
    default_loss,
    loss_of,
)
from minigrad.diagnostics.undisturbed import undisturbed
from minigrad.errors import ArgumentError
from minigrad.nn.arguments import check_count
from minigrad.optim import Optimizer

FLOAT = NDArray[np.float64]


@dataclass(frozen=True, repr=False)
class LRRange:
    """What `lr_range_test` found.

    Attributes:
        lrs: the learning rates that were tried, shape (steps,).
        losses: the loss of each step's batch before its update, shape (steps,); the last may be
            NaN or infinite.
        smoothed: their moving average, which the test goes by, shape (steps,).
        suggestion: where the loss falls most steeply over log lr; None where it never falls.
        diverged: did the test end because the loss ran away, so before lr_max?
    """

    lrs: FLOAT
    losses: FLOAT
    smoothed: FLOAT
    suggestion: float | None
    diverged: bool

    def __str__(self) -> str:
        end = "where the loss ran away" if self.diverged else "without the loss running away"
        found = "none" if self.suggestion is None else f"{self.suggestion:.2g}"
        return (
            f"learning rates {self.lrs[0]:.2g} to {self.lrs[-1]:.2g} in {len(self.lrs)} steps, "
            f"{end}; steepest descent at: {found}"
        )

    def __repr__(self) -> str:
        return f"<LRRange: {self}>"


def lr_range_test(
    model: nn.Module,
    optimizer: Optimizer,
    data: Any,
    loss_fn: LossFunction | None = None,
    *,
    lr_min: float = 1e-6,
    lr_max: float = 10.0,
    steps: int = 100,
    smoothing: float = 0.9,
    stop: float = 4.0,
) -> LRRange:
    """Train with a learning rate that grows at each step, and watch where the loss falls or blows.

    The rate of step t is lr_min (lr_max / lr_min)^(t / (steps - 1)). The losses L_t are averaged
    as S_t = smoothing S_(t-1) + (1 - smoothing) L_t, divided by 1 - smoothing^t so that the start
    at 0 has no weight. The test ends where S exceeds `stop` times its smallest value, or the loss
    is not finite. After it model, optimizer and random numbers are as before; hooks that run
    after the optimizer's steps, such as a schedule, rest meanwhile.

    Arguments:
        model: is trained in training mode.
        optimizer: of its parameters. Where groups have different rates, their ratios stay.
        data: a batch (x, y), a data set, or a `DataLoader`, gone through as often as is needed.
        loss_fn: `loss_fn(model(x), y)`; by default the mean cross-entropy for whole numbers as
            targets, the mean squared error for others.
        lr_min, lr_max: the first and the last rate, of the optimizer's first group.
        steps: how many, at least 2.
        smoothing: 0 (none) up to, but not, 1.
        stop: above 1.

    Returns:
        An `LRRange`. Its suggestion is a rate that works; many train with the largest rate at
        which the loss still falls, a few times higher.

    Raises:
        ArgumentError: a setting out of its range, an optimizer of other parameters, or data that
            are no batches (x, y).

    Source: Smith (2017), Cyclical learning rates for training neural networks, section 3.3, where
    the rate grows linearly; exponential growth and the stop are those of the fastai library.

    >>> import minigrad as mg
    >>> from minigrad.diagnostics import lr_range_test
    >>> g = mg.Generator(0)
    >>> model = mg.models.deep_mlp(3, 32, "relu", "he", generator=g)
    >>> optimizer = mg.optim.SGD(model.parameters(), lr=0.1)
    >>> loader = mg.data.DataLoader(mg.data.load_digits(), 64, shuffle=True, generator=g)
    >>> found = lr_range_test(model, optimizer, loader)
    >>> found.diverged, 1e-4 < found.suggestion < 1
    (False, True)
    """
    if not isinstance(model, nn.Module) or not isinstance(optimizer, Optimizer):
        raise ArgumentError(
            "lr_range_test: expected a model and its optimizer, got "
            f"{type(model).__name__} and {type(optimizer).__name__}"
        )
    _check(lr_min, lr_max, smoothing, stop)
    if check_count("lr_range_test", "steps", steps) < 2:
        raise ArgumentError("lr_range_test: steps must be at least 2")
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    if held.isdisjoint(map(id, model.parameters())):
        raise ArgumentError(
            "lr_range_test: the optimizer holds none of the model's parameters; make it with "
            "model.parameters() of this model"
        )
    lrs = np.geomspace(lr_min, lr_max, steps)
    generator = getattr(data, "generator", None)
    with (
        undisturbed(model, optimizer, *([generator] if generator else [])),
        np.errstate(over="ignore", invalid="ignore"),
    ):
        losses, smoothed, diverged = _train(model, optimizer, data, loss_fn, lrs, smoothing, stop)
    lrs = lrs[: len(losses)]
    return LRRange(lrs, losses, smoothed, _steepest(lrs, losses, smoothed), diverged)


def _check(lr_min: float, lr_max: float, smoothing: float, stop: float) -> None:
    for name, value in (
        ("lr_min", lr_min), ("lr_max", lr_max), ("smoothing", smoothing), ("stop", stop),
    ):  # fmt: skip
        if not is_number(value):
            raise ArgumentError(f"lr_range_test: {name} must be a number, got {value!r}")
    if not 0 < lr_min < lr_max < math.inf:
        raise ArgumentError(
            f"lr_range_test: rates must grow from above 0: got lr_min={lr_min!r}, lr_max={lr_max!r}"
        )
    if not 0 <= smoothing < 1:
        raise ArgumentError(f"lr_range_test: smoothing must lie in [0, 1), got {smoothing!r}")
    if not stop > 1:
        raise ArgumentError(f"lr_range_test: stop must be above 1, got {stop!r}")


def _train(
    model: nn.Module,
    optimizer: Optimizer,
    data: Any,
    loss_fn: LossFunction | None,
    lrs: FLOAT,
    smoothing: float,
    stop: float,
) -> tuple[FLOAT, FLOAT, bool]:
    """Losses and smoothed losses, until the last rate or until they ran away; and whether so."""
    model.train()
    first = float(optimizer.param_groups[0]["lr"])
    ratios = [float(g["lr"]) / first if first else 1.0 for g in optimizer.param_groups]
    losses: list[float] = []
    smoothed: list[float] = []
    average = 0.0
    for lr, (x, y) in zip(lrs.tolist(), batches("lr_range_test", data), strict=False):
        loss = loss_of("lr_range_test", model, x, y, loss_fn or default_loss("lr_range_test", y))
        losses.append(loss.item())
        average = smoothing * average + (1 - smoothing) * losses[-1]
        smoothed.append(average / (1 - smoothing ** len(losses)))
        if not math.isfinite(losses[-1]) or smoothed[-1] > stop * min(smoothed):
            return np.array(losses), np.array(smoothed), True
        for group, ratio in zip(optimizer.param_groups, ratios, strict=True):
            group["lr"] = lr * ratio
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return np.array(losses), np.array(smoothed), False


def _steepest(lrs: FLOAT, losses: FLOAT, smoothed: FLOAT) -> float | None:
    """The rate at which the loss falls most steeply on its way to the smoothed minimum.

    The slope at a rate is that of the straight line through the losses around it, a tenth of all
    to either side. (That of the smoothed loss would come late, as the average does.)
    """
    lowest = int(np.where(np.isfinite(smoothed), smoothed, math.inf).argmin())
    reach = min(max(1, len(lrs) // 10), lowest // 2)
    if reach == 0:
        return None
    places = np.arange(-reach, reach + 1)
    slopes = np.correlate(losses[: lowest + 1], places / (places @ places), "valid")
    steepest = int(slopes.argmin())
    return float(lrs[reach + steepest]) if slopes[steepest] < 0 else None
