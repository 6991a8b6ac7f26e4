"""How a network fares from record to record: does it break down, are its steps too long?"""

from __future__ import annotations

import math

import numpy as np

from minigrad.diagnostics.decay import TRAINABLE
from minigrad.diagnostics.judging.chart import NOT_COMPARED, Chart
from minigrad.diagnostics.judging.illnesses import Sign, counted, numbered
from minigrad.diagnostics.probing.statistics import FLOAT

# Weights that change by more than a tenth of themselves in a step forget what they learned; about
# a thousandth is what works.
UPDATE_RATIO = 0.1

# The loss climbed from its lowest by half of what it began with; or in a quarter of all steps by
# a tenth of that. It may be no fault of the steps but of small batches, which differ: so where no
# step changes any weights by more than a hundredth; and, if none changes them by more than their
# whole size, where the loss comes down all the same.
CLIMB, RISE, RISES = 0.5, 0.1, 0.25
SHORT, LONG = 0.01, 1.0


def broken_record(chart: Chart) -> int | None:
    """The first record that holds NaN or infinity."""
    bad = np.array([chart.series(f"{signal}_bad") for signal in ("z", "dz", "dw")])
    found = np.flatnonzero((bad > 0).any(axis=(0, 2)))
    return int(found[0]) if found.size else None


def breakdown(chart: Chart, record: int) -> Sign:
    """What made the first NaN or infinity, in that record: too large numbers, or something else.

    Where z, or on the way back dL/dz, has grown from layer to layer by more than e^3 before it
    broke, it is exploding; else unstable.
    """
    for signal, way in (("z", chart.way), ("dz", chart.way[::-1])):
        bad, rms = (chart.series(f"{signal}_{what}")[record] for what in ("bad", "rms"))
        first = next((k for k in way if bad[k] > 0), None)
        if first is None:
            continue
        before = [k for k in way[: way.index(first)] if 0 < rms[k] < math.inf]
        shown = "z" if signal == "z" else "dL/dz"
        where = f"{_share(bad[first])} of {shown} in {chart.layers[first]} are NaN or infinite"
        broken = chart.broken_weights & {first, *chart.holders}
        if broken:
            layer = first if first in broken else min(broken)
            return _broken_weights(chart, layer, where, float(bad[first]), record)
        if len(before) > 1 and rms[before[-1]] > TRAINABLE * rms[before[0]]:
            factor = float(rms[before[-1]] / rms[before[0]]) ** (1 / (len(before) - 1))
            grown = [k for k in way if bad[k] > 0 or rms[k] > TRAINABLE * rms[before[0]]]
            return Sign(
                "exploding", numbered(grown),
                f"{where}: {shown} grows by a factor of {factor:.3g} per {chart.unit} until it is "
                f"too large for {chart.dtype}", {"factor": factor}, record,
            )  # fmt: skip
        return Sign("unstable", (first,), f"{where}, of step {chart.step(record)}",
                    {"not_finite": float(bad[first])}, record)  # fmt: skip
    layers = np.flatnonzero(chart.series("dw_bad")[record] > 0)
    return Sign("unstable", numbered(layers), f"dL/dW of {chart.layers[layers[-1]]} holds NaN or "
                f"infinity in step {chart.step(record)}", {"not_finite": 1.0}, record)  # fmt: skip


def _broken_weights(chart: Chart, layer: int, where: str, share: float, record: int) -> Sign:
    """Numbers that were NaN or infinite before anything went through."""
    names = ", ".join(chart.layers[k] for k in sorted(chart.broken_weights))
    return Sign("unstable", (layer,), f"{where}, of step {chart.step(record)}; NaN or infinity "
                f"stands in the weights of {names}", {"not_finite": share}, record)  # fmt: skip


def long_steps(chart: Chart) -> Sign | None:
    """In some layer the median update-to-weight ratio is above a tenth."""
    ratios = chart.series("update_ratio")
    ratios = np.where(np.isfinite(ratios), ratios, np.nan)
    compared = [k for k, kind in enumerate(chart.kinds) if kind not in NOT_COMPARED]
    medians = np.array([
        np.median(r[~np.isnan(r)]) if k in compared and not np.isnan(r).all() else np.nan
        for k, r in enumerate(ratios.T)
    ])  # fmt: skip
    ill = np.flatnonzero(medians > UPDATE_RATIO)
    if not ill.size:
        return None
    since = (ratios > UPDATE_RATIO).argmax(axis=0)
    worst = int(ill[ratios[since[ill], ill].argmax()])
    record = int(since[worst])
    ratio = float(ratios[record, worst])
    return Sign(
        "unstable", numbered(ill),
        f"step {chart.step(record)} changes the weights of {chart.layers[worst]} by {ratio:.2g} of "
        f"their size, and so on; more than {UPDATE_RATIO:g} is too much "
        f"({counted(ill, chart.layers)})",
        {"update_ratio": ratio}, record,
    )  # fmt: skip


def restless_loss(chart: Chart) -> Sign | None:
    """The loss climbs far above its lowest, or swings."""
    known = np.flatnonzero(np.isfinite(chart.recording.loss))
    losses = chart.recording.loss[known]
    if len(losses) < 3 or losses[0] <= 0:
        return None
    if _is_noise(chart, losses):
        return None
    climbs = (losses - np.minimum.accumulate(losses)) / losses[0]
    rises = np.diff(losses) / losses[0] > RISE
    if climbs.max() > CLIMB:
        highest = int(climbs.argmax())
        lowest = int(losses[: highest + 1].argmin())
        return Sign(
            "unstable", (),
            f"the loss climbs from {losses[lowest]:.3g} at step {chart.step(known[lowest])} to "
            f"{losses[highest]:.3g} at step {chart.step(known[highest])}",
            {"lowest": float(losses[lowest]), "highest": float(losses[highest]),
             "first_loss": float(losses[0])},
            int(known[lowest]),
        )  # fmt: skip
    if rises.sum() >= 3 and rises.mean() >= RISES:
        return Sign("unstable", (), f"the loss swings: it rises by more than {RISE:.0%} of its "
                    f"first value in {rises.sum()} of {len(rises)} steps",
                    {"rises": float(rises.mean())}, int(known[rises.argmax()]))  # fmt: skip
    return None


def _is_noise(chart: Chart, losses: FLOAT) -> bool:
    """Whether it may well be the batches that make the losses differ, and not the steps.

    The steps are too short for anything else; or the loss comes down all the same: in the later
    half it is below the first, and at the end no longer far above the lowest. After a step that
    replaced the weights that says nothing: where all units are dead the loss is calm.
    """
    ratios = chart.series("update_ratio")
    ratios = ratios[np.isfinite(ratios)]
    if ratios.size and not SHORT < ratios.max() <= LONG:
        return bool(ratios.max() <= SHORT)
    at_the_end = float(np.median(losses[-3:]))
    comes_down = np.median(losses[len(losses) // 2 :]) <= losses[0]
    return bool(comes_down and at_the_end - losses.min() <= CLIMB * losses[0])


def _share(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 else "some"
