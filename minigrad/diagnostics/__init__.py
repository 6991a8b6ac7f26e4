"""What is measured (probe, decay), what theory predicts (theory), how it is drawn (plots)."""

from minigrad.diagnostics import plots, theory
from minigrad.diagnostics.decay import DecayConfig, DecayResult, measure_decay
from minigrad.diagnostics.probe import Probe
from minigrad.diagnostics.report import decay_table

__all__ = [
    "DecayConfig", "DecayResult", "Probe", "decay_table", "measure_decay", "plots", "theory",
]  # fmt: skip
