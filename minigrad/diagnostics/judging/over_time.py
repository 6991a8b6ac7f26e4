"""How the gradient fares on its way back through the time of a sequence."""

from __future__ import annotations

import math

import numpy as np

from minigrad.diagnostics.decay import TRAINABLE
from minigrad.diagnostics.judging.chart import Chart
from minigrad.diagnostics.judging.illnesses import Sign
from minigrad.diagnostics.probing.statistics import FLOAT
from minigrad.diagnostics.probing.way import RECURRENT

# So many calls, and so much of the variance of log dL/dz that a straight line over them explains,
# make a recurrence: other layers that are called several times, as for views of an input of which
# each has its own weight in the loss, have no steady decay over many.
CALLS, STEADY = 5, 0.8


def over_time(chart: Chart, record: int) -> list[Sign]:
    """Where dL/dh of the first time is below 1/20 (e^-3) of that of the last, or above 20 times.

    The last is the last at which a gradient arrived: the loss need not use the end of a sequence.
    Of an LSTM it is the one before that: to h the loss comes by the output, to all earlier times
    through c, by weights that make it smaller once and for all.
    Where the loss uses every time, each gets a gradient of its own, which hides what is lost.
    """
    if not any(kind in RECURRENT for kind in chart.kinds):
        return over_calls(chart, record)
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


# -- a recurrence that is built by hand ------------------------------------------------------------


def over_calls(chart: Chart, record: int) -> list[Sign]:
    """Where dL/dz shrinks steadily over the calls of a layer, from the last back to the first.

    A recording does not say whether a call takes what came of the call before; so growth, which
    returns that are summed up to the end of an episode show as well, is not judged.
    """
    found: list[tuple[list[int], FLOAT]] = []
    for k, name in enumerate(chart.layers):
        for run in chart.recording.steps_of(name, record=record):
            if not _shrinks_steadily(run):
                continue
            same = next((ill for ill, other in found if np.allclose(run, other, atol=0)), None)
            if same is None:  # layers that are added up get the same gradient
                found.append(([k], run))
            else:
                same.append(k)
    return [_of_calls(chart, ill, run) for ill, run in found]


def _shrinks_steadily(dz: FLOAT) -> bool:
    if len(dz) < CALLS or not np.isfinite(dz).all() or not (dz > 0).all():
        return False
    if dz[0] / dz[-1] >= 1 / TRAINABLE:
        return False
    correlation = np.corrcoef(np.arange(len(dz)), np.log(dz))[0, 1]
    return bool(correlation > 0 and correlation**2 >= STEADY)


def _of_calls(chart: Chart, ill: list[int], dz: FLOAT) -> Sign:
    names = " and ".join(chart.layers[k] for k in ill)
    ratio = float(dz[0] / dz[-1])
    factor = ratio ** (1 / (len(dz) - 1))
    evidence = (
        f"over the {len(dz)} calls of {names} dL/dz shrinks from {dz[-1]:.1e} in the last to "
        f"{dz[0]:.1e} in the first, by a factor of {factor:.3g} per call"
    )
    numbers = {
        "time_first": float(dz[0]), "time_last": float(dz[-1]), "time_factor": factor,
        "time_ratio": ratio,
    }  # fmt: skip
    return Sign("vanishing", tuple(ill), evidence, numbers, over_time=True)
