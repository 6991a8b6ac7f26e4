"""What came of what: signs that another explains, and which cause is told first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from minigrad.diagnostics.decay import TRAINABLE
from minigrad.diagnostics.judging.chart import Chart
from minigrad.diagnostics.judging.course import SHORT
from minigrad.diagnostics.judging.illnesses import Sign, counted
from minigrad.diagnostics.judging.verdicts import ORDER

# Weights whose loss is a hundred times the first, or NaN, are not worth asking why their gradients
# vanish.
BLOWN_UP = 100.0


def explained(chart: Chart, signs: list[Sign]) -> list[Sign]:
    """The signs without units that went off because the signal had faded before.

    Where z shrinks from layer to layer as dL/dz does, the first steps, however short, make biases
    larger than the signal: these units are off for all examples or on for all. To blame are the
    weights that let it fade, not the steps.
    """
    dead = next((s for s in signs if s.verdict == "dead" and s.record > 0), None)
    fading = next((s for s in signs if s.verdict == "vanishing" and not s.over_time), None)
    if dead is None or fading is None or fading.record > dead.record:
        return signs
    if not 0 < largest_step(chart) <= SHORT or not chart.way:
        return signs
    z = chart.series("z_rms")[0]
    if not np.nanmin(z[list(dead.layers)]) < z[chart.way[0]] / TRAINABLE:
        return signs
    evidence = (
        f"{fading.evidence}; so does z on its way there, so that biases have come to outweigh it "
        f"and have switched units off ({counted(dead.layers, chart.layers)})"
    )
    told = replace(fading, evidence=evidence)
    return [told if s is fading else s for s in signs if s is not dead]


def largest_step(chart: Chart) -> float:
    """The largest update-to-weight ratio of any layer in any record; 0 if none was measured."""
    ratios = chart.series("update_ratio")
    return float(ratios[np.isfinite(ratios)].max(initial=0.0))


def ranked(groups: Mapping[str, tuple[list[Sign], Sign]]) -> list[str]:
    """Verdicts, the first cause first: by record, then by `ORDER`.

    Numbers that became NaN, and a loss that climbed a hundredfold, come before gradients that
    vanish: a training that is lost has a cause of its own.

    Arguments:
        groups: per verdict its signs, and the first of them.
    """
    order = sorted(groups, key=lambda v: (groups[v][1].record, ORDER.index(v)))
    if "unstable" in order and any(_blown_up(sign) for sign in groups["unstable"][0]):
        hidden = [v for v in order if v in ("vanishing", "underflow")]
        before = [v for v in order[: order.index("unstable")] if v not in hidden]
        rest = [v for v in order if v not in before and v != "unstable"]
        order = [*before, "unstable", *rest]
    return order


def _blown_up(sign: Sign) -> bool:
    if "not_finite" in sign.numbers:
        return True
    first = sign.numbers.get("first_loss", 0.0)
    return 0 < first * BLOWN_UP < sign.numbers.get("highest", 0.0)
