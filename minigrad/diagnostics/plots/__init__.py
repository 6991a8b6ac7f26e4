"""How measurements are drawn: the house figures, a family a file.

Functions that take `ax` draw into it (by default the current axes) and return it; the others
return a new figure. None of them shows anything or touches Matplotlib's settings. What they share
is in `style`.

What is drawn is a recording (a Probe is one) or the path of a saved one. A list of these are seeds
of one network, drawn as one run with a band; a dict names several runs that are compared. Findings
of another kind have a figure each: `lr_range` of `lr_range_test`, `loss_landscape`, `spectrum`,
`trainability`; and `schedule` draws learning rates. Where what was given holds nothing to draw, an
ArgumentError says so.
"""

# No file has the name of a function: to import the file would put it in the function's place.
from minigrad.diagnostics.plots.animation import animate
from minigrad.diagnostics.plots.decay_plot import decay, decay_panels
from minigrad.diagnostics.plots.heat_map import heatmap
from minigrad.diagnostics.plots.landscape_plot import loss_landscape
from minigrad.diagnostics.plots.loss_plot import loss_curves
from minigrad.diagnostics.plots.lr_range_plot import lr_range
from minigrad.diagnostics.plots.panels import dashboard
from minigrad.diagnostics.plots.ratio_plot import update_ratio
from minigrad.diagnostics.plots.ridge_plot import ridge
from minigrad.diagnostics.plots.saturation_plot import saturation
from minigrad.diagnostics.plots.schedule_plot import schedule
from minigrad.diagnostics.plots.spectrum_plot import spectrum
from minigrad.diagnostics.plots.trainability_grid import trainability

__all__ = [
    "animate", "dashboard", "decay", "decay_panels", "heatmap", "loss_curves", "loss_landscape",
    "lr_range", "ridge", "saturation", "schedule", "spectrum", "trainability", "update_ratio",
]  # fmt: skip
