"""How to read the table of a diagnosis: what its numbers do not show, and why it says healthy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from minigrad.diagnostics.judging.chart import Chart
from minigrad.diagnostics.judging.verdicts import HEALTHY, Finding, LayerVerdict

NAMED = 3  # so many layers are named, of more the first and the last


def remarks(
    chart: Chart, findings: Sequence[Finding], layers: Sequence[LayerVerdict]
) -> tuple[str, ...]:
    """Lines for below the table.

    Arguments:
        chart: what was recorded.
        findings, layers: what was found.
    """
    return (*_beside_ill_ones(chart, findings, layers), *_skipped(chart))


def _beside_ill_ones(
    chart: Chart, findings: Sequence[Finding], layers: Sequence[LayerVerdict]
) -> list[str]:
    """Of what shrinks or grows on its way back, the layers near the output cannot be told ill."""
    found = [
        f.verdict
        for f in findings
        if f.verdict in ("vanishing", "exploding") and "first" in f.numbers
    ]
    healthy = [k for k in chart.way if layers[k].verdict == HEALTHY]
    if not found or not healthy or healthy[-1] != chart.way[-1]:
        return []
    return [
        f"healthy: of the layers nearest the output, as dL/dz of each is compared with that of "
        f"the last hidden layer; the network as a whole is {found[0]}"
    ]


def _skipped(chart: Chart) -> list[str]:
    """A line for each reason why something was not measured, however many layers it is true of."""
    reasons = Counter(chart.recording.skipped.values())
    lines = []
    for reason, count in reasons.items():
        names = [
            name or "the model" for name, why in chart.recording.skipped.items() if why == reason
        ]
        shown = ", ".join(names) if count <= NAMED else f"{names[0]} to {names[-1]} ({count})"
        lines.append(f"not measured: {shown}: {reason}")
    return lines
