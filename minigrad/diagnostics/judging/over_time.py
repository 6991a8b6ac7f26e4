"""How the gradient fares on its way back through the time of a sequence."""

from __future__ import annotations

import math

import numpy as np

from minigrad.diagnostics.decay import TRAINABLE
from minigrad.diagnostics.judging.chart import Chart
from minigrad.diagnostics.judging.illnesses import Sign
from minigrad.diagnostics.probing.statistics import FLOAT
from minigrad.diagnostics.probing.way import RECURRENT


def over_time(chart: Chart, record: int) -> list[Sign]:
    """Where dL/dh of the first time is below 1/20 (e^-3) of that of the last, or above 20 times.

    The last is the last at which a gradient arrived: the loss need not use the end of a sequence.
    Of an LSTM it is the one before that: to h the loss comes by the output, to all earlier times
    through c, by weights that make it smaller once and for all.
    Where the loss uses every time, each gets a gradient of its own, which hides what is lost.
    """
    signs = []
    for k, kind in enumerate(chart.kinds):
        if kind not in RECURRENT:
            continue
        runs = chart.recording.steps_of(chart.layers[k], record=record)
        through_c = kind.startswith("LSTM")
        found = [sign for run in runs if (sign := _of_run(chart, k, run, through_c)) is not None]
        if found:
            signs.append(max(found, key=_how_far_from_1))
    return signs


def _how_far_from_1(sign: Sign) -> float:
    ratio = sign.numbers["time_ratio"]
    return abs(math.log(ratio)) if ratio > 0 else math.inf


def _of_run(chart: Chart, layer: int, dh: FLOAT, through_c: bool) -> Sign | None:
    arrived = np.flatnonzero(dh > 0)
    if through_c:
        arrived = arrived[:-1]
    if not arrived.size or not np.isfinite(dh[: arrived[-1] + 1]).all():
        return None
    first, last = int(arrived[0]), int(arrived[-1])
    ratio = float(dh[0] / dh[last])
    if last == 0 or 1 / TRAINABLE <= ratio <= TRAINABLE:
        return None
    factor = float(dh[first] / dh[last]) ** (1 / (last - first)) if first < last else math.nan
    verdict, grows = ("vanishing", "shrinks") if ratio < 1 else ("exploding", "grows")
    evidence = (
        f"over the time steps of {chart.layers[layer]} dL/dh {grows} from {dh[last]:.1e} at step "
        f"{last + 1} to {dh[0]:.1e} at step 1"
    )
    if not math.isnan(factor):
        evidence += f", by a factor of {factor:.3g} per time step"
    numbers = {
        "time_first": float(dh[0]), "time_last": float(dh[last]), "time_factor": factor,
        "time_ratio": ratio,
    }  # fmt: skip
    return Sign(verdict, (layer,), evidence, numbers, over_time=True)
