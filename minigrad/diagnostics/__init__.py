"""Where a gradient dies, what theory says it should be, and how to see it.

Begin with `Probe` in your own training loop, and `diagnose`; `help(diagnostics.diagnose)` and so
on tell the rest.

Record a training:
    Probe                   what goes through every layer and comes back, step by step
    Recording               the same as plain data, to save, load and read
    compare                 several runs in a table, a line for each
    Comparison              what compare returns
    LivePlot                the curves of a training while it runs, in a notebook

Judge:
    diagnose                what is wrong, in which layer, by how much, and what to try
    Diagnosis               what diagnose returns
    detect_anomaly          which operation made the first NaN or infinity, and out of what
    AnomalyError            what it raises

Predict:
    predict                 what theory says of a network as it was initialized
    Prediction              what predict returns, to be laid over a recording
    theory                  mean-field theory: fixed points, chi, the depth that signals reach

Measure once:
    measure_decay           the gradient of every layer of a deep network at initialization
    DecayConfig             which network that is
    DecayResult             what measure_decay returns
    decay_table             the same as text
    jacobian_spectrum       singular values of output by input: does each direction get through?
    JacobianSpectrum        what jacobian_spectrum returns
    lr_range_test           which learning rates train, in one short run
    LRRange                 what lr_range_test returns
    measure_trainability    which depths and variances of the weights can be trained at all
    TrainabilityConfig      of which networks
    Trainability            what measure_trainability returns

The surface of the loss:
    hessian_top_eigenvalue  its largest curvature
    TopEigenvalue           what hessian_top_eigenvalue returns
    NotConverged            what it raises where it has not settled
    sharpness               that curvature again and again while a network trains
    loss_landscape          the loss around a model, along directions of its parameters
    function_landscape      the same of any function of two numbers
    Landscape               what the two return
    optimizer_path          the way of an optimizer over such a function
    ParameterPath           the way of a training over the landscape of its loss

Look:
    plots                   all figures: decay, heatmap, ridge, dashboard, ...
    draw_graph              the graph of a computation as a figure
    to_dot                  the same for Graphviz
    to_mermaid              the same for Mermaid
"""

from minigrad.diagnostics import plots, theory
from minigrad.diagnostics.anomaly import detect_anomaly
from minigrad.diagnostics.anomaly_message import AnomalyError
from minigrad.diagnostics.decay import DecayConfig, DecayResult, measure_decay
from minigrad.diagnostics.graph import draw_graph, to_dot, to_mermaid
from minigrad.diagnostics.judging.diagnosis import diagnose
from minigrad.diagnostics.judging.verdicts import Diagnosis
from minigrad.diagnostics.loss_surface.curvature import (
    NotConverged,
    TopEigenvalue,
    hessian_top_eigenvalue,
    sharpness,
)
from minigrad.diagnostics.loss_surface.landscape import (
    Landscape,
    function_landscape,
    optimizer_path,
)
from minigrad.diagnostics.loss_surface.lr_range import LRRange, lr_range_test
from minigrad.diagnostics.loss_surface.model_landscape import ParameterPath, loss_landscape
from minigrad.diagnostics.loss_surface.trainability import (
    Trainability,
    TrainabilityConfig,
    measure_trainability,
)
from minigrad.diagnostics.plots.live import LivePlot
from minigrad.diagnostics.predicting.prediction import Prediction, predict
from minigrad.diagnostics.probing.comparison import Comparison, compare
from minigrad.diagnostics.probing.probe import Probe
from minigrad.diagnostics.probing.recording import Recording
from minigrad.diagnostics.report import decay_table
from minigrad.diagnostics.spectrum import JacobianSpectrum, jacobian_spectrum

__all__ = [
    "AnomalyError",
    "Comparison",
    "DecayConfig",
    "DecayResult",
    "Diagnosis",
    "JacobianSpectrum",
    "LRRange",
    "Landscape",
    "LivePlot",
    "NotConverged",
    "ParameterPath",
    "Prediction",
    "Probe",
    "Recording",
    "TopEigenvalue",
    "Trainability",
    "TrainabilityConfig",
    "compare",
    "decay_table",
    "detect_anomaly",
    "diagnose",
    "draw_graph",
    "function_landscape",
    "hessian_top_eigenvalue",
    "jacobian_spectrum",
    "loss_landscape",
    "lr_range_test",
    "measure_decay",
    "measure_trainability",
    "optimizer_path",
    "plots",
    "predict",
    "sharpness",
    "theory",
    "to_dot",
    "to_mermaid",
]
