"""What a recording does not tell, so that it could not be judged or was judged by an assumption."""

from __future__ import annotations

from collections.abc import Iterator

from minigrad.diagnostics.judging.chart import Chart
from minigrad.diagnostics.judging.illnesses import Record
from minigrad.diagnostics.probing.way import NO_STEPS, RECURRENT


def not_judged(chart: Chart, record: Record) -> Iterator[str]:
    """Which illnesses could not be looked for, and why."""
    with_gradient = [
        k
        for k, kind in enumerate(chart.kinds)
        if kind not in NO_STEPS and k not in chart.holders and record.arrived[k]
    ]
    # An input layer and an output layer alone have no depth over which a gradient could decay.
    if not record.chains and len(with_gradient) > 2:
        yield (
            "vanishing and exploding, for no two hidden layers could be compared: "
            f"{_some([chart.layers[k] for k in with_gradient if k not in chart.way])} lie in "
            "residual branches, which a gradient may leave out"
        )
    if "every" not in chart.recording.meta:  # a Probe would have kept single calls
        unseen = [
            name
            for k, name in enumerate(chart.layers)
            if chart.kinds[k] in RECURRENT and record.arrived[k]
            if not any(chart.recording.steps_of(name, record=r).size for r in range(len(chart)))
        ]
        if unseen:
            yield (
                f"vanishing and exploding over the time steps of {_some(unseen)}, which are not in "
                "this recording; to_jsonl keeps them, to_csv does not"
            )


def notes(chart: Chart) -> Iterator[str]:
    """What was left out, and what was taken for granted."""
    if chart.holders:
        names = _some([chart.layers[k] for k in sorted(chart.holders)])
        yield (
            f"not compared: {names}, which {'hold' if len(chart.holders) > 1 else 'holds'} other "
            "layers; those are compared"
        )
    if not all(chart.kinds):
        yield (
            "the kinds of the layers are not recorded: what holds others was taken for a residual "
            "block, no layer for a normalization or a recurrent one"
        )
    if "dtype" not in chart.recording.meta:
        yield f"the dtype is not recorded: {chart.dtype} was assumed"


def _some(names: list[str]) -> str:
    return ", ".join(names if len(names) <= 4 else [*names[:3], "..."])
