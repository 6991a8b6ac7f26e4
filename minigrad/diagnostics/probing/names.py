"""The names of the series that a recording holds, and where each stands in a record."""

from __future__ import annotations

from minigrad.diagnostics.probing.statistics import Statistics

# What is measured in: the output z of a layer, the output a of its activation, and the gradient
# of the loss with respect to z and to the layer's weights.
SIGNALS = ("z", "a", "dz", "dw")

MEASURED = (
    *(f"{signal}_{statistic}" for signal in SIGNALS for statistic in Statistics._fields),
    "update_ratio", "saturated", "dead", "revived", "dw_clipped_rms", "dw_cosine",
)  # fmt: skip

# Computed from others when it is asked for.
COMPUTED = ("dw_snr",)

SERIES = (*MEASURED, *COMPUTED)

# What is kept of every single call of a layer that is called several times in a step.
STEP_SERIES = ("z_rms", "dz_rms")

COLUMN = {name: index for index, name in enumerate(MEASURED)}


def columns_of(signal: str) -> slice:
    """Where the statistics of a signal stand among the series that are measured."""
    first = COLUMN[f"{signal}_{Statistics._fields[0]}"]
    return slice(first, first + len(Statistics._fields))
